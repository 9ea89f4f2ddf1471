package main

import (
	"strconv"
	"time"

	"github.com/goevlib/ev"
)

// ledger is all that the server knows about its requests. It belongs to the
// loop: its methods are callbacks or called by one, and so are free of locks.
type ledger struct {
	log     *accessLog
	routes  map[string]*tally
	records uint64
	batches uint64
	failing bool // the log could not be written the last time
	slow    time.Duration
	ticks   int
}

// tally is what is counted of one route.
type tally struct {
	count    uint64
	statuses [6]uint64 // by the first digit
	latency  histogram
}

func newLedger(log *accessLog) *ledger {
	return &ledger{log: log, routes: make(map[string]*tally)}
}

// take gets the records of all requests that were answered since the last batch.
// The busier the server, the more they are: one callback then does for many, and
// one write for many callbacks.
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

// tick is the timer's: no line waits longer than a second. Now and then it stands
// for a disk that is slow, if that is wanted: the loop waits, as it would for a
// real one.
func (l *ledger) tick(*ev.Timer) {
	l.ticks++
	if l.ticks%3 == 0 {
		time.Sleep(l.slow)
	}
	l.flush()
}

// flush complains about the first of a row of failures. The log has kept what it
// could not write, and the next flush tries again.
func (l *ledger) flush() {
	err := l.log.flush()
	if err != nil && !l.failing {
		complain(err)
	}
	l.failing = err != nil
}

// rotate is SIGHUP's.
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

// snapshot copies, since what it returns leaves the loop: nothing in it may be
// shared with the ledger.
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
