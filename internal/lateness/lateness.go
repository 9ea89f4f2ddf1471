// Package lateness computes how late the callbacks of timers begin, from the Due and
// Begin events of an ev.Observer. Packages evmeter and evflight share it.
package lateness

import (
	"time"

	"github.com/goevlib/ev"
)

// Timers has the timers that have expired and whose callbacks have not begun. The zero
// value is empty. It is not safe for concurrent use.
type Timers struct {
	due map[ev.Watcher]time.Time
}

// maxTimers bounds the memory for a loop that never parks and stops its timers after
// they have expired: Begin is never called for such a timer.
const maxTimers = 10_000

// Expired notes that w was due at that moment.
func (t *Timers) Expired(w ev.Watcher, due time.Time) {
	if t.due == nil {
		t.due = make(map[ev.Watcher]time.Time)
	}
	if len(t.due) >= maxTimers {
		clear(t.due)
	}
	t.due[w] = due
}

// Begin returns how late w is if its callback begins at that moment, and forgets w. It
// returns false if w is nil or has not expired.
func (t *Timers) Begin(w ev.Watcher, at time.Time) (late time.Duration, ok bool) {
	due, ok := t.due[w]
	if !ok {
		return 0, false
	}
	delete(t.due, w)
	return at.Sub(due), true
}

// Clear forgets all timers. Call it when no timer is pending: before the loop parks and
// when its outermost Run ends. A timer that is left then was stopped after it had expired.
func (t *Timers) Clear() { clear(t.due) }
