//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"
)

// This is the whole of BackendKqueue but for the calls of kqueue itself, which are
// in netpoll_bsd.go with what one must know about them; the letters here are those
// of its notes. internal/kqueueproof runs this file on Linux.
//
// A kqueue cannot be parked on (note i). A pipe does what an eventfd does
// elsewhere.

var backends = []Backend{BackendKqueue, BackendChan}

// openWake makes a pipe that the runtime's poller takes: it must be non-blocking
// before os.NewFile sees it.
func openWake() (readEnd, writeEnd *os.File, err error) {
	p, err := openPipe()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(p[0]), "ev-wake"), os.NewFile(uintptr(p[1]), "ev-wake"), nil
}

// openPipe makes a pipe, both ends close-on-exec and non-blocking. macOS has no
// pipe2, hence the fork lock: no child may be started between the calls.
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

// signalWake writes a byte, and reports whether it could. A full pipe (EAGAIN)
// means that a wake is on its way already.
func signalWake(fd uintptr) bool {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return err == nil || err == unix.EAGAIN
		}
	}
}

// drainWake empties the pipe, so that it never fills up. The buffer is the
// caller's: under the race detector one of its own would be allocated.
func drainWake(fd uintptr, buf []byte) {
	for {
		n, err := unix.Read(int(fd), buf)
		if err != unix.EINTR && n < len(buf) {
			return
		}
	}
}

// fdSet is a kqueue of the loop's own. The loop looks at it without waiting.
// While the loop is parked, a helper waits there in its place: one goroutine, in
// a blocking kevent and so on a thread of its own, started with the first watch.
// Its kevent takes nothing away, since all filters are level-triggered (note c).
// When it returns, the helper wakes the loop by the pipe and waits to be armed
// again.
type fdSet struct {
	kq       int
	watching bool               // the park in progress is for descriptors too
	pipe     [64]byte           // what the loop's pipe held, of no interest
	watched  map[int]*watchedFD // by descriptor: a kevent has no room for it (note e)
	events   []kevent
	ready    []readyFD

	arm    chan struct{} // holds one: the helper shall wait, or waits already
	quit   [2]int        // a pipe; a byte in it ends the helper's kevent (note k)
	closed atomic.Uint32
	ended  chan struct{} // closed when the helper has returned
}

// watchedFD is a descriptor with filters.
type watchedFD struct {
	generation uint32
	slot       int // where in ready it was put last
}

func (s *fdSet) isOpen() bool { return s.arm != nil }

// tryWake looks at the set before the park, and arms the helper for it.
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
	default: // it waits since an earlier park
	}
	return false
}

// park is on the pipe in any case.
func (p *fdPoller) park(_, until time.Duration, files bool, commit func() bool) {
	p.set.watching = files && p.set.isOpen()
	p.sleep(&p.wake, until, commit)
}

// fineTimer has nothing to add here: the runtime waits in the same kevent, and
// gives it nanoseconds (note l).
type fineTimer struct{}

func (fineTimer) close() error { return nil }

func (p *fdPoller) timerSets() uint64 { return 0 }

func (p *fdPoller) openSet() error {
	s := &p.set
	if s.isOpen() {
		return nil
	}
	kq, err := newKqueue()
	if err != nil {
		return err
	}
	quit, err := openPipe()
	if err == nil {
		if err = addFilter(kq, quit[0], Read); err != nil {
			closePipe(quit)
		}
	}
	if err != nil {
		_ = unix.Close(kq)
		return err
	}
	s.kq, s.quit = kq, quit
	s.watched = make(map[int]*watchedFD)
	s.events = make([]kevent, 64)
	s.arm, s.ended = make(chan struct{}, 1), make(chan struct{})
	go s.help(p.wakeByFD)
	return nil
}

// reopenSet is never needed: a kqueue forgets a descriptor when it is closed,
// whatever becomes of the file (note b).
func (p *fdPoller) reopenSet() error { return nil }

// help is the helper. It asks for one event, which shows that there is some.
func (s *fdSet) help(wake func()) {
	defer close(s.ended)
	var event [1]kevent
	for range s.arm {
		_ = awaitEvents(s.kq, event[:])
		if s.closed.Load() != 0 {
			return
		}
		wake()
	}
}

// close ends the helper, in its kevent or in its wait for arm. Only then is the
// kqueue closed.
func (s *fdSet) close() error {
	if !s.isOpen() {
		return nil
	}
	s.closed.Store(1)
	signalWake(uintptr(s.quit[1]))
	close(s.arm)
	<-s.ended
	closePipe(s.quit)
	return os.NewSyscallError("close", unix.Close(s.kq))
}

func (p *fdPoller) poll() {
	if p.set.isOpen() {
		p.set.look()
	}
}

// look collects what is ready. It reports whether there was anything.
func (s *fdSet) look() bool {
	n := pollEvents(s.kq, s.events)
	for n == len(s.events) && n < maxEvents {
		s.events = make([]kevent, 4*n) // there may be more; this comes again
		n = pollEvents(s.kq, s.events)
	}
	s.ready = s.ready[:0]
	for i := range s.events[:n] {
		s.found(readEvent(&s.events[i]))
	}
	return n > 0
}

// found makes one of what the two filters say: its watchers are called in the
// order of their starts.
func (s *fdSet) found(fd int, got Events) {
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

// watch adds and deletes the two filters. It takes both out when one is refused:
// the other would go on to report, to nobody, and the loop would never park.
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

// holds is needed for what is always ready only (note b).
func (p *fdPoller) holds(fd int, _ uint32, _ Events) bool { return checkFD(fd) == nil }

func (s *fdSet) setFilters(fd int, events Events) error {
	if events != None && isPlain(fd) {
		return errAlwaysReady
	}
	for _, event := range [...]Events{Read, Write} {
		if events&event == 0 {
			_ = deleteFilter(s.kq, fd, event) // note b
			continue
		}
		err := addFilter(s.kq, fd, event)
		switch {
		case cannotWait(fd, err):
			return errAlwaysReady
		case err != nil:
			return os.NewSyscallError("kevent", err)
		}
	}
	return nil
}

// isPlain reports whether fd is a regular file or a directory. A kqueue would
// report until the end of the first is reached; a loop's users expect it to be
// always ready, as they do of the second (note g).
func isPlain(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	kind := uint32(st.Mode) & unix.S_IFMT
	return kind == unix.S_IFREG || kind == unix.S_IFDIR
}

// cannotWait reports whether err says that fd has nothing to wait for: a device
// that is always ready (note g), or a pipe without a reader (note h).
func cannotWait(fd int, err error) bool {
	switch err {
	case unix.ENODEV, unix.EOPNOTSUPP, unix.EPERM, unix.EINVAL, unix.EPIPE:
		return true
	case unix.EBADF:
		return checkFD(fd) == nil
	}
	return false
}
