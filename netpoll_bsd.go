//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// The calls of kqueue: netpoll_kqueue.go, child_bsd.go and stat_bsd.go are built on
// these, and internal/kqueueproof plays them on Linux. What follows was checked with
// kqueue(2) of macOS, FreeBSD, NetBSD, OpenBSD and DragonFly, whose sections are in
// brackets, and where these are silent, with the kernels' sources. It was not tried
// out on any of the five.
//
//	a. A kevent is known by its number and filter; to add it again changes it
//	   [DESCRIPTION, EV_ADD: all]. So reading and writing are two, and nobody
//	   asks whether a filter is there before it is added.
//	b. close(2) takes the kevents of a descriptor out [DESCRIPTION: all]. What is
//	   said of the last close [EV_DELETE: all] is not what the kernels do: they go
//	   by the number (knote_fdclose), also when the file lives on under another.
//	   So there is nothing like epoll's events of a file that was closed, and to
//	   delete a filter and hear ENOENT or EBADF [ERRORS: all] is no news.
//	c. Without EV_CLEAR an event that was taken comes again while the condition
//	   holds: the filter is run when it is taken [DESCRIPTION: all]. Any number of
//	   threads may take, and what was taken goes to the end of the line (kernels:
//	   kqueue_scan). So the helper takes nothing from the loop, and thousands that
//	   are ready take turns. A thread that waits notices what others add.
//	d. With no room for events kevent does not wait, whatever the time limit
//	   [DESCRIPTION: FreeBSD, NetBSD, OpenBSD; the kernels of the others], and a
//	   change that fails is an errno [RETURN VALUES: all]. So changes are made one
//	   by one, and with a time limit of zero to be sure. EINTR is of the wait, and
//	   the changes have been made [ERRORS: FreeBSD says so; elsewhere it is
//	   "before the timeout expired"].
//	e. The fields differ: filter is 16 bits and negative, but on NetBSD it is 32
//	   bits, unsigned, and reading is 0; ident and data are as wide as a pointer
//	   or as 64 bits [DESCRIPTION]. So all go through unix.SetKevent and int. udata
//	   is a pointer, which Go's collector would follow; no generation fits in it.
//	f. Ends and errors make the filter report, with EV_EOF and the error in fflags,
//	   while there may be data yet [EVFILT_READ, EVFILT_WRITE: all]. The flags are
//	   not looked at: the read or write tells. Unlike epoll, the filter of the
//	   wrong end of a pipe never reports on FreeBSD, and on macOS not before the
//	   pipe dies (kernels: pipe_kqfilter).
//	g. Writing is not supported for vnodes [EVFILT_WRITE: all] and reading ends at
//	   the end of the file [EVFILT_READ, Vnodes: all]; so plain files are not given
//	   to a kqueue. A device that cannot wait is refused: ENODEV on FreeBSD,
//	   EOPNOTSUPP on OpenBSD and DragonFly, EINVAL on macOS unless NOTE_LOWAT comes
//	   with a 1 [EVFILT_READ, Device nodes]; some kernels have EPERM, a bare 1. So
//	   after EINVAL it is tried in that way, and who is refused then is always
//	   ready, as under epoll.
//	h. Writing to a pipe whose reader is gone: EPIPE on FreeBSD and DragonFly, EBADF
//	   on NetBSD though the descriptor is open, EPERM on older OpenBSD, no error on
//	   macOS (kernels: pipe_kqfilter). It is ready, so that the write says EPIPE.
//	i. A kqueue can be watched for reading [EVFILT_READ, Kqueues: FreeBSD; kernels:
//	   kqueue_kqfilter], which is how Stat watches its own, and for nothing else.
//	   The Go runtime asks for both at once, so one cannot park on a kqueue.
//	j. A kqueue is not inherited by fork [DESCRIPTION: all]. So close-on-exec can be
//	   set after, without the fork lock; it is for an exec without a fork.
//	k. What becomes of a kevent in progress when its kqueue is closed is not said.
//	   EVFILT_USER came late to NetBSD (10) and OpenBSD. So a pipe ends the
//	   helper's: by a byte, since its end of file would have to wait for everybody
//	   who was forked and has it open.
//	l. No time limit is for ever, and zero is a look [DESCRIPTION: all]. Others are
//	   given in nanoseconds, but NetBSD, DragonFly and at least older OpenBSD wait
//	   in whole ticks, usually of 10 ms (kernels: tstohz, tvtohz): so do Go's
//	   timers there, and the loop's.
//	m. On macOS who waits for a named FIFO is not told that its last writer is gone
//	   (golang/go issue 24164). Pipes are not concerned. Nothing is done about it.

// kevent is what kqueue tells and is told. Its fields differ (note e).
type kevent = unix.Kevent_t

// onDarwin tells the systems apart where one has a flag that has no name on the
// others.
const onDarwin = runtime.GOOS == "darwin" || runtime.GOOS == "ios"

func newKqueue() (int, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq) // without the fork lock: note j
	return kq, nil
}

var noTime unix.Timespec

// register makes one change (note d).
func register(kq int, change kevent) error {
	_, err := unix.Kevent(kq, []kevent{change}, nil, &noTime)
	if err == unix.EINTR {
		return nil
	}
	return err
}

// addFilter has kq report Read or Write of fd. macOS asks to be told that the
// number of bytes does not matter, for some devices (note g).
func addFilter(kq, fd int, event Events) error {
	var e kevent
	unix.SetKevent(&e, fd, filterOf(event), unix.EV_ADD)
	err := register(kq, e)
	if err == unix.EINVAL {
		e.Fflags, e.Data = unix.NOTE_LOWAT, 1
		err = register(kq, e)
	}
	return err
}

func deleteFilter(kq, fd int, event Events) error {
	var e kevent
	unix.SetKevent(&e, fd, filterOf(event), unix.EV_DELETE)
	return register(kq, e)
}

func filterOf(event Events) int {
	if event == Write {
		return unix.EVFILT_WRITE
	}
	return unix.EVFILT_READ
}

// readEvent takes a kevent for a descriptor apart. Errors and ends of files need
// no look (note f).
func readEvent(e *kevent) (fd int, got Events) {
	if int(e.Filter) == unix.EVFILT_WRITE {
		return int(e.Ident), Write
	}
	return int(e.Ident), Read
}

// pollEvents takes what is there, and does not wait.
func pollEvents(kq int, events []kevent) int {
	for {
		n, err := unix.Kevent(kq, nil, events, &noTime)
		if err != unix.EINTR {
			return max(n, 0)
		}
	}
}

// awaitEvents waits until there is something to take.
func awaitEvents(kq int, events []kevent) error {
	for {
		_, err := unix.Kevent(kq, nil, events, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
