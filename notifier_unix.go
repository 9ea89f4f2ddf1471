//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"slices"
	"syscall"
	"weak"

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

func (a *Async) openNotifier() error {
	file, wakes, err := openWake()
	if err != nil {
		return err
	}
	n := &notifier{file: file, wakes: wakes}
	conn, err := file.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { n.fd = int(fd) })
	}
	if err != nil {
		n.close()
		return err
	}
	a.notifier = n
	a.loop.keepNotifier(n)
	if a.index != 0 {
		n.watch(a)
	}
	return nil
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

// notifiers closes, with the loop, what its Asyncs have open. It is a hidden
// watcher, active as long as the loop is open, for the sake of halt.
type notifiers struct {
	watcher
	all []weak.Pointer[notifier]
}

func (l *Loop) keepNotifier(n *notifier) {
	t := l.requests.notifiers
	if t == nil {
		t = new(notifiers)
		t.init("Notifier", t, l, false, nil)
		t.hidden = true
		l.activate(&t.watcher)
		l.requests.notifiers = t
	}
	if len(t.all) == cap(t.all) {
		t.all = slices.DeleteFunc(t.all, func(p weak.Pointer[notifier]) bool { return p.Value() == nil })
		t.all = slices.Grow(t.all, len(t.all)+1) // as much again: to look for dead ones is O(1) on average
	}
	t.all = append(t.all, weak.Make(n))
}

func (t *notifiers) halt() {
	for _, p := range t.all {
		if n := p.Value(); n != nil {
			n.close()
		}
	}
	t.all = nil
}

func (t *notifiers) call()         {}
func (t *notifiers) callback() any { return t.call }
