package evmeter

import (
	"slices"
	"time"

	"github.com/goevlib/ev"
)

// What the loop tells, on its goroutine.

// depthEvery is how often the pending callbacks are counted by priority: that
// costs a little for each.
const depthEvery = 10 * time.Millisecond

// told accounts for the time until the loop told something, which it does when it
// is awake. Of a park in progress when measuring began it tells neither beginning
// nor end: then the time until now was sleep.
func (m *Meter) told(at time.Time) {
	if m.fresh {
		m.fresh = false
		m.idle = m.idle || m.loop.Stats().Parks > m.parks
	}
	m.account(at)
	m.idle = m.loop.Depth() == 0 // an Invoke outside Run is not counted
}

func (m *Meter) enter(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(at)
	m.entered = append(m.entered, len(m.running))
	if n := len(m.running); n > 0 {
		m.running[n-1].modal = true
	}
}

// leave finds the Run that enter noted, but for one that had begun when measuring
// did.
func (m *Meter) leave(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.entered); n > 0 {
		m.entered = m.entered[:n-1]
	}
	if m.loop.Depth() > 1 {
		return
	}
	m.sleep(at)
}

func (m *Meter) park(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.history.at(at).Parks++
	m.sleep(at)
}

// sleep requires that mu is held.
func (m *Meter) sleep(at time.Time) {
	m.told(at)
	m.idle = true
	clear(m.due) // timers that were stopped after they had expired
	m.countTurns(at)
	m.pause(at)
}

func (m *Meter) unpark(at time.Time, woken time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(at)
	if woken >= 0 {
		m.wakeup.add(woken)
		m.history.at(at).wakeup(woken)
	}
}

func (m *Meter) countTurns(at time.Time) {
	turns := m.loop.Iteration()
	m.history.at(at).Iterations += turns - m.turns
	m.turns = turns
}

func (m *Meter) pass(l *ev.Loop, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(at)
	m.countTurns(at)
	m.pause(at) // a loop that is never idle does not park
	if at.Sub(m.sampled) < depthEvery {
		return
	}
	m.sampled = at
	for i := range m.pending {
		m.pending[i].set(l.PendingAt(i + ev.MinPriority))
	}
}

// expired notes a timer that is to run: how late it is shows when it does.
func (m *Meter) expired(w ev.Watcher, due, _ time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop == nil {
		return
	}
	if len(m.due) >= maxDue {
		clear(m.due)
	}
	m.due[w] = due
}

// maxDue bounds what is remembered of a loop that never parks, where timers that
// have expired are stopped before they are called.
const maxDue = 10_000

func (m *Meter) begin(c ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(at)
	if due, ok := m.due[c.Watcher]; ok {
		delete(m.due, c.Watcher)
		m.lag.add(at.Sub(due))
		m.history.at(at).lag(at.Sub(due))
	}
	m.running = append(m.running, call{source: m.sources.of(c), began: at})
}

// end finds the call that begin noted, but for one that began before measuring
// paused, and went on while that did: resume has dropped it.
func (m *Meter) end(_ ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(at)
	if len(m.running) == 0 {
		return
	}
	ended := m.running[len(m.running)-1]
	m.running = m.running[:len(m.running)-1]
	ended.took = at.Sub(ended.began)
	m.history.lasting(ended, at)
	ended.source.add(at, ended.took)
	m.callback.add(ended.took)
	m.history.at(at).callback(ended.took)
	m.rank(ended)
}

// noteRunning counts the callback in progress as one that is slow, for as long as it
// has taken: it may be the slowest of all, and its end may never come.
func (m *Meter) noteRunning(now time.Time) {
	if n := len(m.running); n > 0 {
		m.history.lasting(m.running[n-1], now)
	}
}

// SlowestKept is how many of the slowest calls a Reading has at most.
const SlowestKept = 10

// rank puts the call among the slowest, if it is one of them.
func (m *Meter) rank(c call) {
	if len(m.slowest) == SlowestKept && c.took <= m.slowest[SlowestKept-1].took {
		return
	}
	i, _ := slices.BinarySearchFunc(m.slowest, c.took, func(c call, took time.Duration) int {
		if c.took >= took {
			return -1
		}
		return 1
	})
	m.slowest = slices.Insert(m.slowest, i, c)
	m.slowest = m.slowest[:min(len(m.slowest), SlowestKept)]
}
