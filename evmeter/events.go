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

func (m *Meter) wake(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account(at)
	m.idle = false
}

func (m *Meter) leave(at time.Time) {
	if m.loop.Depth() > 1 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
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
	m.account(at)
	m.idle = true
	m.countTurns(at)
	m.pause(at)
}

func (m *Meter) unpark(at time.Time, woken time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account(at)
	m.idle = false
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
	if len(m.due) > maxDue {
		clear(m.due) // timers that were stopped before they ran
	}
	m.due[w] = due
}

const maxDue = 100_000

func (m *Meter) begin(c ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account(at)
	if due, ok := m.due[c.Watcher]; ok {
		delete(m.due, c.Watcher)
		m.lag.add(at.Sub(due))
		m.history.at(at).lag(at.Sub(due))
	}
	m.running = append(m.running, Call{Source: m.sources.of(c), Began: at})
}

// end finds the call that begin noted, but for one that had begun when measuring
// did.
func (m *Meter) end(_ ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account(at)
	if len(m.running) == 0 {
		return
	}
	call := m.running[len(m.running)-1]
	m.running = m.running[:len(m.running)-1]
	call.Took = at.Sub(call.Began)
	call.Source.add(at, call.Took)
	m.callback.add(call.Took)
	m.history.at(at).callback(call.Took)
	m.rank(call)
}

// Slowest is how many of the slowest calls are kept.
const Slowest = 10

// rank puts the call among the slowest, if it is one of them.
func (m *Meter) rank(c Call) {
	if len(m.slowest) == Slowest && c.Took <= m.slowest[Slowest-1].Took {
		return
	}
	i, _ := slices.BinarySearchFunc(m.slowest, c.Took, func(c Call, took time.Duration) int {
		if c.Took >= took {
			return -1
		}
		return 1
	})
	m.slowest = slices.Insert(m.slowest, i, c)
	m.slowest = m.slowest[:min(len(m.slowest), Slowest)]
}
