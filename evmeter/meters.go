package evmeter

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// shelf has the Meters of the loops that were looked at.
type shelf struct {
	mu     sync.Mutex
	meters map[uint64]*Meter // by the loop's number
	upkeep upkeep
}

var meters = shelf{meters: make(map[uint64]*Meter)}

func (s *shelf) of(l *ev.Loop, now time.Time) *Meter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upkeep.due(now, len(s.meters)) {
		s.forget()
		s.upkeep = upkeep{done: now, left: len(s.meters)}
	}
	m := s.meters[l.ID()]
	if m == nil {
		m = newMeter(l)
		s.meters[l.ID()] = m
	}
	return m
}

// forget drops the Meters of closed loops, which they would keep alive. It requires
// that mu is held.
func (s *shelf) forget() {
	live := make(map[uint64]bool)
	for _, l := range ev.Loops() {
		live[l.ID()] = true
	}
	for id := range s.meters {
		if !live[id] {
			delete(s.meters, id)
		}
	}
}

// upkeep says when to look for closed loops, which takes a walk over all: once in a
// while, and when many loops have come since, so that a walk costs each of them a
// bounded share.
type upkeep struct {
	done time.Time
	left int // Meters that the last walk has left
}

const (
	upkeepEvery = time.Second
	upkeepMin   = 64 // fewer Meters are not worth a walk before it is time
)

func (u upkeep) due(now time.Time, meters int) bool {
	return now.Sub(u.done) >= upkeepEvery || meters >= max(2*u.left, upkeepMin)
}
