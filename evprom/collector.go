// Package evprom exports the live loops of a process to Prometheus. It exports the figures of
// package evmeter under conventional names and in base units.
//
//	prometheus.MustRegister(evprom.NewCollector())
//
// # Metrics
//
// Every metric has the label "loop". Its value is the loop's name, or "loop 7" with the loop's ID
// if it has no name, as in profiles. If several loops have the same name, the first has it as its
// label, and the others have "name 2", "name 3". A loop keeps its label as long as it lives. After
// that another loop may get the label; Prometheus treats this as a reset of its counters. Give
// loops names if many come and go: IDs are not used again.
//
//	ev_loop_iterations_total              iterations begun
//	ev_loop_parks_total                   times that the loop went to sleep
//	ev_loop_wakeups_total{via}            wake-ups by senders: via "write" to the descriptor, or "direct"
//	ev_loop_requests_collected_total      bursts of sends, posts and signals
//	ev_loop_callbacks_total               callbacks made
//	ev_loop_interest_changes_total        changes of interest in descriptors, passed to the kernel
//	ev_loop_timerfd_sets_total            times that the kernel's timer was set
//	ev_loop_watchers_active               active watchers
//	ev_loop_callbacks_pending             pending callbacks
//	ev_loop_running                       1 if a goroutine is in Run
//	ev_loop_parked                        1 if the loop sleeps in Run
//
// These count from the creation of the loop. The following metrics are measured from the first
// scrape on, which costs the loop some time for each callback (see evmeter). Measuring pauses if
// there is no scrape for evmeter.Linger. The counters then stand still.
//
//	ev_loop_observed_seconds_total        time for which the loop was measured
//	ev_loop_busy_seconds_total            of that, time in Run and not asleep
//	ev_loop_callback_in_progress_seconds  how long the callback in progress has run: grows when a loop is stuck
//	ev_loop_callback_duration_seconds     histogram: durations of callbacks
//	ev_loop_timer_lag_seconds             histogram: from when a timer was due until its callback began
//	ev_loop_wakeup_latency_seconds        histogram: from the Send that found the loop asleep until it ran
//	ev_callback_calls_total{kind,watcher}    callbacks that have ended
//	ev_callback_seconds_total{kind,watcher}  time spent in them
//
// "kind" is the watcher's type, or "Post", "Call" or "Go". "watcher" is the watcher's name, or the
// position of its function ("server.go:88") if it has no name. Watchers with the same kind and
// watcher labels are counted together.
//
// # Cardinality
//
// A loop has about a hundred series, most of them buckets, and two for each watcher. At most
// MaxWatchers watchers are kept apart, so that a loop has about 300 series at most.
package evprom

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// NewCollector returns a collector of all loops that are not closed, including loops that are made
// later. NewCollector and the collector are safe for concurrent use. A scrape does not wait for
// the loops: it reports a loop that is stuck, too. A loop that was scraped and then dropped
// without Close is not collected as garbage.
func NewCollector() prometheus.Collector {
	return &collector{loops: make(map[uint64]*labels)}
}

// collector remembers the labels of the loops and watchers: a series must not change its meaning
// between two scrapes.
type collector struct {
	mu    sync.Mutex
	loops map[uint64]*labels // by the loop's ID
}

// labels has the labels of one loop.
type labels struct {
	loop     string
	watchers watchers
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics {
		out <- m.desc
	}
	for _, h := range histograms {
		out <- h.desc
	}
	out <- callbackCalls
	out <- callbackTime
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.read() {
		s.send(out)
	}
}

// sample has the figures of one loop in one scrape.
type sample struct {
	evmeter.Reading
	loop     string
	watchers []watcherTotal
}

// read holds the lock from the list of loops to the last reading. Of two concurrent scrapes, one
// then has later values for all series than the other.
func (c *collector) read() (all []sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := ev.Loops()
	c.name(live)
	all = make([]sample, 0, len(live))
	for _, l := range live {
		r := evmeter.On(l).Read()
		r.History = nil // the largest part, which is not exported
		known := c.loops[l.ID()]
		all = append(all, sample{r, known.loop, known.watchers.totals(r.Sources)})
	}
	return all
}
