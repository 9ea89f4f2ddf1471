package evmeter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistogramCountsUpToAndWithTheBound(t *testing.T) {
	var c counter
	bounds := Histogram{}.FineBounds()
	for _, bound := range bounds {
		c.add(bound)
		c.add(bound + 1) // in the next one
	}
	c.add(-time.Second) // clocks may go backwards; durations do not
	h := c.histogram()
	want := make([]uint64, len(bounds)+1)
	for i := range want {
		want[i] = 2
	}
	want[len(bounds)] = 1
	assert.Equal(t, want, h.Fine)
	assert.Equal(t, bounds[len(bounds)-1]+1, h.Max)
}

func TestFourFineBoundsStandForEachPowerOfTwo(t *testing.T) {
	bounds, powers := Histogram{}.FineBounds(), Histogram{}.Bounds()
	const us = time.Microsecond
	assert.Equal(t, []time.Duration{us, us * 5 / 4, us * 3 / 2, us * 7 / 4, 2 * us, us * 5 / 2}, bounds[:6])
	for i, bound := range powers {
		assert.Equal(t, us<<i, bound)
		assert.Equal(t, bound, bounds[i*parts])
	}
	assert.Equal(t, powers[len(powers)-1], bounds[len(bounds)-1])
}

func TestCountsAndFineHaveTheSameDurations(t *testing.T) {
	var c counter
	for d := time.Duration(1); d < time.Minute; d += d/7 + 1 {
		c.add(d)
		h := c.histogram()
		coarse := 0
		for coarse < buckets && d > h.Bounds()[coarse] {
			coarse++
		}
		c.counts = [fine + 1]uint64{}
		want := make([]uint64, buckets+1)
		want[coarse] = 1
		require.Equal(t, want, h.Counts, d)
	}
}

func TestQuantiles(t *testing.T) {
	var c counter
	assert.Zero(t, c.histogram().Quantile(0.5))
	assert.Zero(t, Histogram{}.Quantile(0.5))
	for range 98 {
		c.add(2400 * time.Nanosecond)
	}
	c.add(time.Hour)
	c.add(time.Millisecond)
	h := c.histogram()
	assert.Equal(t, 2500*time.Nanosecond, h.Quantile(0.5))
	assert.Equal(t, 1024*time.Microsecond, h.Quantile(0.99))
	assert.Equal(t, time.Hour, h.Quantile(1))
}

func TestTheBoundsAreInTheJSON(t *testing.T) {
	var c counter
	c.add(3 * time.Millisecond)
	h := c.histogram()
	data, err := json.Marshal(h)
	require.NoError(t, err)
	var seen struct {
		Counts       []uint64
		FineCounts   []uint64        `json:"fine_counts"`
		Bounds       []time.Duration `json:"bounds_ns"`
		FineBounds   []time.Duration `json:"fine_bounds_ns"`
		Count        uint64
		SumNS, MaxNS time.Duration
	}
	require.NoError(t, json.Unmarshal(data, &seen))
	assert.Equal(t, h.Counts, seen.Counts)
	assert.Equal(t, h.Fine, seen.FineCounts)
	assert.Equal(t, h.Bounds(), seen.Bounds)
	assert.Equal(t, h.FineBounds(), seen.FineBounds)
	var back Histogram
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, h, back)
}
