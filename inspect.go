package ev

import (
	"fmt"
	"iter"
)

// What a tool that shows a loop wants to know.

// Keepers yields the active watchers that keep Run going, in no particular
// order: the answer to why it does not return, together with Refs. It is called
// on the loop's goroutine.
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

// Refs returns how many references keep Run going besides the Keepers: Refs
// less Unrefs, each Go that is not done being a Ref. It is called on the loop's
// goroutine.
func (l *Loop) Refs() int {
	l.own("Refs")
	return l.extra
}

// PendingAt returns how many callbacks wait for the pass at this priority. It
// is called on the loop's goroutine, and costs a little for each of them. It
// panics when there is no such priority.
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

// Running reports whether a Run, RunOnce or RunNoWait is in progress. Any
// goroutine may call it.
func (l *Loop) Running() bool {
	l.made("Running")
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs) > 0
}

// Parked reports whether the loop sleeps, and nobody has woken it yet. Any
// goroutine may call it.
func (l *Loop) Parked() bool {
	l.made("Parked")
	return l.parked.Load() != 0
}

// Goroutine returns the number, as stack traces have it, of the goroutine in
// Run, or 0: with it a loop that is stuck can be found among the stacks of the
// process. (RunOnce and RunNoWait look for it only with EV_DEBUG=1.) Any goroutine
// may call it.
func (l *Loop) Goroutine() uint64 {
	l.made("Goroutine")
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner
}
