package ev

import (
	"fmt"
	"time"
)

// This file has what can be read from a loop and set on it.

// Name returns what WithName gave, or "". Any goroutine may call it.
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

// Pending returns the number of callbacks that wait for the pass, without cleared ones
// (ev_pending_count).
func (l *Loop) Pending() int {
	l.own("Pending")
	return l.pending.count - l.looks.waiting()
}

// Active returns the number of active watchers.
func (l *Loop) Active() int {
	l.own("Active")
	return l.actives()
}

// Data returns what SetData stored.
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
