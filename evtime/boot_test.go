package evtime_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// bootLoop makes a loop that can have a BootTimer.
func bootLoop(t *testing.T) *ev.Loop {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a timer that counts suspended time")
	}
	l, err := ev.New()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l
}

func TestABootTimerCallsBackOnceWhenItsSpanHasPassed(t *testing.T) {
	l := bootLoop(t)
	began := time.Now()
	calls := 0
	b := evtime.NewBootTimer(l, func(b *evtime.BootTimer) {
		calls++
		assert.False(t, b.Active())
	})
	require.NoError(t, b.Arm(time.Hour))
	assert.True(t, b.Active())
	assert.Greater(t, b.Remaining(), time.Duration(0))
	assert.LessOrEqual(t, b.Remaining(), time.Hour)
	require.NoError(t, b.Arm(time.Millisecond))
	require.NoError(t, b.Arm(20*time.Millisecond)) // replaces the others
	assert.True(t, b.Active())
	assert.LessOrEqual(t, b.Remaining(), 20*time.Millisecond)
	require.NoError(t, l.Run(t.Context()))
	assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
	assert.Equal(t, 1, calls)
	assert.Zero(t, b.Remaining())
	assert.Zero(t, l.Active())
}

func TestABootTimerCanBeArmedInItsCallback(t *testing.T) {
	l := bootLoop(t)
	calls := 0
	b := evtime.NewBootTimer(l, func(b *evtime.BootTimer) {
		if calls++; calls < 3 {
			assert.NoError(t, b.Arm(0))
		}
	})
	require.NoError(t, b.Arm(-time.Hour))
	require.NoError(t, l.Run(t.Context()))
	assert.Equal(t, 3, calls)
}

// bootTimers returns the descriptors of this process that are timers of CLOCK_BOOTTIME.
func bootTimers(t *testing.T) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fdinfo")
	require.NoError(t, err)
	for _, e := range entries {
		info, _ := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		var clock int
		for line := range strings.Lines(string(info)) {
			if n, _ := fmt.Sscanf(line, "clockid: %d", &clock); n == 1 && clock == 7 { // CLOCK_BOOTTIME
				found = append(found, e.Name())
			}
		}
	}
	return found
}

func TestABootTimerIsATimerOfTheKernelThatCountsSuspendedTime(t *testing.T) {
	l := bootLoop(t)
	b := evtime.NewBootTimer(l, func(*evtime.BootTimer) { assert.Fail(t, "called") })
	assert.Empty(t, bootTimers(t))
	require.NoError(t, b.Arm(time.Hour))
	assert.Len(t, bootTimers(t), 1)
	b.Stop()
	assert.False(t, b.Active())
	assert.Empty(t, bootTimers(t))
	b.Stop()

	require.NoError(t, b.Arm(1<<63-1)) // 292 years, without overflow
	b.Keep(false)
	require.NoError(t, l.Run(t.Context()), "it keeps no Run going")
	require.NoError(t, l.Close())
	assert.Empty(t, bootTimers(t), "closed with the loop")
	assert.ErrorIs(t, b.Arm(0), ev.ErrClosed)
	assert.Empty(t, bootTimers(t))
	assert.False(t, b.Active())
}

func TestABootTimerSaysWhereItIsNotSupported(t *testing.T) {
	l, err := ev.New(ev.WithBackend(ev.BackendChan))
	require.NoError(t, err)
	defer l.Close()
	b := evtime.NewBootTimer(l, func(*evtime.BootTimer) {})
	err = b.Arm(time.Second)
	assert.True(t, errors.Is(err, errors.ErrUnsupported))
	assert.ErrorContains(t, err, "evtime: BootTimer.Arm: ")
	assert.False(t, b.Active())
	b.Stop()
	assert.PanicsWithValue(t, "evtime: NewBootTimer: nil loop", func() { evtime.NewBootTimer(nil, nil) })
	assert.PanicsWithValue(t, "evtime: NewBootTimer: nil callback", func() { evtime.NewBootTimer(l, nil) })
}
