package pathwatch

import (
	"os"

	"golang.org/x/sys/unix"
)

// Notes on the mount table, /proc/PID/mountinfo:
//
//	a. It is always readable. A change wakes its pollers. The first poll of the
//	   open file after the change also returns POLLPRI and POLLERR; the second does
//	   not. An epoll set nested in others is polled once for each of them, and its
//	   owner would find nothing. Here the set asks for POLLIN instead, edge-triggered.
//	   Then each wake-up makes an event, and the event stays in the set until
//	   epoll_wait takes it, however often the set is polled.
//	b. The kernel wakes before it unlocks the table. A path that is looked up after the
//	   wake-up leads through the new table.
//	c. A file of /proc/self belongs to the first thread of the process. A goroutine that
//	   is locked to its thread may have a mount namespace of its own.
//	d. A mount in another mount namespace changes no path in this one, unless it
//	   propagates to this one, which is then a change of this one's table.
//	e. The open file keeps /proc from being unmounted, except by umount -l.

// watchMounts has changed called when the mount table has changed. changed(true) means
// that the table is no longer watched. It fails where there is no mount table, or one
// that cannot be polled.
func watchMounts(register Register, changed func(lost bool)) (stop func(), err error) {
	table, set, err := openMounts()
	if err != nil {
		return nil, err
	}
	free := func() {
		_ = unix.Close(set)
		_ = unix.Close(table)
	}
	return register(set, free, func(lost bool) {
		if !lost {
			takeMounts(set) // before changed looks: a later mount is a new event
		}
		changed(lost)
	})
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
	takeMounts(set) // the first event says only that it is readable
	return table, set, nil
}

func takeMounts(set int) {
	var event [1]unix.EpollEvent
	for {
		if _, err := unix.EpollWait(set, event[:], 0); err != unix.EINTR {
			return
		}
	}
}
