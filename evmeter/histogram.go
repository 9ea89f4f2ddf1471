package evmeter

import (
	"math"
	"math/bits"
	"time"
)

// buckets is how many bounds a Histogram has: from 1 µs to 8.4 s.
const buckets = 24

// Histogram counts durations.
type Histogram struct {
	// Counts has for each of Bounds how many were at most that, and longer than the
	// bound before; the last one counts those beyond all bounds.
	Counts []uint64      `json:"counts"`
	Count  uint64        `json:"count"`
	Sum    time.Duration `json:"sum_ns"`
	Max    time.Duration `json:"max_ns"`
}

func newHistogram() Histogram { return Histogram{Counts: make([]uint64, buckets+1)} }

// Bounds returns 1 µs, 2 µs, 4 µs and so on: one bound less than there are Counts.
// They are the same for every Histogram, the zero value included.
func (h Histogram) Bounds() []time.Duration {
	all := make([]time.Duration, buckets)
	for i := range all {
		all[i] = bound(i)
	}
	return all
}

func bound(i int) time.Duration { return time.Microsecond << i }

func (h *Histogram) add(d time.Duration) {
	d = max(d, 0)
	micros := uint64(max(d-1, 0) / time.Microsecond) // those of exactly a bound are within it
	h.Counts[min(bits.Len64(micros), buckets)]++
	h.Count++
	h.Sum += min(d, math.MaxInt64-h.Sum) // a timer's lag can be centuries: it counts from what it was given
	h.Max = max(h.Max, d)
}

// Quantile returns about the duration that a share q of them, from 0 to 1, do
// not exceed: the bound of its bucket, or the longest of all if that is less.
func (h Histogram) Quantile(q float64) time.Duration {
	if h.Count == 0 {
		return 0
	}
	rank, sum := q*float64(h.Count), uint64(0)
	for i, n := range h.Counts[:len(h.Counts)-1] {
		if sum += n; float64(sum) >= rank {
			return min(bound(i), h.Max)
		}
	}
	return h.Max
}

func (h Histogram) clone() Histogram {
	h.Counts = append([]uint64(nil), h.Counts...)
	return h
}
