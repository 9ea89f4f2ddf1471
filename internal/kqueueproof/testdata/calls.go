package kqueue

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file emulates internal/kqueue by poll(2), pidfds and inotify. It keeps what the notes
// there say of kqueue: a filter belongs to a number, is forgotten when that is closed, is
// level-triggered, and goes to the end of the line when it was reported; a waiting goroutine
// sees a change. An exit is reported once, also if the process was reaped meanwhile. A change
// of a file is reported once, whatever was changed how often.

// OnDarwin can be set: the errors of macOS mean other things.
var OnDarwin = false

// Event is a filter, or the event of a file or of a process.
type Event struct {
	FD     int // or the number of the process
	Write  bool
	status int
}

// queue is an emulated kqueue. Its descriptor is an epoll set, which is readable while a
// process has exited or a file has changed, so that a loop can watch it.
type queue struct {
	mu      sync.Mutex
	line    []Event
	filters map[Event]fileID
	taking  bool           // by a Wait, while LooksMiss
	wake    int            // a timerfd in the set: ends a wait after a change; 0: none
	exits   map[int]int    // of processes, by pidfd
	inotify int            // in the set; 0: none
	files   map[int]fileID // by descriptor
	watches map[int][]int  // descriptors, by the watch of their inode
	changed []Event
}

// fileID distinguishes files that had the same number.
type fileID struct{ dev, ino uint64 }

var queues sync.Map // of *queue, by descriptor

// BrokenPipe is the error of adding a filter to a pipe without a reader (note h). Zero
// is no error, as on macOS.
var BrokenPipe = unix.EPIPE

// Refused has the errors of adding certain filters.
var Refused sync.Map // of error, by Event

// ExitRefused is the error of AddExit. Zero is none.
var ExitRefused unix.Errno

// FindsZombies says what AddExit does for a process that has exited: report that, or fail with
// ESRCH (note b of internal/process).
var FindsZombies = true

// LooksMiss makes Poll miss what a Wait takes at that moment (note n). Missed counts that.
var (
	LooksMiss atomic.Bool
	Missed    atomic.Int64
)

// Taking reports whether a Wait takes an event now, while LooksMiss.
func Taking(kq int) bool {
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taking
}

// Filters returns how many filters kq has.
func Filters(kq int) int {
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.filters)
}

// New makes an emulated kqueue.
func New() (int, error) {
	kq, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	queues.Store(kq, &queue{
		filters: make(map[Event]fileID), exits: make(map[int]int),
		files: make(map[int]fileID), watches: make(map[int][]int),
	})
	return kq, nil
}

// Close closes an emulated kqueue.
func Close(kq int) error {
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	queues.Delete(kq)
	for pidfd := range q.exits {
		_ = unix.Close(pidfd)
	}
	for _, fd := range []int{q.wake, q.inotify} {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
	return unix.Close(kq)
}

func queueOf(kq int) *queue {
	q, _ := queues.Load(kq)
	return q.(*queue)
}

func fileOf(fd int) (f fileID, st unix.Stat_t, err error) {
	err = unix.Fstat(fd, &st)
	return fileID{uint64(st.Dev), st.Ino}, st, err
}

// add adds fd to the set.
func add(kq, fd int) error {
	return unix.EpollCtl(kq, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
}

// readable does not wait.
func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(p, 0)
	return n > 0
}

// Add adds a filter.
func Add(kq, fd int, write bool) error {
	if err, ok := Refused.Load(Event{FD: fd, Write: write}); ok {
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
	q, k := queueOf(kq), Event{FD: fd, Write: write}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.wake == 0 {
		if q.wake, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
			return err
		}
		if err = add(kq, q.wake); err != nil {
			return err
		}
	}
	q.forgetClosed()
	if _, ok := q.filters[k]; !ok {
		q.line = append(q.line, k)
	}
	q.filters[k] = f
	q.tellWaiter()
	return nil
}

// hasPoll refuses a device that cannot wait.
func hasPoll(fd int) error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epfd)
	if add(epfd, fd) == unix.EPERM {
		return unix.ENODEV
	}
	return nil
}

func (q *queue) tellWaiter() {
	at := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}
	_ = unix.TimerfdSettime(q.wake, 0, &at, nil)
}

