package kqueue

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// This file emulates internal/kqueue by poll(2). It keeps what the notes there say of
// kqueue: a filter belongs to a number, is forgotten when that is closed, is
// level-triggered, and goes to the end of the line when it was reported; a waiting
// goroutine sees a change.

// Event is a filter.
type Event struct {
	FD    int
	Write bool
}

// queue is an emulated kqueue. Its descriptor is a timerfd, which ends a wait after a
// change: no test counts timerfds here.
type queue struct {
	mu      sync.Mutex
	line    []Event
	filters map[Event]fileID
}

// fileID distinguishes files that had the same number.
type fileID struct{ dev, ino uint64 }

var queues sync.Map // of *queue, by descriptor

// BrokenPipe is the error of adding a filter to a pipe without a reader (note h). Zero
// is no error, as on macOS.
var BrokenPipe = unix.EPIPE

// Refused has the errors of adding certain filters.
var Refused sync.Map // of error, by Event

// Filters returns how many filters kq has.
func Filters(kq int) int {
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.filters)
}

// New makes an emulated kqueue.
func New() (int, error) {
	kq, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	queues.Store(kq, &queue{filters: make(map[Event]fileID)})
	return kq, nil
}

func queueOf(kq int) *queue {
	q, _ := queues.Load(kq)
	return q.(*queue)
}

func fileOf(fd int) (f fileID, st unix.Stat_t, err error) {
	err = unix.Fstat(fd, &st)
	return fileID{uint64(st.Dev), st.Ino}, st, err
}

// Add adds a filter.
func Add(kq, fd int, write bool) error {
	if err, ok := Refused.Load(Event{fd, write}); ok {
		return err.(error)
	}
	f, st, err := fileOf(fd)
	if err != nil {
		return err
	}
	if err := hasPoll(fd); err != nil {
		return err
	}
	if write && st.Mode&unix.S_IFMT == unix.S_IFIFO && BrokenPipe != 0 {
		p := []unix.PollFd{{Fd: int32(fd)}}
		if _, _ = unix.Poll(p, 0); p[0].Revents&unix.POLLERR != 0 {
			return BrokenPipe
		}
	}
	q, k := queueOf(kq), Event{fd, write}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forgetClosed()
	if _, ok := q.filters[k]; !ok {
		q.line = append(q.line, k)
	}
	q.filters[k] = f
	tellWaiter(kq)
	return nil
}

// hasPoll refuses a device that cannot wait.
func hasPoll(fd int) error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epfd)
	if unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, new(unix.EpollEvent)) == unix.EPERM {
		return unix.ENODEV
	}
	return nil
}

func tellWaiter(kq int) {
	at := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}
	_ = unix.TimerfdSettime(kq, 0, &at, nil)
}

// Delete deletes a filter.
func Delete(kq, fd int, write bool) error {
	q, k := queueOf(kq), Event{fd, write}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forgetClosed()
	if _, ok := q.filters[k]; !ok {
		if _, _, err := fileOf(fd); err != nil {
			return err
		}
		return unix.ENOENT
	}
	delete(q.filters, k)
	q.forgetClosed()
	tellWaiter(kq)
	return nil
}

// forgetClosed removes from the line the filters that were deleted, or whose file was
// closed.
func (q *queue) forgetClosed() {
	line := q.line[:0]
	for _, k := range q.line {
		was, ok := q.filters[k]
		if now, _, err := fileOf(k.FD); ok && err == nil && now == was {
			line = append(line, k)
			continue
		}
		delete(q.filters, k)
	}
	q.line = line
}

// Ready returns the filter.
func Ready(e *Event) (fd int, write bool) { return e.FD, e.Write }

// Poll takes the events that are there.
func Poll(kq int, events []Event) int { return queueOf(kq).take(events) }

// Wait waits until there is an event.
func Wait(kq int, events []Event) error {
	q := queueOf(kq)
	for {
		if q.take(events) > 0 {
			return nil
		}
		q.mu.Lock()
		fds := append(q.pollFds(), unix.PollFd{Fd: int32(kq), Events: unix.POLLIN})
		q.mu.Unlock()
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return err
		}
		_, _ = unix.Read(kq, make([]byte, 8))
	}
}

func (q *queue) pollFds() []unix.PollFd {
	var fds []unix.PollFd
	for _, k := range q.line {
		p := unix.PollFd{Fd: int32(k.FD), Events: unix.POLLIN}
		if k.Write {
			p.Events = unix.POLLOUT
		}
		fds = append(fds, p)
	}
	return fds
}

// take collects what is ready, from the front of the line.
func (q *queue) take(events []Event) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forgetClosed()
	fds := q.pollFds()
	if n, err := unix.Poll(fds, 0); n <= 0 || err != nil {
		return 0
	}
	n := 0
	var stay, taken []Event
	for i, k := range q.line {
		if fds[i].Revents&^unix.POLLNVAL == 0 || n == len(events) {
			stay = append(stay, k)
			continue
		}
		events[n] = k
		taken = append(taken, k)
		n++
	}
	q.line = append(stay, taken...)
	return n
}
