package ev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"
)

// This file is BackendEpoll. timerfd_linux.go has its precise timers.

var backends = []Backend{BackendEpoll, BackendChan}

// openWake makes an eventfd, which is both ends. It must be non-blocking before
// os.NewFile, which does not register it with the runtime's poller otherwise.
func openWake() (readEnd, writeEnd *os.File, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("eventfd", err)
	}
	file := os.NewFile(uintptr(fd), "ev-wake")
	return file, file, nil
}

var one = binary.NativeEndian.AppendUint64(nil, 1)

// signalWake adds one to the counter, and reports whether it could. Each write is an
// edge. The counter is never read: it would overflow after 2^64 wake-ups.
func signalWake(fd uintptr) bool {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return err == nil
		}
	}
}

func (p *fdPoller) tryWake(_ uintptr, woken bool) bool { return woken }

func (p *fdPoller) park(now, until time.Duration, files bool, commit func() bool) {
	deaf := p.set.used && !files // a descriptor in the set must not end the park
	if until >= farAway || deaf {
		p.sleep(p.pollFDFor(files, false), until, commit)
		return
	}
	if until-now > nearWait && !p.timer.failed {
		soon := until - lastWait
		// If a deadline ended the first stage, no descriptor is ready. If it did so
		// before soon, it was a sender's.
		if !p.sleep(p.pollFDFor(files, false), soon, commit) || time.Since(p.base) < soon {
			return
		}
	}
	fine := p.setTimer(until, p.timer.lead())
	expired := p.sleep(p.pollFDFor(files, fine), until, commit)
	if fine && time.Since(p.base) >= until {
		p.timer.ended(expired)
	}
}

// pollFDFor returns the set if the park waits for a descriptor in it.
func (p *fdPoller) pollFDFor(files, fine bool) *pollFD {
	if files && p.set.used || fine {
		return p.set.pollFD.Load()
	}
	return &p.wake
}

// fdSet is the loop's epoll set. The loop parks on it as on any other descriptor, and
// the runtime sees one descriptor in place of thousands. The eventfd is in the set
// too, and the timerfd if there is one, both edge-triggered because they are never
// read.
type fdSet struct {
	pollFD atomic.Pointer[pollFD] // nil until the set is open; one per epoll descriptor
	epfd   int
	used   bool // for descriptors of the user
	events []unix.EpollEvent
	ready  []readyFD

	exposed bool
	outer   int // if exposed: an epoll set that has this one in it, level-triggered
}

// wakeMark is the number under which the set reports the eventfd and the timerfd.
const wakeMark = -1

func (s *fdSet) isOpen() bool { return s.pollFD.Load() != nil }

func (p *fdPoller) openSet() error {
	if !p.set.isOpen() {
		if err := p.reopenSet(); err != nil {
			return err
		}
	}
	if !p.set.used {
		p.set.used, p.set.events = true, make([]unix.EpollEvent, 64)
	}
	return nil
}

func (p *fdPoller) reopenSet() error {
	epfd, err := p.newEpoll()
	if err != nil {
		return err
	}
	s, f := &p.set, new(pollFD)
	err = f.open(os.NewFile(uintptr(epfd), "ev-set"), p.trySet)
	if err != nil {
		_ = f.file.Close()
		return err
	}
	if s.exposed {
		if err = addInner(s.outer, epfd); err != nil {
			_ = f.file.Close()
			return err
		}
	}
	_ = s.closeInner()
	s.epfd = epfd
	s.pollFD.Store(f)
	return nil
}

// expose returns a set that holds the loop's set, which reopenSet may replace. Only the program
// polls it. It is readable while the loop's set has an edge or a ready descriptor.
func (p *fdPoller) expose() (fd int, err error) {
	s := &p.set
	if s.exposed {
		return s.outer, nil
	}
	if err := p.openSet(); err != nil {
		return -1, err
	}
	if !p.timer.opened && !p.openTimer() {
		return -1, fmt.Errorf("no timerfd: %w", errors.ErrUnsupported)
	}
	if s.outer, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	if err := addInner(s.outer, s.epfd); err != nil {
		_ = unix.Close(s.outer)
		return -1, err
	}
	s.exposed = true
	return s.outer, nil
}

func addInner(outer, epfd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(outer, unix.EPOLL_CTL_ADD, epfd, &e))
}

func (p *fdPoller) wakeAt(until time.Duration) bool { return p.setTimer(until, 0) }

