package ev

import (
	"fmt"
	"iter"
	"time"
)

// This file has the methods that read and set attributes of a loop.

// settings are the attributes that the user has set. They are the loop goroutine's.
type settings struct {
	override        func(*Loop)
	release         func(*Loop)
	acquire         func(*Loop)
	waiting         bool // between the two: see beforeWait
	ioInterval      time.Duration
	timeoutInterval time.Duration
	data            any
}

// Name returns the name given by WithName, or "". Any goroutine may call it.
func (l *Loop) Name() string { return l.name }

// Backend returns the backend in use, never BackendAuto. Any goroutine may call it.
func (l *Loop) Backend() Backend { return l.backend }

// Iteration returns the number of iterations begun (ev_iteration). It is counted
// before the poll.
func (l *Loop) Iteration() uint64 {
	l.own("Iteration")
	return l.iteration
}

// Depth returns the number of active Runs (ev_depth): 0 outside, 1 in a callback, more
// in a nested Run.
func (l *Loop) Depth() int {
	l.own("Depth")
	return l.depth
}

// Pending returns the number of callbacks that wait for the pass (ev_pending_count).
// Cleared ones do not count.
func (l *Loop) Pending() int {
	l.own("Pending")
	return l.pending.count - l.looks.waiting()
}

// Active returns the number of active watchers.
func (l *Loop) Active() int {
	l.own("Active")
	return l.actives()
}

// Data returns the value that SetData stored.
func (l *Loop) Data() any {
	l.own("Data")
	return l.data
}

// SetData stores v, which the loop never looks at.
func (l *Loop) SetData(v any) {
	l.own("SetData")
	l.data = v
}

// SetTimeoutInterval makes each park last at least d, unless something other than a
// timer ends it (ev_set_timeout_collect_interval). So timers are late by up to d and
// run together. It returns an error if d is negative.
func (l *Loop) SetTimeoutInterval(d time.Duration) error {
	l.own("SetTimeoutInterval")
	return setInterval(&l.timeoutInterval, "SetTimeoutInterval", d)
}

// SetIOInterval makes the loop poll descriptors no more often than once per d on
// average (ev_set_io_collect_interval). Timers and requests of other goroutines are
// not delayed. It returns an error if d is negative.
func (l *Loop) SetIOInterval(d time.Duration) error {
	l.own("SetIOInterval")
	return setInterval(&l.ioInterval, "SetIOInterval", d)
}

func setInterval(interval *time.Duration, method string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("ev: Loop.%s: negative duration %v", method, d)
	}
	*interval = d
	return nil
}

// SetRelease sets two functions (ev_set_loop_release_cb). The loop calls release right
// before it may wait in the system, at least once per iteration, and acquire right after.
// Use them for a lock: release unlocks it, and acquire locks it again. A goroutine that
// holds the lock between the two calls may start and stop watchers of all kinds but Embed,
// and call Update. It must Send an Async afterwards, because the wait in progress does not
// see the change. nil, nil is the default.
//
// While functions are set, EV_DEBUG=1 checks no owners. The first IO of a loop needs a set
// for descriptors. If that IO is started between the two calls, and the set cannot be
// opened, the IO gets an Error event; Start does not return the error.
func (l *Loop) SetRelease(release, acquire func(*Loop)) {
	l.own("SetRelease")
	if (release == nil) != (acquire == nil) {
		panic("ev: Loop.SetRelease: one nil function")
	}
	l.release, l.acquire = release, acquire
	if l.advisor != nil {
		l.debug = release == nil
		l.advisor.forget()
	}
}

// SetInvoke sets a function that the loop calls instead of making the pending callbacks:
// at least when a Run begins and at the end of each iteration, also when nothing is
// pending. fn calls Invoke, now or later. nil restores the default. It is pyev's
// Loop.callback.
func (l *Loop) SetInvoke(fn func(*Loop)) {
	l.own("SetInvoke")
	l.override = fn
}

// beforeWait lets other goroutines use the loop, if SetRelease was called. From then until
// afterWait, waiting is true, and the loop's goroutine uses nothing that a Start, a Stop
// or an Update writes: only the poller, and atomics. waiting is written and read with the
// user's lock held.
func (l *Loop) beforeWait() {
	if l.release != nil {
		l.waiting = true
		l.release(l)
	}
}

func (l *Loop) afterWait() {
	if l.acquire != nil {
		l.acquire(l)
		l.waiting = false
	}
}

// Keepers yields the active watchers that keep Run going, in no particular order.
// Together with ExtraRefs it answers why Run does not return. It must be called on the
// loop's goroutine.
func (l *Loop) Keepers() iter.Seq[Watcher] {
	l.own("Keepers")
	return func(yield func(Watcher) bool) {
		for w := range l.Watchers() {
			if !w.base().weak && !yield(w) {
				return
			}
		}
	}
}

// ExtraRefs returns the number of references that keep Run going besides the Keepers: the
// calls of Ref less those of Unref, and one for each Go that is not done. It must be
// called on the loop's goroutine.
func (l *Loop) ExtraRefs() int {
	l.own("ExtraRefs")
	return l.extra
}

// PendingAt returns the number of callbacks of this priority that wait for the pass.
// It must be called on the loop's goroutine. It panics if the priority is out of
// range. Its cost grows with the number it returns.
func (l *Loop) PendingAt(priority int) int {
	l.own("PendingAt")
	if priority != int(clamp(priority)) {
		panic(fmt.Sprintf("ev: Loop.PendingAt: no such priority: %d", priority))
	}
	n := l.pending.queues[priority-MinPriority].count()
	if priority == int(l.looks.priority) {
		n -= l.looks.waiting()
	}
	return n
}

// Running reports whether a Run, RunOnce or RunNoWait is in progress. It is safe for
// concurrent use.
func (l *Loop) Running() bool {
	l.checkConstructed("Running")
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs) > 0
}

// Parked reports whether the loop sleeps and has not been woken yet. It is safe for
// concurrent use.
func (l *Loop) Parked() bool {
	l.checkConstructed("Parked")
	return l.parked.Load() != 0
}

// GoroutineID returns the number of the goroutine in Run, as stack traces show it, or 0
// if none is known. A tool finds a stuck loop with it among the stacks of the process.
// RunOnce and RunNoWait set it only with EV_DEBUG=1. While a Task runs, it is the number of
// the task's goroutine. It is safe for concurrent use.
func (l *Loop) GoroutineID() uint64 {
	l.checkConstructed("GoroutineID")
	if id := l.running.Load(); id != 0 {
		return id
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner
}
