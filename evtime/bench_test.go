package evtime_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

func newLoop(t testing.TB) *ev.Loop {
	l, err := ev.New()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func TestATriggerDoesNotAllocate(t *testing.T) {
	if os.Getenv("EV_DEBUG") == "1" {
		t.Skip("EV_DEBUG=1 allocates")
	}
	l := newLoop(t)
	calls := 0
	d := evtime.NewDebounce(l, time.Hour, 2*time.Hour, func(*evtime.Debounce) { calls++ })
	assert.Zero(t, testing.AllocsPerRun(100, d.Trigger))
	r := evtime.NewThrottle(l, 1, func(*evtime.Throttle) { calls++ })
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.Trigger(); r.Flush() }))
	assert.Equal(t, 101, calls)
}

func BenchmarkDebounceTrigger(b *testing.B) {
	d := evtime.NewDebounce(newLoop(b), time.Hour, 2*time.Hour, func(*evtime.Debounce) {})
	for b.Loop() {
		d.Trigger()
	}
}

func BenchmarkThrottleTrigger(b *testing.B) {
	r := evtime.NewThrottle(newLoop(b), time.Hour, func(*evtime.Throttle) {})
	r.Trigger()
	r.Flush()
	for b.Loop() {
		r.Trigger()
	}
}
