//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/descriptor"
	"github.com/goevlib/ev/internal/kqueue"
)

// This file is BackendKqueue. internal/kqueue makes the system calls, and the letters
// here refer to its notes. internal/kqueueproof runs this file on Linux.
//
// A goroutine cannot park on a kqueue (note i). A pipe takes the place of Linux's
// eventfd.

var backends = []Backend{BackendKqueue, BackendChan}

// openWake makes a pipe. It must be non-blocking before os.NewFile, which does not
// register it with the runtime's poller otherwise.
func openWake() (readEnd, writeEnd *os.File, err error) {
	p, err := openPipe()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(p[0]), "ev-wake"), os.NewFile(uintptr(p[1]), "ev-wake"), nil
}

// openPipe makes a pipe, both ends close-on-exec and non-blocking. macOS has no pipe2,
// so the fork lock keeps children from being started between the calls.
func openPipe() (p [2]int, err error) {
	syscall.ForkLock.RLock()
	if err = unix.Pipe(p[:]); err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return p, os.NewSyscallError("pipe", err)
	}
	for _, fd := range p {
		if err = unix.SetNonblock(fd, true); err != nil {
			closePipe(p)
			return p, os.NewSyscallError("fcntl", err)
		}
	}
	return p, nil
}

func closePipe(p [2]int) { _, _ = unix.Close(p[0]), unix.Close(p[1]) }

var one = []byte{1}

// signalWake writes a byte, and reports whether it could. A full pipe (EAGAIN) holds a
// wake already.
func signalWake(fd uintptr) bool {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return err == nil || err == unix.EAGAIN
		}
	}
}

// drainWake empties the pipe, which would fill up otherwise. The caller passes the
// buffer: under the race detector a local one would be allocated.
func drainWake(fd uintptr, buf []byte) {
	for {
		n, err := unix.Read(int(fd), buf)
		if err != unix.EINTR && n < len(buf) {
			return
		}
	}
}

// fdSet is the loop's kqueue. The loop looks at it without waiting. While the loop is
// parked, a helper waits in its place: a goroutine in a blocking kevent, which holds an
// OS thread, started by the first watch. Its kevent takes no event away, because all
// filters are level-triggered (note c). When kevent returns, the helper wakes the loop
// by the pipe, and waits to be armed again. If a look misses the event that the helper is
// taking (note n), the wake comes after that look: the loop does not sleep on.
type fdSet struct {
	kq       int
	watching bool               // a descriptor ends the park in progress
	pipe     [64]byte           // drained here; the bytes mean nothing
	watched  map[int]*watchedFD // by descriptor; an event has no room for it (note e)
	events   []kqueue.Event
	ready    []readyFD

	arm    chan struct{} // holds one: the helper must wait in kevent, or waits already
	quit   [2]int        // a pipe; a byte in it ends the helper's kevent (note k)
	closed atomic.Uint32
	ended  chan struct{} // closed when the helper has returned
}

// watchedFD is a descriptor with filters.
type watchedFD struct {
	generation uint32
	slot       int // its last place in ready
}

func (s *fdSet) isOpen() bool { return s.arm != nil }

// tryWake looks at the set before the park, and arms the helper.
func (p *fdPoller) tryWake(fd uintptr, woken bool) bool {
	s := &p.set
	if woken {
		drainWake(fd, s.pipe[:])
	}
	if !s.watching {
		return woken
	}
	if s.look() || woken {
		return true
	}
	select {
	case s.arm <- struct{}{}:
	default: // the helper waits since an earlier park
	}
	return false
}

// park parks on the pipe, with and without files.
func (p *fdPoller) park(_, until time.Duration, files bool, commit func() bool) {
	p.set.watching = files && p.set.isOpen()
	p.sleep(&p.wake, until, commit)
}

// fineTimer is empty: the runtime's poller waits in kevent, which takes nanoseconds
// (note l).
type fineTimer struct{}

func (fineTimer) close() error { return nil }

func (p *fdPoller) timerSets() uint64 { return 0 }

func (p *fdPoller) openSet() error {
	s := &p.set
	if s.isOpen() {
		return nil
	}
	kq, err := kqueue.New()
	if err != nil {
		return err
	}
	quit, err := openPipe()
	if err == nil {
		if err = kqueue.Add(kq, quit[0], false); err != nil {
			closePipe(quit)
		}
	}
	if err != nil {
		_ = kqueue.Close(kq)
		return err
	}
	s.kq, s.quit = kq, quit
	s.watched = make(map[int]*watchedFD)
	s.events = make([]kqueue.Event, 64)
	s.arm, s.ended = make(chan struct{}, 1), make(chan struct{})
	go s.help(p.wakeByFD)
	return nil
}

