package main

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in buckets whose width grows with the value, so that nanoseconds and
// hours fit into one small array. Each power of two has 32 buckets, so a quantile is right to about
// 3 %.
type histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
}

const (
	stepBits = 5
	steps    = 1 << stepBits // buckets per power of two
	// Below 2*steps a bucket is one nanosecond wide. From there to 1<<63, the end of
	// time.Duration, each power of two has steps buckets.
	buckets = 2*steps + (63-stepBits-1)*steps
)

// bucket returns the index of the bucket for v: its power of two, followed by the next bits.
func bucket(v uint64) int {
	shift := max(0, bits.Len64(v)-stepBits-1)
	return shift*steps + int(v>>shift)
}

// top returns the largest value in the bucket.
func top(bucket int) time.Duration {
	shift := max(0, bucket/steps-1)
	return time.Duration(bucket-shift*steps+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
	h.max = max(h.max, d)
}

func (h *histogram) merge(other *histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// quantile returns the q-quantile; for 0.5, the median. The result is never too small, and at most
// one bucket's width too large. It is 0 if nothing was added.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(1, uint64(math.Ceil(q*float64(h.n))))
	var seen uint64
	for i, count := range h.counts {
		if seen += count; seen >= rank {
			return min(top(i), h.max)
		}
	}
	return h.max
}
