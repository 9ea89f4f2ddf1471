package evtime

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Backoff says how a [Retry] goes on after a failure. Only First has to be
// given.
type Backoff struct {
	First    time.Duration // the wait after the first failure; it doubles with each further one
	Max      time.Duration // no wait is longer; 0: no limit
	Attempts int           // give up when so many have failed; 0: no limit
	// Jitter is the part of a wait that is left to chance, from 0 to 1: a wait of
	// w is somewhere between (1-Jitter)*w and w. Without it, clients that a server
	// has lost together come back together.
	Jitter float64
}

func (b Backoff) check() error {
	switch {
	case b.First <= 0:
		return fmt.Errorf("Backoff.First %v is not positive", b.First)
	case b.Max < 0:
		return fmt.Errorf("negative Backoff.Max %v", b.Max)
	case b.Max > 0 && b.Max < b.First:
		return fmt.Errorf("Backoff.Max %v is shorter than First %v", b.Max, b.First)
	case b.Attempts < 0:
		return fmt.Errorf("negative Backoff.Attempts %d", b.Attempts)
	case !(b.Jitter >= 0 && b.Jitter <= 1): // so that NaN is refused
		return fmt.Errorf("Backoff.Jitter %v is not from 0 to 1", b.Jitter)
	}
	return nil
}

// wait returns how long to wait after so many failures in a row, 1 or more.
func (b Backoff) wait(failures int) time.Duration {
	limit := b.Max
	if limit == 0 {
		limit = math.MaxInt64
	}
	w := b.First
	for ; failures > 1 && w < limit; failures-- {
		w += min(w, limit-w) // doubled, and without overflow
	}
	return w - time.Duration(b.Jitter*rand.Float64()*float64(w))
}
