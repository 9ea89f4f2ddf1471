package ev

import (
	"fmt"
	"iter"
)

// This file has what tools that show a loop ask for.

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
// RunOnce and RunNoWait set it only with EV_DEBUG=1. It is safe for concurrent use.
func (l *Loop) GoroutineID() uint64 {
	l.checkConstructed("GoroutineID")
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner
}
