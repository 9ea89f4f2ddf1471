//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"
)

// A kqueue cannot be parked on: the runtime asks for READ and WRITE together,
// and a kqueue descriptor accepts READ only. A pipe does what an eventfd does
// elsewhere.

var backends = []Backend{BackendKqueue, BackendChan}

// openWake makes a pipe, both ends close-on-exec and non-blocking. macOS has no
// pipe2, hence the fork lock: no child may be started between the calls.
func openWake() (file, wakes *os.File, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	if err = unix.Pipe(p[:]); err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	for _, fd := range p {
		if err = unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(p[0])
			_ = unix.Close(p[1])
			return nil, nil, os.NewSyscallError("fcntl", err)
		}
	}
	return os.NewFile(uintptr(p[0]), "ev-wake"), os.NewFile(uintptr(p[1]), "ev-wake"), nil
}

var one = []byte{1}

// signalWake writes a byte. A full pipe (EAGAIN) means that a wake is on its
// way already.
func signalWake(fd uintptr) {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return
		}
	}
}

// drainWake empties the pipe, so that it never fills up.
func drainWake(fd uintptr) {
	var buf [64]byte
	for {
		n, err := unix.Read(int(fd), buf[:])
		if err != unix.EINTR && n < len(buf) {
			return
		}
	}
}

// fdSet is a kqueue of the loop's own. The loop looks at it without waiting.
// While the loop is parked, a helper waits there in its place: one goroutine, in
// a blocking kevent and so on a thread of its own, started with the first watch.
// Its kevent takes nothing away, since all filters are level-triggered. When it
// returns, the helper wakes the loop by the pipe and waits to be armed again.
type fdSet struct {
	kq          int
	watching    bool           // the park in progress is for descriptors too
	generations map[int]uint32 // by descriptor: a kevent has no room for them
	events      []unix.Kevent_t
	ready       []readyFD

	arm    chan struct{} // holds one: the helper shall wait, or waits already
	quit   *os.File      // closing it ends the helper's kevent …
	quits  *os.File      // … which has this end in the kqueue
	closed atomic.Uint32
	ended  chan struct{} // closed when the helper has returned
}

func (s *fdSet) isOpen() bool { return s.arm != nil }

// tryWake looks at the set before the park, and arms the helper for it.
func (p *fdPoller) tryWake(fd uintptr, woken bool) bool {
	s := &p.set
	if woken {
		drainWake(fd)
	}
	if !s.watching || s.look() || woken {
		return woken || s.watching && len(s.ready) > 0
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

// fineTimer is not needed here: the runtime hands its deadlines to kevent in
// nanoseconds.
type fineTimer struct{}

func (fineTimer) close() error { return nil }

func (p *fdPoller) settimes() uint64 { return 0 }

func (p *fdPoller) openSet() error {
	s := &p.set
	if s.isOpen() {
		return nil
	}
	kq, err := unix.Kqueue()
	if err != nil {
		return os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	s.kq = kq
	if s.quits, s.quit, err = openWake(); err == nil {
		err = s.addQuits()
	}
	if err != nil {
		if s.quit != nil {
			_, _ = s.quits.Close(), s.quit.Close()
		}
		_ = unix.Close(kq)
		return err
	}
	s.generations = make(map[int]uint32)
	s.events = make([]unix.Kevent_t, 64)
	s.arm, s.ended = make(chan struct{}, 1), make(chan struct{})
	go s.help(p.write)
	return nil
}

func (s *fdSet) addQuits() error {
	conn, err := s.quits.SyscallConn()
	if err != nil {
		return err
	}
	gone := conn.Control(func(fd uintptr) { err = s.change(int(fd), unix.EVFILT_READ, unix.EV_ADD) })
	return errors.Join(gone, err)
}

// reopenSet is never needed: a kqueue forgets a descriptor when it is closed,
// whatever becomes of the file.
func (p *fdPoller) reopenSet() error { return nil }

// help is the helper. It asks for one event, which shows that there is some.
func (s *fdSet) help(wake func()) {
	defer close(s.ended)
	var event [1]unix.Kevent_t
	for range s.arm {
		_, err := unix.Kevent(s.kq, nil, event[:], nil)
		for err == unix.EINTR {
			_, err = unix.Kevent(s.kq, nil, event[:], nil)
		}
		if s.closed.Load() != 0 {
			return
		}
		wake()
	}
}

// close ends the helper: its kevent by the end of file of quits, or its wait for
// arm. Only then is the kqueue closed.
func (s *fdSet) close() error {
	if !s.isOpen() {
		return nil
	}
	s.closed.Store(1)
	err := s.quit.Close()
	close(s.arm)
	<-s.ended
	return errors.Join(err, s.quits.Close(), os.NewSyscallError("close", unix.Close(s.kq)))
}

func (p *fdPoller) poll() { p.set.look() }

func (p *fdPoller) take() []readyFD {
	ready := p.set.ready
	p.set.ready = ready[:0]
	return ready
}

var noTime unix.Timespec

// maxEvents is how many events are collected in one iteration at most.
const maxEvents = 4096

// look collects what is ready. It reports whether there was anything.
func (s *fdSet) look() bool {
	n, _ := unix.Kevent(s.kq, nil, s.events, &noTime)
	for n == len(s.events) && n < maxEvents {
		s.events = make([]unix.Kevent_t, 4*n) // there may be more; this comes again
		n, _ = unix.Kevent(s.kq, nil, s.events, &noTime)
	}
	s.ready = s.ready[:0]
	for _, e := range s.events[:max(n, 0)] {
		fd, got := int(e.Ident), Read
		if int(e.Filter) == unix.EVFILT_WRITE {
			got = Write
		}
		s.ready = append(s.ready, readyFD{fd, s.generations[fd], got})
	}
	return len(s.ready) > 0
}

// watch adds and deletes the two filters. A regular file would report its end
// here; to libev's users it is always ready.
func (p *fdPoller) watch(fd int, generation uint32, _ bool, events Events) error {
	s := &p.set
	var st unix.Stat_t
	if events != None && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		return errAlwaysReady
	}
	s.generations[fd] = generation
	if events == None {
		delete(s.generations, fd)
	}
	for _, f := range []struct {
		event  Events
		filter int
	}{{Read, unix.EVFILT_READ}, {Write, unix.EVFILT_WRITE}} {
		if events&f.event == 0 {
			_ = s.change(fd, f.filter, unix.EV_DELETE) // ENOENT, mostly
			continue
		}
		switch err := s.change(fd, f.filter, unix.EV_ADD); err {
		case nil:
		case unix.ENODEV, unix.EPERM: // a device that cannot wait
			return errAlwaysReady
		default:
			return os.NewSyscallError("kevent", err)
		}
	}
	return nil
}

func (s *fdSet) change(fd, filter, flags int) error {
	var e [1]unix.Kevent_t
	unix.SetKevent(&e[0], fd, filter, flags)
	_, err := unix.Kevent(s.kq, e[:], nil, nil)
	return err
}
