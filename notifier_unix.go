//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// notifier is the loop's part of what Notifier returns. Only its Async keeps it
// alive: when that is garbage, so are the files, and package os closes them.
type notifier struct {
	file  *os.File // the loop reads this
	wakes *os.File // and others write to dups of this; an eventfd is both
	fd    int      // of file
	stop  func()   // of watchFD; nil while the loop does not watch
}

func openNotifier() (*notifier, error) {
	file, wakes, err := openWake()
	if err != nil {
		return nil, err
	}
	n := &notifier{file: file, wakes: wakes}
	conn, err := file.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { n.fd = int(fd) })
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// dup pins the descriptor: the Async, if it is inactive, may be garbage by now.
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

func (n *notifier) close() {
	_ = n.file.Close()
	_ = n.wakes.Close() // an eventfd is closed already
}
