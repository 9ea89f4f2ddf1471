package evmeter

import (
	"cmp"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

// Levels is the number of priorities.
const Levels = ev.MaxPriority - ev.MinPriority + 1

// Reading is a copy of the figures of a Meter. In JSON, durations are nanoseconds.
type Reading struct {
	ID      uint64   `json:"id"`
	Name    string   `json:"name"`
	Backend string   `json:"backend"`
	Running bool     `json:"running"` // a goroutine is in Run
	Parked  bool     `json:"parked"`  // the loop sleeps
	Stats   ev.Stats `json:"stats"`   // since the loop was made

	At         time.Time     `json:"at"`          // when the Reading was made
	Since      time.Time     `json:"since"`       // when measuring began, or resumed after a pause
	Observed   time.Duration `json:"observed_ns"` // how long the loop was measured, pauses excluded
	Busy       time.Duration `json:"busy_ns"`     // of Observed: in Run and not asleep
	Sources    []Source      `json:"sources"`     // the largest Total first
	Slowest    []Call        `json:"slowest"`     // the longest calls, the longest first
	InProgress []Call        `json:"in_progress"` // callbacks in progress, the outermost first
	Wakeup     Histogram     `json:"wakeup"`      // from the Send that found the loop asleep until it ran
	Lag        Histogram     `json:"lag"`         // from when a timer was due until its callback began
	Callback   Histogram     `json:"callback"`    // durations of callbacks
	Pending    [Levels]Depth `json:"pending"`     // by priority, the lowest first
	History    []Second      `json:"history"`     // the last seconds that are over, the oldest first
}

// Current returns the callback that the loop waits for: the innermost one in progress. It
// returns nil if there is none, or if that one is Nested: then the loop works or sleeps.
func (r Reading) Current() *Call {
	n := len(r.InProgress)
	if n == 0 || r.InProgress[n-1].Nested {
		return nil
	}
	return &r.InProgress[n-1]
}

// Depth is the number of callbacks that were pending at the beginning of a pass. It is
// sampled every 10 ms at most.
type Depth struct {
	Last int `json:"last"`
	Max  int `json:"max"`
}

func (d *Depth) set(n int) {
	d.Last = n
	d.Max = max(d.Max, n)
}

// Read returns the figures so far, and resumes measuring if the Meter has paused. It is safe
// for concurrent use. It does not wait for the loop: if the loop is stuck in a callback,
// the Reading has that callback and its duration so far. An event of the loop waits while
// Read copies.
func (m *Meter) Read() Reading {
	r := m.copied()
	slices.SortFunc(r.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	m.favour(r.Sources, r.At)
	return r
}

// copied leaves the sorting to Read: the loop may wait for mu.
func (m *Meter) copied() Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.resume(now)
	if m.loop.Parked() { // perhaps in a park that began before measuring: see observe
		m.idle = true
	}
	m.account(now)
	m.observeCalls(now)
	r := Reading{
		ID: m.loop.ID(), Name: m.loop.Name(), Backend: m.loop.Backend().String(),
		Running: m.loop.Running(), Parked: m.loop.Parked(), Stats: m.loop.Stats(),
		At: now, Since: m.since, Observed: m.observed + now.Sub(m.since), Busy: m.busy,
		Sources: m.sources.list(m.history.first(m.since, now)), Slowest: copyCalls(m.slowest), InProgress: copyCalls(m.running),
		Wakeup: m.wakeup.histogram(), Lag: m.lag.histogram(), Callback: m.callback.histogram(),
		Pending: m.pending, History: m.history.last(m.since, now),
	}
	for i := range r.InProgress {
		c := &r.InProgress[i]
		c.Took = now.Sub(c.Began)
		c.Nested = len(m.entered) > 0 && i < m.entered[len(m.entered)-1]
	}
	return r
}
