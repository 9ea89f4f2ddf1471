package evmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHistogramCountsUpToAndWithTheBound(t *testing.T) {
	h := newHistogram()
	bounds := h.Bounds()
	for _, bound := range bounds {
		h.add(bound)
		h.add(bound + 1) // in the next one
	}
	h.add(-time.Second) // clocks may go backwards; durations do not
	want := make([]uint64, len(bounds)+1)
	for i := range want {
		want[i] = 2
	}
	want[len(bounds)] = 1
	assert.Equal(t, want, h.Counts)
	assert.Equal(t, bounds[len(bounds)-1]+1, h.Max)
}

func TestQuantiles(t *testing.T) {
	h := newHistogram()
	assert.Zero(t, h.Quantile(0.5))
	assert.Zero(t, Histogram{}.Quantile(0.5))
	assert.Equal(t, h.Bounds(), Histogram{}.Bounds())
	for range 98 {
		h.add(3 * time.Microsecond)
	}
	h.add(time.Hour)
	h.add(time.Millisecond)
	assert.Equal(t, 4*time.Microsecond, h.Quantile(0.5))
	assert.Equal(t, 1024*time.Microsecond, h.Quantile(0.99))
	assert.Equal(t, time.Hour, h.Quantile(1))
}
