// Package evmeter measures live loops: how busy they are, which callbacks take long, how
// late timers run and how long wake-ups take. Package evdebug shows the figures on a page,
// and package evprom exports them to Prometheus. A program can also read them itself.
//
// # Cost
//
// A loop is not measured before the first call of On for it. While it is measured, each of
// its callbacks takes about half a microsecond more. A Meter pauses when it has not been
// read for Linger, and resumes at the next Read. It keeps 20 kB, and 4 kB for each Source that
// has a Detail: at most 200 of them, but for those of slow calls since the last Read.
package evmeter

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/lateness"
)

// Linger is how long a Meter keeps measuring after its last Read.
const Linger = 5 * time.Minute

// On returns the Meter of l, which measures from now on. All callers get the same Meter.
// On is safe for concurrent use. It panics if l is nil.
//
// The Meter keeps its loop in memory: a measured loop that is dropped without Close is not
// collected. After Close, a later call of On for any loop frees the Meter.
func On(l *ev.Loop) *Meter {
	if l == nil {
		panic("evmeter: On: nil loop")
	}
	m := meters.of(l, time.Now())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resume(time.Now())
	return m
}

// Meter measures one loop. Its methods are safe for concurrent use.
type Meter struct {
	loop *ev.Loop

	// Guarded by mu. The loop holds mu for some nanoseconds per event, Read while it
	// copies.
	mu          sync.Mutex
	stop        func()        // stops observing the loop; nil while paused
	asked       time.Time     // the last call of On or Read
	since       time.Time     // when measuring began or resumed
	observed    time.Duration // measured before since
	busy        time.Duration // until accountedTo
	accountedTo time.Time
	idle        bool   // the loop sleeps, or is not in Run
	fresh       bool   // no event was observed since measuring began or resumed
	parks       uint64 // the loop's parks when measuring began or resumed
	iterations  uint64 // the loop's iterations that are counted already
	sources     sources
	running     []call // callbacks in progress, the outermost first
	entered     []int  // for each nested Run: how many callbacks were in progress at its start
	late        lateness.Timers
	slowest     []call // at most SlowestKept, the slowest first
	wakeup      counter
	lag         counter
	callback    counter
	pending     [Levels]Depth
	sampled     time.Time // when pending was updated last
	history     history
}

func newMeter(l *ev.Loop) *Meter {
	m := &Meter{loop: l, accountedTo: time.Now()}
	m.history.epoch = m.accountedTo
	return m
}

// Loop returns the loop that is measured.
func (m *Meter) Loop() *ev.Loop { return m.loop }

// resume notes that the Meter is in use, and starts measuring if it is paused. It must not
// count the time until accountedTo again: a second would be busy for longer than a second.
// resume, pause and account require that mu is held.
func (m *Meter) resume(now time.Time) {
	m.asked = now
	if m.stop != nil {
		return
	}
	if now.Before(m.accountedTo) {
		now = m.accountedTo
	}
	m.since, m.accountedTo = now, now
	stats := m.loop.Stats()
	m.iterations, m.parks = stats.Iterations, stats.Parks
	m.idle, m.fresh = !m.loop.Running() || m.loop.Parked(), true
	m.running, m.entered = nil, nil
	m.stop = m.loop.Observe(&ev.Observer{
		Enter: m.enter, Leave: m.leave,
		Begin: m.begin, End: m.end,
		Pass: m.pass, Due: m.due,
		Park: m.park, Unpark: m.unpark,
	})
}

// pause stops measuring if the Meter was not in use for Linger.
func (m *Meter) pause(now time.Time) {
	if m.stop == nil || now.Sub(m.asked) < Linger {
		return
	}
	m.account(now)
	m.observed += now.Sub(m.since)
	m.stop()
	m.stop, m.late = nil, lateness.Timers{}
}

// account adds the time since accountedTo to the busy time, unless the loop was idle. now
// can be before accountedTo: two goroutines read the clock, and then took mu in the other
// order.
func (m *Meter) account(now time.Time) {
	if m.stop == nil || now.Before(m.accountedTo) {
		return
	}
	if !m.idle {
		m.busy += now.Sub(m.accountedTo)
		m.history.busy(m.accountedTo, now)
	}
	m.accountedTo = now
}
