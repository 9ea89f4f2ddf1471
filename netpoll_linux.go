package ev

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"
)

var backends = []Backend{BackendEpoll, BackendChan}

// openWake makes an eventfd. It must be non-blocking before os.NewFile sees it:
// else the file is not given to the runtime's poller.
func openWake() (readEnd, writeEnd *os.File, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("eventfd", err)
	}
	file := os.NewFile(uintptr(fd), "ev-wake")
	return file, file, nil
}

var one = binary.NativeEndian.AppendUint64(nil, 1)

// signalWake adds one to the counter, and reports whether it could. Each write is
// an edge, so nobody reads the counter: it would overflow after 2^64 wake-ups.
func signalWake(fd uintptr) bool {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return err == nil
		}
	}
}

func (p *fdPoller) tryWake(_ uintptr, woken bool) bool { return woken }

func (p *fdPoller) park(now, until time.Duration, files bool, commit func() bool) {
	deaf := p.set.used && !files // to the user's descriptors, so to all in the set
	if until >= farAway || deaf {
		p.sleep(p.pollFDFor(files, false), until, commit)
		return
	}
	if until-now > nearWait && !p.timer.failed {
		soon := until - lastWait
		// If a deadline ends it, no descriptor is ready. A deadline before soon is a
		// sender's.
		if !p.sleep(p.pollFDFor(files, false), soon, commit) || time.Since(p.base) < soon {
			return
		}
	}
	p.sleep(p.pollFDFor(files, p.setTimer(until)), until, commit)
}

// pollFDFor is the set for who waits for a descriptor in it.
func (p *fdPoller) pollFDFor(files, fine bool) *pollFD {
	if files && p.set.used || fine {
		return p.set.pollFD.Load()
	}
	return &p.wake
}

// fdSet is an epoll set of the loop's own. An epoll descriptor can be polled, so
// the loop parks on it as on any other, and thousands of descriptors are one to
// the runtime. The eventfd is in the set too, and the timerfd if there is one:
// edge-triggered both, since nobody reads them.
type fdSet struct {
	pollFD atomic.Pointer[pollFD] // nil until it is open; a new one with each epoll descriptor
	epfd   int
	used   bool // by descriptors of the user's; else there is nothing to look for
	events []unix.EpollEvent
	ready  []readyFD
}

// wakeMark is the number under which the set reports what is not the user's.
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
	_ = s.close()
	s.epfd = epfd
	s.pollFD.Store(f)
	return nil
}

// trySet looks for the user's descriptors. Without any, the loop is here for the
// timerfd, whose edge came too early to be noticed (note a) if it is due by now.
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
	if !s.isOpen() {
		return nil
	}
	return s.pollFD.Load().file.Close()
}

func (p *fdPoller) poll() { p.set.look() }

// look collects what is ready. It reports whether there was anything, the wake
// included: an edge that was seen here is not reported to the runtime any more,
// so the park must not go on.
func (s *fdSet) look() bool {
	n := pollEpoll(s.epfd, s.events)
	found := n > 0
	for n > 0 && n == len(s.events) && n < maxEvents {
		// There may be more. What came in this call is still ready and comes
		// again, but for the wake, which found remembers.
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

// pollEpoll returns how many descriptors are ready. It retries an interrupted call: the
// edge that the runtime's poller saw before is gone (note a), so nothing else would
// find what is ready.
func pollEpoll(epfd int, events []unix.EpollEvent) int {
	for {
		n, err := unix.EpollWait(epfd, events, 0)
		if err != unix.EINTR {
			return max(n, 0)
		}
	}
}

func (p *fdPoller) watch(fd int, generation uint32, known bool, events Events) error {
	epfd := p.set.epfd
	if events == None {
		// A file that was closed is gone from the set already (EBADF, ENOENT).
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

// holds changes nothing: a set knows files by file and number, so it does not find
// one whose number was closed, or is another file's.
func (p *fdPoller) holds(fd int, generation uint32, events Events) bool {
	e := epollEvent(fd, generation, events)
	err := unix.EpollCtl(p.set.epfd, unix.EPOLL_CTL_MOD, fd, &e)
	return err != unix.ENOENT && err != unix.EBADF
}
