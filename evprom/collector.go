// Package evprom exports the live loops of a process to Prometheus: what package
// evmeter measures, under conventional names and in base units.
//
//	prometheus.MustRegister(evprom.NewCollector())
//
// # Metrics
//
// Every metric has the label "loop": the loop's name or, if it has none, "loop 7",
// by its number; as in profiles. The first of several loops of one name has it, the
// others are "name 2", "name 3". A loop keeps its label as long as it lives; then
// another may get it, which Prometheus takes for a counter that was reset. Give
// loops names if many come and go: numbers are not used again.
//
//	ev_loop_iterations_total              iterations begun
//	ev_loop_parks_total                   times the loop went to sleep
//	ev_loop_wakeups_total{via}            wake-ups by senders: via "write" to the descriptor, or "direct"
//	ev_loop_requests_collected_total      bursts of sends, posts and signals
//	ev_loop_callbacks_total               callbacks made
//	ev_loop_interest_changes_total              changes of interest in a descriptor that the system was told of
//	ev_loop_timerfd_sets_total            times that the kernel's timer was set
//	ev_loop_watchers_active               active watchers
//	ev_loop_callbacks_pending             callbacks that wait for the pass
//	ev_loop_running                       1 if somebody is in Run
//	ev_loop_parked                        1 if it sleeps there
//
// These go back to when the loop was made. What follows is measured from the first
// scrape on, and costs the loop some time for each callback (see evmeter). It
// pauses while nobody has scraped for evmeter.Linger; the counters then stand still.
//
//	ev_loop_observed_seconds_total        time for which the loop was measured
//	ev_loop_busy_seconds_total            of that, time in Run and not asleep
//	ev_loop_callback_in_progress_seconds  for how long the callback in progress has run: grows when a loop is stuck
//	ev_loop_callback_duration_seconds     histogram: how long callbacks took
//	ev_loop_timer_lag_seconds             histogram: from when a timer was due until its callback began
//	ev_loop_wakeup_latency_seconds        histogram: from the Send that found the loop asleep until it ran
//	ev_callback_calls_total{kind,watcher}    callbacks that have ended
//	ev_callback_seconds_total{kind,watcher}  time spent in them
//
// "kind" is the watcher's type, or "Post", "Call" or "Go"; "watcher" its name or,
// without one, where its function was written ("server.go:88"). Watchers that have
// both in common are counted together.
//
// # Cardinality
//
// A loop makes about a hundred series, most of them buckets, and two for each
// watcher, of which at most MaxWatchers are kept apart: about 300 in all.
package evprom

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// NewCollector returns a collector of all loops that are not closed, those made
// later included. Any goroutine may call it, and scrape. A scrape does not need
// the loops' help: it tells of one that is stuck, too. It keeps loops alive that
// were dropped without Close.
func NewCollector() prometheus.Collector {
	return &collector{loops: make(map[uint64]*labels)}
}

// collector remembers how it has called what: a series must not change its
// meaning between two scrapes.
type collector struct {
	mu    sync.Mutex
	loops map[uint64]*labels // by the loop's number
}

// labels are those of one loop.
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

// sample is what one scrape has read of a loop.
type sample struct {
	evmeter.Reading
	loop     string
	watchers []watcherTotal
}

// read holds the lock from the list of loops to the last reading, so that
// of two scrapes the later one reads later values under the same labels.
func (c *collector) read() (all []sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := ev.Loops()
	c.name(live)
	all = make([]sample, 0, len(live))
	for _, l := range live {
		r := evmeter.On(l).Read()
		r.History = nil // the longest part, which nobody exports
		known := c.loops[l.ID()]
		all = append(all, sample{r, known.loop, known.watchers.totals(r.Sources)})
	}
	return all
}
