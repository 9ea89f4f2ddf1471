package evmeter

import (
	"time"

	"github.com/goevlib/ev"
)

// The functions of the Meter's ev.Observer. They are called on the loop's goroutine.

// observe accounts for the time until an event. The loop is awake at every event.
//
// If the loop was already entering a park when measuring began, neither the beginning nor
// the end of that park is an event. The time until the first event was sleep then.
func (m *Meter) observe(at time.Time) {
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
	m.observe(at)
	m.spend(at)
	m.entered = append(m.entered, len(m.running))
	if n := len(m.running); n > 0 {
		m.running[n-1].modal = true
	}
}

// leave has no entry to remove for a Run that began before measuring did.
func (m *Meter) leave(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.entered); n > 0 {
		m.entered = m.entered[:n-1]
	}
	m.goOn(at)
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

// sleep is called when the loop parks or leaves its outermost Run. It requires that mu is
// held.
func (m *Meter) sleep(at time.Time) {
	m.observe(at)
	m.idle = true
	m.late.Clear()
	m.countIterations(at)
	m.pause(at)
}

func (m *Meter) unpark(at time.Time, woken time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observe(at)
	if woken >= 0 {
		m.wakeup.add(woken)
		m.history.at(at).wakeup(woken)
	}
}

func (m *Meter) countIterations(at time.Time) {
	n := m.loop.Iteration()
	m.history.at(at).Iterations += n - m.iterations
	m.iterations = n
}

// depthEvery is how often pass counts the pending callbacks by priority. The count takes
// some time for each callback.
const depthEvery = 10 * time.Millisecond

func (m *Meter) pass(l *ev.Loop, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observe(at)
	m.countIterations(at)
	m.pause(at) // a loop that is always busy does not park
	if at.Sub(m.sampled) < depthEvery {
		return
	}
	m.sampled = at
	for i := range m.pending {
		m.pending[i].set(l.PendingAt(i + ev.MinPriority))
	}
}

// due can be called once more after pause: a call to an observer may be in progress when
// it is stopped.
func (m *Meter) due(w ev.Watcher, due, _ time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop != nil {
		m.late.Expired(w, due)
	}
}

func (m *Meter) begin(c ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observe(at)
	if late, ok := m.late.Begin(c.Watcher, at); ok {
		m.lag.add(late)
		m.history.at(at).lag(late)
	}
	m.spend(at)
	m.running = append(m.running, call{source: m.sources.of(c, at), began: at, spent: at})
}

// end has no call to remove for a callback that was in progress when measuring resumed:
// resume has dropped it.
func (m *Meter) end(_ ev.Callback, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observe(at)
	if len(m.running) == 0 {
		return
	}
	m.spend(at)
	ended := m.running[len(m.running)-1]
	m.running = m.running[:len(m.running)-1]
	m.goOn(at)
	ended.took = at.Sub(ended.began)
	m.history.lasting(ended, at)
	n := m.history.number(at)
	ended.source.add(at, n, ended.took)
	m.callback.add(ended.took)
	m.history.second(n).callback(ended.took)
	m.rank(ended)
}
