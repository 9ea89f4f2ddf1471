package ev

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The calls that netpoll_bsd.go makes, with the same names, played by poll(2). What
// is promised of kqueue in the notes there is kept here: a filter is of a number, is
// forgotten when that is closed, is level-triggered, and goes to the end of the line
// when it was reported; a change is seen by who waits.

type kevent struct {
	fd    int
	event Events
}

// queue is an emulated kqueue. Its descriptor is a timerfd, by which who waits is
// told of a change: something that no test counts.
type queue struct {
	mu      sync.Mutex
	line    []kevent
	filters map[kevent]fileID
}

// fileID tells files apart that had the same number.
type fileID struct{ dev, ino uint64 }

var queues sync.Map // of *queue, by descriptor

// brokenPipe is what adding a filter to a pipe without a reader answers (note h).
// Zero: nothing is wrong, as on macOS.
var brokenPipe = unix.EPIPE

// refused is what adding such a filter answers.
var refused sync.Map // of error, by kevent

func newKqueue() (int, error) {
	kq, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	queues.Store(kq, &queue{filters: make(map[kevent]fileID)})
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

func addFilter(kq, fd int, event Events) error {
	if err, ok := refused.Load(kevent{fd, event}); ok {
		return err.(error)
	}
	f, st, err := fileOf(fd)
	if err != nil {
		return err
	}
	if err := hasPoll(fd); err != nil {
		return err
	}
	if event == Write && st.Mode&unix.S_IFMT == unix.S_IFIFO && brokenPipe != 0 {
		p := []unix.PollFd{{Fd: int32(fd)}}
		if _, _ = unix.Poll(p, 0); p[0].Revents&unix.POLLERR != 0 {
			return brokenPipe
		}
	}
	q, k := queueOf(kq), kevent{fd, event}
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

func deleteFilter(kq, fd int, event Events) error {
	q, k := queueOf(kq), kevent{fd, event}
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

// forgetClosed takes out of the line what is no filter, or not of this file.
func (q *queue) forgetClosed() {
	line := q.line[:0]
	for _, k := range q.line {
		was, ok := q.filters[k]
		if now, _, err := fileOf(k.fd); ok && err == nil && now == was {
			line = append(line, k)
			continue
		}
		delete(q.filters, k)
	}
	q.line = line
}

func readEvent(e *kevent) (fd int, got Events) { return e.fd, e.event }

func pollEvents(kq int, events []kevent) int { return queueOf(kq).take(events) }

func awaitEvents(kq int, events []kevent) error {
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
		p := unix.PollFd{Fd: int32(k.fd), Events: unix.POLLIN}
		if k.event == Write {
			p.Events = unix.POLLOUT
		}
		fds = append(fds, p)
	}
	return fds
}

// take collects what is ready, from the front of the line.
func (q *queue) take(events []kevent) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forgetClosed()
	fds := q.pollFds()
	if n, err := unix.Poll(fds, 0); n <= 0 || err != nil {
		return 0
	}
	n := 0
	var stay, taken []kevent
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
