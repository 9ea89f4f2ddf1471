package evmeter

import (
	"math"
	"math/bits"
	"time"
)

// buckets is the number of bounds of a Histogram: from 1 µs to 8.4 s.
const buckets = 24

// Histogram counts durations.
type Histogram struct {
	// Counts[i] is the number of durations up to Bounds()[i] and above the bound before
	// it. The last element counts the durations above all bounds.
	Counts []uint64      `json:"counts"`
	Count  uint64        `json:"count"`
	Sum    time.Duration `json:"sum_ns"`
	Max    time.Duration `json:"max_ns"`
}

func newHistogram() Histogram { return Histogram{Counts: make([]uint64, buckets+1)} }

// Bounds returns 1 µs, 2 µs, 4 µs and so on, one bound fewer than there are Counts. It
// returns the same bounds for every Histogram, the zero value included.
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
	micros := uint64(max(d-1, 0) / time.Microsecond) // a duration equal to a bound belongs to that bound
	h.Counts[min(bits.Len64(micros), buckets)]++
	h.Count++
	h.Sum += min(d, math.MaxInt64-h.Sum) // a timer can be given a due time centuries ago
	h.Max = max(h.Max, d)
}

// Quantile returns an upper bound of the q-quantile, for q from 0 to 1: the bound of its
// bucket, or Max if that is less. It returns 0 if nothing was counted.
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