// Delete deletes a filter.
func Delete(kq, fd int, write bool) error {
	q, k := queueOf(kq), Event{FD: fd, Write: write}
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
	q.tellWaiter()
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

// AddExit adds a process.
func AddExit(kq, pid int) error {
	if ExitRefused != 0 {
		return ExitRefused
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	if !FindsZombies && readable(pidfd) {
		_ = unix.Close(pidfd)
		return unix.ESRCH
	}
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.exits[pidfd] = pid
	return add(kq, pidfd)
}

// Status returns the status of a process that has exited.
func Status(e *Event) int { return e.status }

// takeExits collects the processes that have exited, and forgets them.
func (q *queue) takeExits(events []Event) (n int) {
	for pidfd, pid := range q.exits {
		if n == len(events) || !readable(pidfd) {
			continue
		}
		events[n] = Event{FD: pid, status: exitStatus(pidfd)}
		n++
		delete(q.exits, pidfd)
		_ = unix.Close(pidfd)
	}
	return n
}

// exitStatus returns the status in the form of wait(2). Linux keeps that of a process that was
// reaped since 6.15, and has it a little later than the parent. On older versions it is -1.
func exitStatus(pidfd int) int {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err == nil && info.Signo != 0 {
			status := int((*[7]int32)(unsafe.Pointer(&info))[6]) // si_status, where a pointer has 64 bits
			if info.Code == 1 {                                  // CLD_EXITED
				return status << 8
			}
			return status
		}
		if err == unix.EINTR {
			continue
		}
		reaped := struct {
			mask     uint64
			_        [13]uint32
			exitCode int32
		}{mask: 1 << 3} // PIDFD_INFO_EXIT
		const getInfo = 0xc040ff0b // PIDFD_GET_INFO
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(pidfd), getInfo, uintptr(unsafe.Pointer(&reaped)))
		switch {
		case errno == 0 && reaped.mask&(1<<3) != 0:
			return int(reaped.exitCode)
		case errno != 0 && errno != unix.ESRCH:
			return -1
		}
		runtime.Gosched() // it is being reaped
	}
}

// AddFile adds a file or a directory.
func AddFile(kq, fd int) (err error) {
	f, st, err := fileOf(fd)
	if err != nil {
		return err
	}
	mask := uint32(unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVE | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	}
	q := queueOf(kq)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inotify == 0 {
		if q.inotify, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err != nil {
			return err
		}
		if err = add(kq, q.inotify); err != nil {
			return err
		}
	}
	q.forgetClosedFiles()
	watch, err := unix.InotifyAddWatch(q.inotify, "/proc/self/fd/"+strconv.Itoa(fd), mask)
	if err != nil {
		return err
	}
	q.files[fd] = f
	q.watches[watch] = append(q.watches[watch], fd)
	return nil
}

// forgetClosedFiles removes the watches of files that were closed.
func (q *queue) forgetClosedFiles() {
	for watch, fds := range q.watches {
		open := fds[:0]
		for _, fd := range fds {
			if now, _, err := fileOf(fd); err == nil && now == q.files[fd] {
				open = append(open, fd)
				continue
			}
			delete(q.files, fd)
		}
		q.watches[watch] = open
		if len(open) == 0 {
			delete(q.watches, watch)
			_, _ = unix.InotifyRmWatch(q.inotify, uint32(watch))
		}
	}
}

// takeFiles collects the files that have changed.
func (q *queue) takeFiles(events []Event) int {
	if q.inotify == 0 {
		return 0
	}
	found := make(map[int]bool)
	for _, e := range q.changed {
		found[e.FD] = true
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(q.inotify, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			break
		}
		for at := 0; at < n; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
			at += unix.SizeofInotifyEvent + int(e.Len)
			if e.Mask&unix.IN_ATTRIB != 0 && e.Len > 0 {
				continue // of an entry: a kqueue does not report it for the directory
			}
			for _, fd := range q.watches[int(e.Wd)] {
				if !found[fd] {
					found[fd] = true
					q.changed = append(q.changed, Event{FD: fd})
				}
			}
		}
	}
	q.forgetClosedFiles()
	n := copy(events, q.changed)
	q.changed = q.changed[n:]
	return n
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
			if LooksMiss.Load() {
				q.takeLong()
			}
			return nil
		}
		q.mu.Lock()
		fds := append(q.pollFds(), unix.PollFd{Fd: int32(kq), Events: unix.POLLIN})
		q.mu.Unlock()
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return err
		}
		_, _ = unix.Read(q.wake, make([]byte, 8))
	}
}

// takeLong goes on until a look has missed the event, if one comes soon.
func (q *queue) takeLong() {
	before := Missed.Load()
	q.setTaking(true)
	for i := 0; i < 1000 && Missed.Load() == before; i++ {
		runtime.Gosched()
	}
	q.setTaking(false)
}

func (q *queue) setTaking(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taking = on
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

// take collects the exits, the changes, and then what is ready, from the front of the line.
func (q *queue) take(events []Event) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.takeExits(events)
	n += q.takeFiles(events[n:])
	return n + q.takeReady(events[n:])
}

func (q *queue) takeReady(events []Event) int {
	if q.taking {
		Missed.Add(1)
		return 0
	}
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
