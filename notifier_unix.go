//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// notifier is the loop's part of what Notifier returns.
type notifier struct {
	wakes *os.File // goroutines and C code write to dups of this
	fd    int      // the loop reads this; with an eventfd, it is that of wakes
	stop  func()   // of watchFD; nil while the loop does not watch
}

// openNotifier also returns a function that closes the files, which does not refer to
// the notifier, and so not to the loop.
func openNotifier() (n *notifier, free func(), err error) {
	file, wakes, err := openWake()
	if err != nil {
		return nil, nil, err
	}
	free = func() {
		_ = file.Close()
		_ = wakes.Close() // an eventfd is closed already
	}
	n = &notifier{wakes: wakes}
	conn, err := file.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { n.fd = int(fd) })
	}
	if err != nil {
		free()
		return nil, nil, err
	}
	return n, free, nil
}

// dup pins the descriptor: the loop may be closed by another goroutine.
func (n *notifier) dup() (*os.File, error) {
	conn, err := n.wakes.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	gone := conn.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	if gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "ev-notifier"), nil
}

// watch forgets what was written before.
func (n *notifier) watch(a *Async) {
	n.drain()
	stop, err := a.loop.watchFD(n.fd, Read, func(got Events) { n.noticed(a, got) })
	if err != nil {
		n.noticed(a, Error)
		return
	}
	n.stop = stop
}

func (n *notifier) unwatch() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// noticed makes the Async pending at once. By a Send it would be so an iteration
// later, since those of this one are collected.
func (n *notifier) noticed(a *Async, got Events) {
	switch {
	case got == Error:
		n.stop = nil
		a.Feed(AsyncEvent | Error)
	case n.drain():
		a.loop.collected++
		a.loop.pending.mark(&a.watcher, AsyncEvent)
	}
}

// drain takes all that was written, and reports whether that was anything. It
// looks before it reads: others have the same open file, and may have made it
// blocking, and the event that it is called for may be one of before a Start.
// The read is package syscall's, which tells the race detector that what comes
// before an os.File's write is before this.
func (n *notifier) drain() (found bool) {
	var buf [512]byte // of whole requests, so that each is taken once
	for n.readable() {
		got, err := syscall.Read(n.fd, buf[:])
		if err == syscall.EINTR {
			continue
		}
		found = found || got > 0
		if got < len(buf) {
			break
		}
	}
	return found
}

func (n *notifier) readable() bool {
	p := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}}
	for {
		ready, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return ready > 0
		}
	}
}
