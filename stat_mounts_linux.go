package ev

import (
	"os"

	"golang.org/x/sys/unix"
)

// What one must know about the mount table, /proc/PID/mountinfo:
//
//	a. It is always readable. A change wakes those that poll it, and the first poll
//	   of the open file after the change returns POLLPRI and POLLERR, too; the second
//	   does not. An epoll set nested in others is polled once for each of them, so
//	   its owner would find nothing. Here the set asks for POLLIN instead,
//	   edge-triggered. Then each wake-up makes an event, and the event stays in the
//	   set until epoll_wait takes it, however often the set is polled.
//	b. The kernel wakes before it unlocks the table, so a path that is looked up
//	   after that leads through the new one.
//	c. A file of /proc/self is that of the process's first thread. A goroutine that is
//	   locked to its thread may have a mount namespace of its own.
//	d. What is mounted in another mount namespace changes no path in this one, unless
//	   it propagates to this one, which then has a change of its own.
//	e. The open file keeps /proc from being unmounted, but for umount -l.

// watchMounts has fn called on the loop's goroutine, in the poll phase of an
// iteration, when the mount table has changed. fn(Error) says that it is not
// watched any more. It fails where there is no mount table, or one that cannot be
// polled.
func (l *Loop) watchMounts(fn func(got Events)) (stop func(), err error) {
	table, set, err := openMounts()
	if err != nil {
		return nil, err
	}
	opened := l.resources.add(func() {
		_ = unix.Close(set)
		_ = unix.Close(table)
	})
	unwatch, err := l.watchFD(set, Read, func(got Events) {
		if got != Error {
			takeMounts(set) // before fn looks: what is mounted meanwhile is a new event
		}
		fn(got)
	})
	if err != nil {
		opened.release()
		return nil, err
	}
	return func() {
		unwatch()
		opened.release()
	}, nil
}

func openMounts() (table, set int, err error) {
	for _, path := range []string{"/proc/thread-self/mountinfo", "/proc/self/mountinfo"} { // before Linux 3.17
		table, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			break
		}
	}
	if err != nil {
		return -1, -1, os.NewSyscallError("open", err)
	}
	if set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		_ = unix.Close(table)
		return -1, -1, os.NewSyscallError("epoll_create1", err)
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}
	if err = unix.EpollCtl(set, unix.EPOLL_CTL_ADD, table, &e); err != nil { // a regular file: EPERM
		_ = unix.Close(set)
		_ = unix.Close(table)
		return -1, -1, os.NewSyscallError("epoll_ctl", err)
	}
	takeMounts(set) // that it is readable
	return table, set, nil
}

func takeMounts(set int) {
	var event [1]unix.EpollEvent
	pollEpoll(set, event[:])
}
