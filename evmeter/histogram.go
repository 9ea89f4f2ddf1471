package evmeter

import (
	"encoding/json"
	"math"
	"math/bits"
	"time"
)

// buckets is the number of bounds of a Histogram: from 1 µs to 8.4 s. Each bucket but the first
// is divided into parts.
const (
	buckets = 24
	parts   = 4
	fine    = 1 + (buckets-1)*parts // the number of bounds of the divided buckets
)

// Histogram counts durations.
type Histogram struct {
	// Counts[i] is the number of durations up to Bounds()[i] and above the bound before
	// it. The last element counts the durations above all bounds.
	Counts []uint64 `json:"counts"`
	// Fine has the same durations in four buckets for each of Counts. Fine[i] is the number of
	// durations up to FineBounds()[i] and above the bound before it.
	Fine  []uint64      `json:"fine_counts"`
	Count uint64        `json:"count"`
	Sum   time.Duration `json:"sum_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Bounds returns 1 µs, 2 µs, 4 µs and so on, one bound fewer than there are Counts. It
// returns the same bounds for every Histogram, the zero value included.
func (h Histogram) Bounds() []time.Duration {
	all := make([]time.Duration, buckets)
	for i := range all {
		all[i] = bound(i * parts)
	}
	return all
}

// FineBounds returns 1 µs, 1.25 µs, 1.5 µs, 1.75 µs, 2 µs, 2.5 µs and so on: four bounds for each
// power of two, and one bound fewer than there are elements in Fine. Every Histogram has the same.
func (h Histogram) FineBounds() []time.Duration {
	all := make([]time.Duration, fine)
	for i := range all {
		all[i] = bound(i)
	}
	return all
}

// bound returns the bound of the divided bucket i.
func bound(i int) time.Duration {
	return (time.Microsecond + time.Microsecond/parts*time.Duration(i%parts)) << (i / parts)
}

// MarshalJSON adds the bounds, as "bounds_ns" and "fine_bounds_ns".
func (h Histogram) MarshalJSON() ([]byte, error) {
	type plain Histogram
	return json.Marshal(struct {
		plain
		Bounds     []time.Duration `json:"bounds_ns"`
		FineBounds []time.Duration `json:"fine_bounds_ns"`
	}{plain(h), h.Bounds(), h.FineBounds()})
}

// Quantile returns an upper bound of the q-quantile, for q from 0 to 1: the bound of its
// bucket in Fine, or Max if that is less. It returns 0 if nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	if h.Count == 0 {
		return 0
	}
	rank, sum := q*float64(h.Count), uint64(0)
	for i, n := range h.Fine[:min(len(h.Fine), fine)] {
		if sum += n; float64(sum) >= rank {
			return min(bound(i), h.Max)
		}
	}
	return h.Max
}

// counter counts the durations of a Histogram. It is one piece of memory, without pointers.
type counter struct {
	counts [fine + 1]uint64
	count  uint64
	sum    time.Duration
	max    time.Duration
}

func (c *counter) add(d time.Duration) {
	d = max(d, 0)
	c.counts[bucketOf(d)]++
	c.count++
	c.sum += min(d, math.MaxInt64-c.sum) // a timer can be given a due time centuries ago
	c.max = max(c.max, d)
}

// bucketOf returns the divided bucket of d. A duration equal to a bound belongs to that bound.
func bucketOf(d time.Duration) int {
	n := uint64(d-1) / uint64(time.Microsecond/parts) // parts of the first bound that are full
	if d == 0 || n < parts {
		return 0
	}
	power := bits.Len64(n) - bits.Len64(parts)
	return min(1+power*parts+int(n>>power)-parts, fine)
}

func (c *counter) histogram() Histogram {
	h := Histogram{Counts: make([]uint64, buckets+1), Fine: append([]uint64(nil), c.counts[:]...),
		Count: c.count, Sum: c.sum, Max: c.max}
	for i, n := range h.Fine {
		h.Counts[(i+parts-1)/parts] += n
	}
	return h
}
