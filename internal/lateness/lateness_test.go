package lateness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestATimerIsLateOnceForEachExpiry(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	w := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	var timers Timers
	due := time.Now()
	for _, at := range []time.Duration{time.Second, 3 * time.Second} {
		timers.Expired(w, due)
		late, ok := timers.Begin(w, due.Add(at))
		assert.True(t, ok)
		assert.Equal(t, at, late)
		_, ok = timers.Begin(w, due.Add(at))
		assert.False(t, ok)
	}
	_, ok := timers.Begin(nil, due)
	assert.False(t, ok, "a Post")
	timers.Expired(w, due)
	timers.Clear()
	_, ok = timers.Begin(w, due)
	assert.False(t, ok, "it was stopped")
}

func TestTimersThatAreStoppedAfterTheyExpiredTakeBoundedMemory(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	var timers Timers
	for range 3 * maxTimers {
		timers.Expired(ev.NewTimer(l, 0, 0, func(*ev.Timer) {}), time.Now())
		require.LessOrEqual(t, len(timers.due), maxTimers)
	}
}
