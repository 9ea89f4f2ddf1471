package evdebug

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// stackEvery is how long no other stacks are taken after some were. To take them
// stops the whole process for a moment: it is done once in a while only, however
// often somebody looks, at however many loops.
const stackEvery = 10 * time.Second

// stacks are where the loops were that were awake when stacks were taken last.
type stacks struct {
	mu    sync.Mutex
	at    time.Time
	texts map[uint64]string // by the loop's number
}

// of returns the stack of a loop of which nothing was heard since then, and when it
// was taken. If the last ones are older than that, and no others may be taken yet,
// there is none.
func (s *stacks) of(l *ev.Loop, heard time.Time) (text string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= stackEvery {
		s.take(l)
	}
	if !s.at.After(heard) {
		return "", time.Time{}
	}
	return s.texts[l.ID()], s.at
}

// take takes those of all loops that may be asked for next. It requires that mu is
// held.
func (s *stacks) take(l *ev.Loop) {
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
