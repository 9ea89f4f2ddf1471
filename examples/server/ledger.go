package main

import (
	"strconv"
	"time"

	"github.com/goevlib/ev"
)

// ledger has the statistics of all requests. It belongs to the loop: its methods are callbacks, or
// are called by callbacks, and need no locks.
type ledger struct {
	log     *accessLog
	routes  map[string]*tally
	records uint64
	batches uint64
	failing bool // the last write of the log failed
	slow    time.Duration
	ticks   int
}

// tally has the statistics of one route.
type tally struct {
	count    uint64
	statuses [6]uint64 // by the first digit
	latency  histogram
}

func newLedger(log *accessLog) *ledger {
	return &ledger{log: log, routes: make(map[string]*tally)}
}

// take is the queue's callback. batch has the records of all requests that were answered since the
// last batch. On a busy server, one callback takes many records, and one write many batches.
func (l *ledger) take(_ *ev.Queue[record], batch []record) {
	for i := range batch {
		l.count(&batch[i])
		l.log.add(&batch[i])
	}
	l.records += uint64(len(batch))
	l.batches++
	if l.log.full() {
		l.flush()
	}
}

func (l *ledger) count(r *record) {
	t := l.routes[r.route]
	if t == nil {
		t = new(tally)
		l.routes[r.route] = t
	}
	t.count++
	t.statuses[r.status/100%len(t.statuses)]++
	t.latency.add(r.took)
}

// tick is the timer's callback: no line waits longer than a second. With -slow, every third tick
// simulates a slow disk: the loop waits, as it would for a real one.
func (l *ledger) tick(*ev.Timer) {
	l.ticks++
	if l.ticks%3 == 0 {
		time.Sleep(l.slow) //evvet:ignore -slow is to block the loop
	}
	l.flush()
}

// flush reports the first of several failures in a row. The log keeps the lines that it could not
// write, and the next flush tries again.
func (l *ledger) flush() {
	err := l.log.flush()
	if err != nil && !l.failing {
		complain(err)
	}
	l.failing = err != nil
}

// rotate is the callback for SIGHUP.
func (l *ledger) rotate(*ev.Signal) {
	if err := l.log.reopen(); err != nil {
		complain(err)
	}
}

// snapshot is the answer to /stats.
type snapshot struct {
	Routes  map[string]routeStats `json:"routes"`
	Records uint64                `json:"records"`
	Batches uint64                `json:"batches"`
	Loop    ev.Stats              `json:"loop"`
}

type routeStats struct {
	Count  uint64            `json:"count"`
	Status map[string]uint64 `json:"status"` // by class: "2xx"
	P50    float64           `json:"p50_ms"`
	P90    float64           `json:"p90_ms"`
	P99    float64           `json:"p99_ms"`
	Max    float64           `json:"max_ms"`
}

// snapshot returns a copy, which another goroutine will use: nothing in it may be shared with the
// ledger.
func (l *ledger) snapshot() snapshot {
	s := snapshot{Routes: make(map[string]routeStats), Records: l.records, Batches: l.batches}
	for route, t := range l.routes {
		s.Routes[route] = t.stats()
	}
	return s
}

func (t *tally) stats() routeStats {
	s := routeStats{
		Count:  t.count,
		Status: make(map[string]uint64),
		P50:    milliseconds(t.latency.quantile(0.50)),
		P90:    milliseconds(t.latency.quantile(0.90)),
		P99:    milliseconds(t.latency.quantile(0.99)),
		Max:    milliseconds(t.latency.max),
	}
	for class, n := range t.statuses {
		if n > 0 {
			s.Status[strconv.Itoa(class)+"xx"] = n
		}
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
