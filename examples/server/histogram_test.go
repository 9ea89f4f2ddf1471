package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuantilesAgreeWithASortedSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"constant":    func() time.Duration { return 1234567 },
		"tiny":        func() time.Duration { return time.Duration(rng.IntN(70)) },
		"uniform":     func() time.Duration { return time.Duration(rng.Int64N(int64(time.Second))) },
		"exponential": func() time.Duration { return time.Duration(rng.ExpFloat64() * float64(time.Millisecond)) },
		"any size":    func() time.Duration { return time.Duration(math.MaxInt64 >> rng.IntN(63)) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 10, 1000, 20000} {
				var h histogram
				values := make([]time.Duration, n)
				for i := range values {
					values[i] = draw()
					h.add(values[i])
				}
				slices.Sort(values)
				for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
					exact := values[max(1, int(math.Ceil(q*float64(n))))-1]
					got := h.quantile(q)
					assert.GreaterOrEqual(t, got, exact, "n=%d q=%v", n, q)
					assert.LessOrEqual(t, got-exact, exact/steps, "n=%d q=%v", n, q)
				}
				assert.Equal(t, values[n-1], h.max)
				assert.Equal(t, h.max, h.quantile(1))
			}
		})
	}
}

func TestBucketsFollowEachOtherWithoutAGap(t *testing.T) {
	for b := range buckets {
		first := time.Duration(0)
		if b > 0 {
			first = top(b-1) + 1
		}
		require.Equal(t, b, bucket(uint64(first)))
		require.Equal(t, b, bucket(uint64(top(b))))
	}
	assert.Equal(t, time.Duration(math.MaxInt64), top(buckets-1))
}

func TestMergedHistogramIsThatOfAllValues(t *testing.T) {
	var a, b, all histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		all.add(d)
		if i%3 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.merge(&b)
	assert.Equal(t, all, a)
}

func TestHistogramOfNothing(t *testing.T) {
	var h histogram
	assert.Zero(t, h.quantile(0.99))
	h.add(-time.Second)
	assert.Zero(t, h.quantile(0.99))
	assert.EqualValues(t, 1, h.n)
}
