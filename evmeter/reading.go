package evmeter

import (
	"cmp"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

// Levels is the number of priorities.
const Levels = ev.MaxPriority - ev.MinPriority + 1

// Reading is what a Meter has measured. In JSON, durations are nanoseconds.
type Reading struct {
	ID      uint64   `json:"id"`
	Name    string   `json:"name"`
	Backend string   `json:"backend"`
	Running bool     `json:"running"` // somebody is in Run
	Parked  bool     `json:"parked"`  // and the loop sleeps
	Stats   ev.Stats `json:"stats"`   // since the loop was made

	At         time.Time     `json:"at"`
	Since      time.Time     `json:"since"`       // when measuring began, or went on after nobody had read it
	Observed   time.Duration `json:"observed_ns"` // for how long it has measured, in all
	Busy       time.Duration `json:"busy_ns"`     // of which the loop was in Run and did not sleep
	Sources    []Source      `json:"sources"`     // those that took longest in all come first
	Slowest    []Call        `json:"slowest"`     // the longest single calls
	InProgress []Call        `json:"in_progress"` // the callbacks in progress, the outermost first
	Wakeup     Histogram     `json:"wakeup"`      // from the Send that found the loop asleep until it ran
	Lag        Histogram     `json:"lag"`         // from when a timer was due until its callback began
	Callback   Histogram     `json:"callback"`    // how long callbacks took
	Pending    [Levels]Depth `json:"pending"`     // by priority, the lowest first
	History    []Second      `json:"history"`     // the last seconds that are over
}

// Call is one callback.
type Call struct {
	Source Source        `json:"source"` // as it was when the Reading was made
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took_ns"` // so far, for one in progress
	Nested bool          `json:"nested"`  // it waits for a nested Run, in which the loop goes on
}

// Current returns the callback that the loop waits for, or nil. That is the
// innermost one in progress, unless it is Nested: then the loop works, or sleeps.
func (r Reading) Current() *Call {
	n := len(r.InProgress)
	if n == 0 || r.InProgress[n-1].Nested {
		return nil
	}
	return &r.InProgress[n-1]
}

// Depth is how many callbacks waited when passes began.
type Depth struct {
	Last int `json:"last"`
	Max  int `json:"max"`
}

func (d *Depth) set(n int) {
	d.Last = n
	d.Max = max(d.Max, n)
}

// Read returns what was measured so far. It does not need the loop's help: of
// one that is stuck in a callback it tells in which, and for how long. Any
// goroutine may call it. It holds up the loop, if that has something to tell, while
// it copies.
func (m *Meter) Read() Reading {
	r := m.copied()
	slices.SortFunc(r.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Position, b.Position))
	})
	return r
}

func (m *Meter) copied() Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.resume(now)
	if m.loop.Parked() { // in a park that it did not tell of: see told
		m.idle = true
	}
	m.account(now)
	m.noteRunning(now)
	r := Reading{
		ID: m.loop.ID(), Name: m.loop.Name(), Backend: m.loop.Backend().String(),
		Running: m.loop.Running(), Parked: m.loop.Parked(), Stats: m.loop.Stats(),
		At: now, Since: m.since, Observed: m.observed + now.Sub(m.since), Busy: m.busy,
		Sources: m.sources.list(), Slowest: copyCalls(m.slowest), InProgress: copyCalls(m.running),
		Wakeup: m.wakeup.clone(), Lag: m.lag.clone(), Callback: m.callback.clone(),
		Pending: m.pending, History: m.history.last(m.since, now),
	}
	for i := range r.InProgress {
		c := &r.InProgress[i]
		c.Took = now.Sub(c.Began)
		c.Nested = len(m.entered) > 0 && i < m.entered[len(m.entered)-1]
	}
	return r
}

func (s *sources) list() []Source {
	all := make([]Source, 0, len(s.known)+1)
	for _, source := range s.known {
		all = append(all, *source)
	}
	if s.others != nil {
		all = append(all, *s.others)
	}
	return all
}

// call is a Call while its Source still counts.
type call struct {
	source *Source
	began  time.Time
	took   time.Duration
	modal  bool // it has called Run, in which the loop went on
}

func copyCalls(calls []call) []Call {
	all := make([]Call, len(calls))
	for i, c := range calls {
		all[i] = Call{Source: *c.source, Began: c.began, Took: c.took}
	}
	return all
}
