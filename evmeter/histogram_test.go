package evmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHistogramCountsUpToAndWithTheBound(t *testing.T) {
	h := newHistogram()
	for i := range h.Bounds() {
		h.add(h.Bound(i))
		h.add(h.Bound(i) + 1) // in the next one
	}
	h.add(-time.Second) // clocks may go backwards; durations do not
	want := make([]uint64, h.Bounds()+1)
	for i := range want {
		want[i] = 2
	}
	want[h.Bounds()] = 1
	assert.Equal(t, want, h.Counts)
	assert.Equal(t, h.Bound(h.Bounds()-1)+1, h.Max)
}

func TestQuantiles(t *testing.T) {
	h := newHistogram()
	assert.Zero(t, h.Quantile(0.5))
	for range 98 {
		h.add(3 * time.Microsecond)
	}
	h.add(time.Hour)
	h.add(time.Millisecond)
	assert.Equal(t, 4*time.Microsecond, h.Quantile(0.5))
	assert.Equal(t, 1024*time.Microsecond, h.Quantile(0.99))
	assert.Equal(t, time.Hour, h.Quantile(1))
}
