//go:build unix || windows

package ev_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTheIOIntervalLimitsPollsButDelaysNeitherTimersNorSends(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		write(t, b, "x")
		calls := 0
		startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		require.NoError(t, l.SetIOInterval(50*time.Millisecond))
		ticks := 0
		ev.NewTimer(l, 0, 10*time.Millisecond, func(*ev.Timer) { ticks++ }).Start()
		sends := 0
		async := ev.NewAsync(l, func(*ev.Async) { sends++ })
		async.Start()
		var over atomic.Bool
		go func() {
			for !over.Load() {
				async.Send()
				time.Sleep(2 * time.Millisecond)
			}
		}()
		ev.NewTimer(l, 500*time.Millisecond, 0, func(*ev.Timer) { over.Store(true); l.Stop() }).Start()
		run(t, l)
		assert.LessOrEqual(t, calls, 12)
		assert.Positive(t, calls)
		assert.Greater(t, ticks, calls)
		assert.Greater(t, sends, calls)
	})
}

func TestAnIOIntervalOfAllTimeMakesTheLoopLookAtNoDescriptor(t *testing.T) {
	for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - time.Duration(time.Microsecond)} {
		onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
			a, b := socketpair(t)
			reads, sends, ticks := 0, 0, 0
			startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { reads++; drain(t, a) })
			write(t, b, "x")
			l.Update()
			nowait(t, l) // the interval counts from this look at the descriptors
			require.Equal(t, 1, reads)
			write(t, b, "x")
			require.NoError(t, l.SetIOInterval(d))
			async := ev.NewAsync(l, func(*ev.Async) {
				if sends++; sends == 3 {
					l.Stop()
				}
			})
			async.Start()
			ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
				if ticks++; ticks == 10 {
					w.Stop()
				}
				if ticks > 7 {
					async.Send()
				}
			}).Start()
			run(t, l)
			assert.Equal(t, 10, ticks)
			assert.Equal(t, 1, reads)
			require.NoError(t, l.SetIOInterval(0))
			until(t, l, func() bool { return reads == 2 })
		})
	}
}
