package main

import "time"

// backoff is a series of waits that doubles from min to max.
type backoff struct {
	min, max time.Duration
	last     time.Duration
}

func (b *backoff) next() time.Duration {
	b.last = max(b.min, min(2*b.last, b.max))
	return b.last
}

func (b *backoff) reset() { b.last = 0 }
