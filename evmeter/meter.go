// Package evmeter measures live loops: how busy they are, which callbacks take
// how long, how late timers run and wake-ups arrive. It is what the page of
// evdebug shows and the collector of evprom exports, and it can be used by itself.
//
// Nothing is measured, and nothing paid, until somebody asks for a loop's Meter.
// While it measures, a callback takes about half a microsecond more.
// It stops by itself when nobody has read it for Linger, and goes on at the next
// Read.
package evmeter

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// Linger is for how long a Meter goes on that nobody reads.
const Linger = 5 * time.Minute

// On returns the Meter of l, which measures from now on; all callers share it.
// A measured loop that is dropped without Close is not collected: its Meter keeps
// it. After Close the Meter is let go at a later On, of whatever loop. Any goroutine
// may call On. It panics when l is nil.
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

// Meter measures one loop. Any goroutine may call its methods.
type Meter struct {
	loop *ev.Loop

	// Guarded by mu. The loop holds it for some nanoseconds per event, Read while
	// it copies.
	mu       sync.Mutex
	stop     func()        // nil while nothing is measured
	asked    time.Time     // when somebody read it last
	since    time.Time     // when it began, or went on, to measure
	observed time.Duration // what it measured before since
	busy     time.Duration // until mark
	mark     time.Time
	idle     bool   // the loop sleeps, or nobody runs it
	fresh    bool   // the loop has told nothing yet
	parks    uint64 // how many there were when measuring began
	turns    uint64
	sources  sources
	running  []call                   // callbacks in progress, the outermost first
	entered  []int                    // how many of them were when each of the nested Runs began
	due      map[ev.Watcher]time.Time // timers that have expired and were not called
	slowest  []call
	wakeup   Histogram
	lag      Histogram
	callback Histogram
	pending  [Levels]Depth
	sampled  time.Time // when pending was looked at last
	history  history
}

func newMeter(l *ev.Loop) *Meter {
	m := &Meter{loop: l, wakeup: newHistogram(), lag: newHistogram(), callback: newHistogram(), mark: time.Now()}
	m.history.epoch = m.mark
	return m
}

// Loop returns the loop that is measured.
func (m *Meter) Loop() *ev.Loop { return m.loop }

// resume notes that somebody asked, and has the Meter measure. It requires that
// mu is held, as what follows does. The time until mark is accounted for already:
// to count it again would make a second busy for longer than a second.
func (m *Meter) resume(now time.Time) {
	m.asked = now
	if m.stop != nil {
		return
	}
	if now.Before(m.mark) {
		now = m.mark
	}
	m.since, m.mark = now, now
	stats := m.loop.Stats()
	m.turns, m.parks = stats.Iterations, stats.Parks
	m.idle, m.fresh = !m.loop.Running() || m.loop.Parked(), true
	m.running, m.entered, m.due = nil, nil, make(map[ev.Watcher]time.Time)
	m.stop = m.loop.Observe(&ev.Observer{
		Enter: m.enter, Leave: m.leave,
		Begin: m.begin, End: m.end,
		Pass: m.pass, Due: m.expired,
		Park: m.park, Unpark: m.unpark,
	})
}

// pause ends measuring that nobody has asked about for long.
func (m *Meter) pause(now time.Time) {
	if m.stop == nil || now.Sub(m.asked) < Linger {
		return
	}
	m.account(now)
	m.observed += now.Sub(m.since)
	m.stop()
	m.stop, m.due = nil, nil
}

// account counts the time since mark as busy, if it was.
func (m *Meter) account(now time.Time) {
	// Or two goroutines read the clock, and the later one came first.
	if m.stop == nil || now.Before(m.mark) {
		return
	}
	if !m.idle {
		m.busy += now.Sub(m.mark)
		m.history.busy(m.mark, now)
	}
	m.mark = now
}
