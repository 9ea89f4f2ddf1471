package evtime

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWaitsDoubleUpToTheLimit(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		b    Backoff
		want []time.Duration
	}{
		{Backoff{First: s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s}},
		{Backoff{First: s, Max: 8 * s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 8 * s}},
		{Backoff{First: 3 * s, Max: 10 * s}, []time.Duration{3 * s, 6 * s, 10 * s, 10 * s}},
		{Backoff{First: s, Max: s}, []time.Duration{s, s, s}},
		{Backoff{First: 1, Max: 3}, []time.Duration{1, 2, 3, 3}},
		{Backoff{First: math.MaxInt64}, []time.Duration{math.MaxInt64, math.MaxInt64}},
		{Backoff{First: math.MaxInt64 - 1}, []time.Duration{math.MaxInt64 - 1, math.MaxInt64}},
	} {
		require.NoError(t, c.b.check())
		for i, want := range c.want {
			assert.Equal(t, want, c.b.wait(i+1), "%+v after %d failures", c.b, i+1)
		}
	}
}

func TestAWaitWithoutLimitStopsGrowingWhereADurationEnds(t *testing.T) {
	b := Backoff{First: 1}
	assert.Equal(t, time.Duration(1)<<62, b.wait(63))
	assert.Equal(t, time.Duration(math.MaxInt64), b.wait(64))
	assert.Equal(t, time.Duration(math.MaxInt64), b.wait(math.MaxInt))
}

func TestJitterStaysWithinItsPartOfTheWaitAndUsesAllOfIt(t *testing.T) {
	for _, jitter := range []float64{0.25, 0.5, 1} {
		b := Backoff{First: time.Second, Jitter: jitter}
		low := time.Duration((1 - jitter) * float64(4*time.Second))
		part := (4*time.Second - low) / 4
		var quarters [4]int
		for range 1000 {
			w := b.wait(3)
			require.GreaterOrEqual(t, w, low)
			require.LessOrEqual(t, w, 4*time.Second)
			quarters[min((w-low)/part, 3)]++
		}
		// That one stays empty by chance: (3/4)^1000, less than 10^-124.
		assert.NotContains(t, quarters, 0)
	}
}
