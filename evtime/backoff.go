package evtime

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Backoff configures the waits and the limit of a [Retry]. Only First is required.
type Backoff struct {
	// First is the wait after the first failure. Each further failure doubles the wait.
	First time.Duration
	// Max is the longest wait. 0 means no limit.
	Max time.Duration
	// Attempts is the number of failed attempts after which the Retry gives up. 0 means no
	// limit.
	Attempts int
	// Jitter is the random part of a wait, from 0 to 1: a wait of w becomes a random time
	// between (1-Jitter)*w and w. Without it, all clients of a server that has failed come
	// back at the same time.
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
	case !(b.Jitter >= 0 && b.Jitter <= 1): // this form refuses NaN too
		return fmt.Errorf("Backoff.Jitter %v is not from 0 to 1", b.Jitter)
	}
	return nil
}

// wait returns how long to wait after this number of failures, which is at least 1.
func (b Backoff) wait(failures int) time.Duration {
	limit := b.Max
	if limit == 0 {
		limit = math.MaxInt64
	}
	w := b.First
	for ; failures > 1 && w < limit; failures-- {
		w += min(w, limit-w) // doubled, without overflow
	}
	return w - time.Duration(b.Jitter*rand.Float64()*float64(w))
}
