package evmeter

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// registry has the Meters of the loops that were measured.
type registry struct {
	mu     sync.Mutex
	meters map[uint64]*Meter // by the loop's ID
	sweep  sweep
}

var meters = registry{meters: make(map[uint64]*Meter)}

func (r *registry) of(l *ev.Loop, now time.Time) *Meter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sweep.due(now, len(r.meters)) {
		r.dropClosed()
		r.sweep = sweep{done: now, left: len(r.meters)}
	}
	m := r.meters[l.ID()]
	if m == nil {
		m = newMeter(l)
		r.meters[l.ID()] = m
	}
	return m
}

// dropClosed drops the Meters of closed loops, which would keep those loops in memory. It
// requires that mu is held.
func (r *registry) dropClosed() {
	live := make(map[uint64]bool)
	for _, l := range ev.Loops() {
		live[l.ID()] = true
	}
	for id := range r.meters {
		if !live[id] {
			delete(r.meters, id)
		}
	}
}

// sweep decides when the registry looks for closed loops. The search goes through all
// loops. It is made once per sweepEvery, and when the number of Meters has doubled, so that
// its cost per loop is bounded.
type sweep struct {
	done time.Time
	left int // Meters that were left by the last sweep
}

const (
	sweepEvery = time.Second
	sweepMin   = 64 // fewer Meters wait for sweepEvery
)

func (s sweep) due(now time.Time, meters int) bool {
	return now.Sub(s.done) >= sweepEvery || meters >= max(2*s.left, sweepMin)
}
