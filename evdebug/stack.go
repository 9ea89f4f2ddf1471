package evdebug

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// stackEvery is the least time between two readings of stacks. Reading stacks stops the whole
// process for a moment, so its frequency must not depend on the number of viewers and loops.
const stackEvery = 10 * time.Second

// stacks has the stacks of the loops that were awake at the last reading.
type stacks struct {
	mu    sync.Mutex
	at    time.Time
	texts map[uint64]string // by the loop's ID
}

// of returns the stack of a loop and when it was read. It returns "" if the last reading was before
// the time since, and it is too early for another.
func (s *stacks) of(l *ev.Loop, since time.Time) (text string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= stackEvery {
		s.read(l)
	}
	if !s.at.After(since) {
		return "", time.Time{}
	}
	return s.texts[l.ID()], s.at
}

// read reads the stack of l, and those of all other loops that are awake: they may be requested
// next. It requires that mu is held.
func (s *stacks) read(l *ev.Loop) {
	awake := []*ev.Loop{l}
	for _, other := range ev.Loops() {
		if other != l && other.Running() && !other.Parked() {
			awake = append(awake, other)
		}
	}
	s.texts = make(map[uint64]string, len(awake))
	for i, text := range evmeter.Stacks(awake...) {
		s.texts[awake[i].ID()] = text
	}
	s.at = time.Now()
}
