// Package kqueue makes the system calls of kqueue for macOS, FreeBSD, NetBSD, OpenBSD and
// DragonFly. internal/kqueueproof replaces it by an emulation on Linux.
//
// The notes below were checked with kqueue(2) of the five systems, whose sections are in
// brackets, and where these are silent, with the kernels' sources, in parentheses. They
// were not tested on any of the five.
//
//	a. A kevent is identified by its number and filter. Adding it again changes it
//	   [DESCRIPTION, EV_ADD: all]. So reading and writing are two kevents, and a
//	   filter can be added without asking whether it is there.
//	b. close(2) removes the kevents of a descriptor [DESCRIPTION: all]. The manuals
//	   speak of the last close [EV_DELETE: all], but the kernels go by the number
//	   (knote_fdclose), also if another number still denotes the file. So, unlike
//	   epoll, kqueue reports no events of a closed file, and ENOENT or EBADF from
//	   deleting a filter [ERRORS: all] can be ignored.
//	c. Without EV_CLEAR, an event that was taken comes again while the condition
//	   holds: the filter runs when the event is taken [DESCRIPTION: all]. Any number
//	   of threads may take events, and an event that was taken goes to the end of the
//	   line (kernels: kqueue_scan). So the helper takes nothing away from the loop,
//	   and thousands of ready descriptors take turns. A waiting thread sees changes
//	   that other threads make.
//	d. With no room for events kevent does not wait, whatever the time limit
//	   [DESCRIPTION: FreeBSD, NetBSD, OpenBSD; the kernels of the others]. A change
//	   that fails is an errno [RETURN VALUES: all]. So changes are made one by one,
//	   and with a time limit of zero to be safe. EINTR comes from the wait, after the
//	   changes were made [ERRORS: FreeBSD says so; elsewhere it is "before the timeout
//	   expired"].
//	e. The fields differ. The filter has 16 bits and is negative; on NetBSD it has 32
//	   bits, is unsigned, and reading is 0. ident and data have the size of a pointer
//	   or 64 bits [DESCRIPTION]. So all values go through unix.SetKevent and int.
//	   udata is a pointer, which Go's garbage collector would follow; no generation
//	   fits in it.
//	f. The filter reports ends and errors by EV_EOF, with the error in fflags, while
//	   there may still be data [EVFILT_READ, EVFILT_WRITE: all]. The flags are ignored:
//	   the read or write returns the error. Unlike epoll, the filter of the wrong end
//	   of a pipe never reports on FreeBSD, and on macOS only when the pipe dies
//	   (kernels: pipe_kqfilter).
//	g. Writing is not supported for vnodes [EVFILT_WRITE: all], and reading ends at the
//	   end of the file [EVFILT_READ, Vnodes: all]. So plain files are not added to a
//	   kqueue. A device that cannot wait is refused: by ENODEV on FreeBSD, EOPNOTSUPP
//	   on OpenBSD and DragonFly, EINVAL on macOS unless NOTE_LOWAT comes with a 1
//	   [EVFILT_READ, Device nodes]; some kernels have EPERM, a bare 1. So EINVAL is
//	   followed by a try with NOTE_LOWAT. A device that is refused then is always
//	   ready, as under epoll.
//	h. Adding a filter for writing to a pipe whose reader is gone: EPIPE on FreeBSD and
//	   DragonFly, EBADF on NetBSD though the descriptor is open, EPERM on older
//	   OpenBSD, no error on macOS (kernels: pipe_kqfilter). Such a pipe is ready: the
//	   write returns EPIPE.
//	i. A kqueue can be watched for reading only [EVFILT_READ, Kqueues: FreeBSD; kernels:
//	   kqueue_kqfilter]. A Stat has its kqueue watched so. The Go runtime registers for
//	   reading and writing at once, and so no goroutine can park on a kqueue.
//	j. A kqueue is not inherited by fork [DESCRIPTION: all]. So close-on-exec can be set
//	   later, without the fork lock. It matters for an exec without a fork.
//	k. The manuals do not say what becomes of a kevent in progress when its kqueue is
//	   closed. EVFILT_USER came late to NetBSD (10) and OpenBSD. So a pipe ends the
//	   helper's kevent: by a byte, because an end of file would have to wait for every
//	   forked process that has the pipe open.
//	l. No time limit means for ever; zero is a look [DESCRIPTION: all]. Other limits are
//	   in nanoseconds, but NetBSD, DragonFly and at least older OpenBSD wait in whole
//	   ticks, usually of 10 ms (kernels: tstohz, tvtohz). Go's timers do the same
//	   there, and so do the loop's.
//	m. On macOS, a wait for a named FIFO does not end when the last writer is gone
//	   (golang/go issue 24164). Pipes are not affected. There is no workaround here.
package kqueue
