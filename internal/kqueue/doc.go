// Package kqueue makes the system calls of kqueue for macOS, FreeBSD, NetBSD, OpenBSD and
// DragonFly. internal/kqueueproof replaces it by an emulation on Linux.
//
// The notes below were checked with kqueue(2) of the five systems, whose sections are in
// brackets, and with the kernels' sources, whose functions are in parentheses.
// docs/platforms.md names the versions. They were not tested on any of the five.
//
//	a. A kevent is identified by its number and filter. Adding it again changes it
//	   [DESCRIPTION, EV_ADD: all] (kqueue_register, kevent_register). So reading and
//	   writing are two kevents, and a filter can be added without asking whether it is
//	   there.
//	b. close(2) removes the kevents of a descriptor [DESCRIPTION: all]. The manuals
//	   speak of the last close [EV_DELETE: all], but the kernels go by the number
//	   (knote_fdclose), also if another number still denotes the file. So, unlike
//	   epoll, kqueue reports no events of a closed file, and ENOENT or EBADF from
//	   deleting a filter [ERRORS: all] can be ignored.
//	c. Without EV_CLEAR, an event that was taken comes again while the condition
//	   holds: the filter runs when the event is taken [DESCRIPTION: all]. Any number
//	   of threads may take events, and an event that was taken goes to the end of the
//	   line (kqueue_scan, knote_process). So the helper takes nothing away from the
//	   loop, and thousands of ready descriptors take turns. A waiting thread sees
//	   changes that other threads make.
//	d. With no room for events kevent does not wait, whatever the time limit
//	   [DESCRIPTION: FreeBSD, NetBSD, OpenBSD] (kern_kevent, kevent_internal). A change
//	   that fails is an errno [RETURN VALUES: all]; on DragonFly this needs a nil list
//	   (kern_kevent). So changes are made one by one, and with a time limit of zero to
//	   be safe. EINTR comes from the wait, after the changes were made [ERRORS: FreeBSD]
//	   (kqueue_scan, kqueue_sleep).
//	e. The fields differ. The filter has 16 bits and is negative; on NetBSD it has 32
//	   bits, is unsigned, and reading is 0. ident and data have the size of a pointer
//	   or 64 bits [DESCRIPTION]. So all values go through unix.SetKevent and int.
//	   udata is a pointer, which Go's garbage collector would follow; no generation
//	   fits in it.
//	f. The filter reports ends and errors by EV_EOF, with the error in fflags, while
//	   there may still be data [EVFILT_READ, EVFILT_WRITE: all]. The flags are ignored:
//	   the read or write returns the error. Unlike epoll, the filter of the wrong end
//	   of a pipe never reports on FreeBSD and on NetBSD of 2026, and elsewhere only when
//	   the pipe dies; NetBSD of 2023 refuses it by EINVAL (pipe_kqfilter). So EINVAL for
//	   a pipe means that the filter would not report.
//	g. Writing is not supported for vnodes [EVFILT_WRITE: all], and reading ends at the
//	   end of the file [EVFILT_READ, Vnodes: all]. So plain files are not added to a
//	   kqueue. A device that cannot wait is refused: by ENODEV on FreeBSD and DragonFly
//	   (no_kqfilter, nokqfilter), EOPNOTSUPP on OpenBSD and older NetBSD (spec_kqfilter),
//	   EINVAL on macOS unless NOTE_LOWAT comes with a 1 [EVFILT_READ, Device nodes]
//	   (filt_specattach); some kernels have EPERM, a bare 1. Newer NetBSD finds it ready
//	   (seltrue_kqfilter). A file without filters is refused by ENOTSUP on macOS
//	   (fo_no_kqfilter). So EINVAL is followed by a try with NOTE_LOWAT. A file that is
//	   refused then is always ready, as under epoll.
//	h. Adding a filter for writing to a pipe whose reader is gone: EPIPE on FreeBSD and
//	   DragonFly, EBADF on NetBSD up to 2023 though the descriptor is open, EPERM on
//	   older OpenBSD, no error on macOS, newer OpenBSD and newer NetBSD (pipe_kqfilter).
//	   Such a pipe is ready: the write returns EPIPE.
//	i. A kqueue can be watched for reading only [EVFILT_READ, Kqueues: FreeBSD]
//	   (kqueue_kqfilter). A Stat has its kqueue watched so. The Go runtime registers for
//	   reading and writing at once, and so no goroutine can park on a kqueue.
//	j. A kqueue is not inherited by fork [DESCRIPTION: all], unless it asks for that, on
//	   FreeBSD 15 (KQUEUE_CPONFORK). So close-on-exec can be set later, without the fork
//	   lock. It matters for an exec without a fork.
//	k. The manuals do not say what becomes of a kevent in progress when its kqueue is
//	   closed, and the kernels differ: it goes on to wait (FreeBSD, DragonFly), or ends
//	   by EBADF (OpenBSD, macOS) or a restart (NetBSD). EVFILT_USER came late to NetBSD
//	   (10) and OpenBSD. So a pipe ends the helper's kevent: by a byte, because an end of
//	   file would have to wait for every forked process that has the pipe open.
//	l. No time limit means for ever; zero is a look [DESCRIPTION: all]. Other limits are
//	   in nanoseconds. NetBSD, OpenBSD and DragonFly wait in whole ticks, usually of
//	   10 ms (kqueue_scan, kqueue_sleep). FreeBSD may end a wait late, by up to a 16th of
//	   its span if kern.timecounter.alloweddeviation is as usual (kqueue_scan,
//	   tc_adjprecision). Go's timers do the same there, and so do the loop's.
//	m. On macOS, a wait for a named FIFO does not end when the last writer is gone
//	   (golang/go issue 24164): the filter only counts bytes (filt_vnode_common). Pipes
//	   are not affected. There is no workaround here.
//	n. While a thread takes an event, a look by another one does not find that event on
//	   OpenBSD, and on DragonFly if the filter blocks: the event is out of the line
//	   (kqueue_scan). Elsewhere the look waits for that thread. So a look can miss what
//	   the helper finds at that moment. The helper then wakes the loop: nothing is lost,
//	   but a descriptor can be an iteration late.
package kqueue
