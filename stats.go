package ev

import "go.uber.org/atomic"

// Stats is a snapshot of a loop's counters, since New.
type Stats struct {
	Iterations      uint64 `json:"iterations"`       // iterations begun
	Parks           uint64 `json:"parks"`            // times the loop was about to sleep
	FDWrites        uint64 `json:"fd_writes"`        // wake-ups by a write to the descriptor: at most one per park
	DirectWakes     uint64 `json:"direct_wakes"`     // wake-ups without one
	Collected       uint64 `json:"collected"`        // requests of other goroutines collected: bursts of sends, of posts, of signals
	Callbacks       uint64 `json:"callbacks"`        // callbacks made, posted functions included
	InterestChanges uint64 `json:"interest_changes"` // changes of the events that the system watches a descriptor for
	TimerfdSets     uint64 `json:"timerfd_sets"`     // times that the kernel's timer was set, on Linux: at most once per park
	Active          int    `json:"active"`           // active watchers
	Pending         int    `json:"pending"`          // callbacks that wait for the pass
}

// Stats returns the loop's counters. It is safe for concurrent use. The counters of
// wake-ups are exact. The others are exact while the loop is parked or not running, and
// may be a few iterations old while it is busy.
func (l *Loop) Stats() Stats {
	l.checkConstructed("Stats")
	c := l.counters
	return Stats{
		Iterations: c.iterations.Load(), Parks: c.parks.Load(),
		FDWrites: c.fdWrites.Load(), DirectWakes: c.directWakes.Load(),
		Collected: c.collected.Load(), Callbacks: c.callbacks.Load(),
		InterestChanges: c.interestChanges.Load(), TimerfdSets: c.timerfdSets.Load(),
		Active: int(c.active.Load()), Pending: int(c.pending.Load()),
	}
}

// counters are read by Stats. They are an allocation of their own: 64-bit atomics must be
// aligned, on 32-bit systems too, and only the first word of an allocation always is.
type counters struct {
	fdWrites        atomic.Uint64 // counted by senders …
	directWakes     atomic.Uint64
	parks           atomic.Uint64 // … and by the goroutine that parks
	iterations      atomic.Uint64 // copied from the loop's own by publish
	collected       atomic.Uint64
	callbacks       atomic.Uint64
	interestChanges atomic.Uint64
	timerfdSets     atomic.Uint64
	active          atomic.Uint32
	pending         atomic.Uint32
}

// publishEvery is how many iterations a busy loop makes between two copies of its
// counters. An atomic store in each iteration would cost more than the callback.
const publishEvery = 16

// publish copies the loop goroutine's counters to counters.
func (l *Loop) publish() {
	c := l.counters
	c.iterations.Store(l.iteration)
	c.collected.Store(l.collected)
	c.callbacks.Store(l.pending.calls)
	if calls := l.files.calls; c.interestChanges.Load() != calls { // a load costs much less
		c.interestChanges.Store(calls)
	}
	if sets := l.poller.timerSets(); c.timerfdSets.Load() != sets {
		c.timerfdSets.Store(sets)
	}
	l.publishWatchers()
}

func (l *Loop) publishWatchers() {
	c := l.counters
	if active := uint32(l.actives()); c.active.Load() != active {
		c.active.Store(active)
	}
	if pending := uint32(l.pending.count - l.looks.waiting()); c.pending.Load() != pending {
		c.pending.Store(pending)
	}
}

// publishIfIdle publishes the counts that a watcher's method has changed outside Run, and wakes
// an exposed loop. Inside Run, the iteration does it.
func (l *Loop) publishIfIdle() {
	if l.depth == 0 {
		l.publishWatchers()
		if l.exposed.Load() != 0 {
			l.wake() // there may be something to do, or another time: see pollfd.go
		}
	}
}