// reopenSet has nothing to do: a kqueue forgets a descriptor when that is closed, even
// if the file stays open (note b).
func (p *fdPoller) reopenSet() error { return nil }

// help is the helper. One event shows that there are any.
func (s *fdSet) help(wake func()) {
	defer close(s.ended)
	var event [1]kqueue.Event
	for range s.arm {
		_ = kqueue.Wait(s.kq, event[:])
		if s.closed.Load() != 0 {
			return
		}
		wake()
	}
}

// close ends the helper, in its kevent or in its wait for arm, and closes the kqueue
// after that.
func (s *fdSet) close() error {
	if !s.isOpen() {
		return nil
	}
	s.closed.Store(1)
	signalWake(uintptr(s.quit[1]))
	close(s.arm)
	<-s.ended
	closePipe(s.quit)
	return os.NewSyscallError("close", kqueue.Close(s.kq))
}

func (p *fdPoller) poll() {
	if p.set.isOpen() {
		p.set.look()
	}
}

// look collects the descriptors that are ready. It reports whether there was an event.
func (s *fdSet) look() bool {
	n := kqueue.Poll(s.kq, s.events)
	for n == len(s.events) && n < maxEvents {
		s.events = make([]kqueue.Event, 4*n) // there may be more; these come again
		n = kqueue.Poll(s.kq, s.events)
	}
	s.ready = s.ready[:0]
	for i := range s.events[:n] {
		s.found(kqueue.Ready(&s.events[i]))
	}
	return n > 0
}

// found merges the events of the two filters of fd. Otherwise its watchers would not be
// called in the order of their starts.
func (s *fdSet) found(fd int, write bool) {
	got := Read
	if write {
		got = Write
	}
	w := s.watched[fd]
	switch {
	case w == nil: // the quit pipe, while the set is closed
	case w.slot < len(s.ready) && s.ready[w.slot].fd == fd:
		s.ready[w.slot].events |= got
	default:
		w.slot = len(s.ready)
		s.ready = append(s.ready, readyFD{fd, w.generation, got})
	}
}

// watch adds and deletes the two filters. If one is refused, it deletes both: the other
// would go on to report, though no watcher takes the event, and the loop would never
// park.
func (p *fdPoller) watch(fd int, generation uint32, _ bool, events Events) error {
	s := &p.set
	err := s.setFilters(fd, events)
	if err != nil {
		_ = s.setFilters(fd, None)
	}
	if err != nil || events == None {
		delete(s.watched, fd)
		return err
	}
	s.watched[fd] = &watchedFD{generation: generation}
	return nil
}

// holds matters only for files that are always ready (note b).
func (p *fdPoller) holds(fd int, _ uint32, _ Events) bool { return descriptor.Check(fd) == nil }

func (s *fdSet) setFilters(fd int, events Events) error {
	if events != None && isPlain(fd) {
		return errAlwaysReady
	}
	for _, event := range [...]Events{Read, Write} {
		if events&event == 0 {
			_ = kqueue.Delete(s.kq, fd, event == Write) // note b
			continue
		}
		err := kqueue.Add(s.kq, fd, event == Write)
		switch {
		case err == unix.EINVAL && fileType(fd) == unix.S_IFIFO: // the wrong end (note f)
		case cannotWait(fd, err):
			return errAlwaysReady
		case err != nil:
			return os.NewSyscallError("kevent", err)
		}
	}
	return nil
}

// isPlain reports whether fd is a regular file or a directory. Both are always ready.
// A kqueue would report a regular file only up to its end (note g).
func isPlain(fd int) bool {
	kind := fileType(fd)
	return kind == unix.S_IFREG || kind == unix.S_IFDIR
}

// fileType returns the type of the file, or 0 if fd is not open.
func fileType(fd int) uint32 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return uint32(st.Mode) & unix.S_IFMT
}

// cannotWait reports whether err means that fd is always ready: a device that cannot wait
// (note g), or a pipe without a reader (note h).
func cannotWait(fd int, err error) bool {
	switch err {
	case unix.ENODEV, unix.EOPNOTSUPP, unix.EPERM, unix.EINVAL, unix.EPIPE:
		return true
	case unix.EBADF:
		return descriptor.Check(fd) == nil
	}
	return err == unix.ENOTSUP // on macOS another number than EOPNOTSUPP
}
