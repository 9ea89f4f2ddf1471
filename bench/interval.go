package main

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// interval is an estimate: the median of the rounds, and the range in which the
// median of very many rounds lies with the report's confidence.
type interval struct{ mid, low, high float64 }

// confidence is that of intervals: 95 %, or the most that so few rounds can
// give. An interval of n rounds at most begins with the least value and ends with
// the largest. Then the median is outside only if all n values are on one side of
// it.
func confidence(rounds int) float64 {
	return min(0.95, 1-math.Pow(2, float64(1-rounds)))
}

// estimate returns the interval of values, one per round. It assumes nothing
// about their distribution.
func estimate(values []float64) interval {
	const roundingError = 1e-9
	values = slices.Clone(values) // NewSample sorts it
	if len(values) == 1 {
		return interval{values[0], values[0], values[0]}
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), confidence(len(values))-roundingError)
	return interval{s.Center, s.Lo, s.Hi}
}

// has reports whether x is in the interval.
func (i interval) has(x float64) bool { return i.low <= x && x <= i.high }

// spread is the larger distance of an end from the median, as " ±3%". It is
// empty below half a percent.
func (i interval) spread() string {
	percent := 100 * max(i.high-i.mid, i.mid-i.low) / math.Abs(i.mid)
	if i.mid == 0 || percent < 0.5 {
		return ""
	}
	return fmt.Sprintf(" ±%.0f%%", percent)
}

// String is the interval's ends, or one number if they look the same.
func (i interval) String() string {
	low, high := number(i.low), number(i.high)
	if low == high {
		return low
	}
	return low + "–" + high
}