// trySet looks for the user's descriptors. Without any, the loop parks on the set for
// the timerfd. If that is due by now, its edge may have come before Read (note a).
func (p *fdPoller) trySet(_ uintptr, woken bool) bool {
	if p.set.used {
		return p.set.look() || woken
	}
	return woken || time.Since(p.base) >= p.timer.armed
}

func (p *fdPoller) newEpoll() (epfd int, err error) {
	epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	err = unix.SetNonblock(epfd, true)
	if err == nil {
		gone := p.wakeConn.Control(func(fd uintptr) { err = addOwn(epfd, int(fd)) })
		err = errors.Join(gone, err)
	}
	if err == nil && p.timer.opened {
		err = addOwn(epfd, p.timer.fd)
	}
	if err != nil {
		_ = unix.Close(epfd)
		return -1, err
	}
	return epfd, nil
}

func addOwn(epfd, fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: wakeMark}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &e))
}

func (s *fdSet) close() error {
	if s.exposed {
		s.exposed = false
		_ = unix.Close(s.outer)
	}
	return s.closeInner()
}

func (s *fdSet) closeInner() error {
	if !s.isOpen() {
		return nil
	}
	return s.pollFD.Load().file.Close()
}

func (p *fdPoller) poll() { p.set.look() }

// look collects the descriptors that are ready. It reports whether there was an event,
// a wake included: an edge that look has taken is not reported to the runtime any
// more, and the park must not go on.
func (s *fdSet) look() bool {
	n := pollEpoll(s.epfd, s.events)
	found := n > 0
	for n > 0 && n == len(s.events) && n < maxEvents {
		// There may be more. The descriptors of this call are still ready and come
		// again. A wake does not: found remembers it.
		s.events = make([]unix.EpollEvent, 4*n)
		n = pollEpoll(s.epfd, s.events)
	}
	s.ready = s.ready[:0]
	for _, e := range s.events[:n] {
		if e.Fd == wakeMark {
			continue
		}
		got := None
		if e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			got |= Read
		}
		if e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			got |= Write
		}
		s.ready = append(s.ready, readyFD{int(e.Fd), uint32(e.Pad), got})
	}
	return found
}

// pollEpoll returns how many events there are. It repeats an interrupted call: the edge
// that the runtime's poller saw before is gone (note a), and nothing else would find the
// descriptors.
//
// The call does not wait. If it can return only few events, it is made as the runtime makes
// its own: the scheduler is not told that a system call begins and ends, which would cost
// another tenth of the call. A call that may take longer must not keep the garbage collector
// waiting for this thread.
func pollEpoll(epfd int, events []unix.EpollEvent) int {
	if len(events) == 0 {
		return 0
	}
	for {
		n, err := 0, error(nil)
		if len(events) <= fewEvents {
			n, err = rawEpollWait(epfd, events)
		} else {
			n, err = unix.EpollWait(epfd, events, 0)
		}
		if err != unix.EINTR {
			return max(n, 0)
		}
	}
}

// fewEvents is how many events the runtime's poller takes in one call.
const fewEvents = 128

func rawEpollWait(epfd int, events []unix.EpollEvent) (n int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

func (p *fdPoller) watch(fd int, generation uint32, known bool, events Events) error {
	epfd := p.set.epfd
	if events == None {
		// A closed file has left the set already (EBADF, ENOENT).
		_ = unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fd, nil)
		return nil
	}
	e := epollEvent(fd, generation, events)
	op := unix.EPOLL_CTL_ADD
	if known {
		op = unix.EPOLL_CTL_MOD
	}
	err := unix.EpollCtl(epfd, op, fd, &e)
	switch err {
	case unix.ENOENT: // the number denotes another file now
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &e)
	case unix.EEXIST:
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, &e)
	case unix.EPERM:
		return errAlwaysReady
	}
	return os.NewSyscallError("epoll_ctl", err)
}

func epollEvent(fd int, generation uint32, events Events) unix.EpollEvent {
	e := unix.EpollEvent{Fd: int32(fd), Pad: int32(generation)}
	if events&Read != 0 {
		e.Events |= unix.EPOLLIN
	}
	if events&Write != 0 {
		e.Events |= unix.EPOLLOUT
	}
	return e
}

// holds changes nothing in the set. A set finds an entry by file and number: not if the
// number was closed, or denotes another file.
func (p *fdPoller) holds(fd int, generation uint32, events Events) bool {
	e := epollEvent(fd, generation, events)
	err := unix.EpollCtl(p.set.epfd, unix.EPOLL_CTL_MOD, fd, &e)
	return err != unix.ENOENT && err != unix.EBADF
}
