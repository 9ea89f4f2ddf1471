// Package relay waits for files that a nested epoll set cannot wait for. It knows nothing of
// loops. It has work on Linux only.
//
// Some files forget an event as soon as they are polled for it. A loop's set is polled twice:
// by the runtime's poller, in which it is nested, and by the loop, which then finds nothing.
// Other files can be read at any time, and report a change by EPOLLPRI. These files are:
//
//	a. The files of perf_event_open. They forget.
//	b. /proc/pressure and the pressure files of cgroups (PSI triggers), /proc/self/mounts
//	   and mountinfo, /proc/swaps, the files of /proc/sys that can be polled at all. They
//	   can always be read, and forget the change.
//	c. The files of sysfs and of cgroups, /proc/mdstat. They can always be read, and
//	   report the change until it was read.
//
// A Relay is a goroutine that waits for one such file in the runtime's poller directly. That
// is edge-triggered, and each change is an edge, so there is an event for each change.
// Changes from before the wait are not reported (the runtime discards them), so there is one
// more event at first, without a change.
package relay
