package ev

import (
	"math"
	"time"
)

// Every sum and difference of spans and due times that a user's span is part of
// goes through after or since. Both saturate: a timer of 290 years is far away,
// not overdue, and one that was due 290 years ago stays overdue.

const (
	never   = time.Duration(math.MaxInt64) // a due time that does not come
	longAgo = time.Duration(math.MinInt64) // a due time before all others
)

// after returns t + d, or the nearest of never and longAgo.
func after(t, d time.Duration) time.Duration {
	if sum := t + d; (sum > t) == (d > 0) {
		return sum
	}
	return saturated(d > 0)
}

// since returns t - u, or the nearest of never and longAgo.
func since(t, u time.Duration) time.Duration {
	if diff := t - u; (diff < t) == (u > 0) {
		return diff
	}
	return saturated(u < 0)
}

func saturated(up bool) time.Duration {
	if up {
		return never
	}
	return longAgo
}
