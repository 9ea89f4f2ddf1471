package ev_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// These tests use spans near the ends of time.Duration. FuzzExtremeSpans has all
// programs of such spans.

// longAgo are spans that wrap when the time passed is subtracted. Among them is
// time.Until of the zero time.
var longAgo = []time.Duration{math.MinInt64, math.MinInt64 + 1, time.Until(time.Time{}), math.MinInt64 + time.Duration(time.Millisecond)}

func TestATimerThatWasDueLongAgoStaysSo(t *testing.T) {
	for _, after := range longAgo {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := 0
			w := ev.NewTimer(l, after, 0, func(*ev.Timer) { fired++ })
			for want := 1; want < 5; want++ {
				w.Start()
				assert.Negative(t, w.Remaining())
				time.Sleep(2 * time.Millisecond)
				nowait(t, l)
				require.Equal(t, want, fired, "due at once, as it was the first time")
				assert.Less(t, w.Remaining(), -time.Hour)
			}
		})
	}
}

func TestATimerThatWasDueLongAgoAndIsStoppedGoesOnSo(t *testing.T) {
	for _, after := range longAgo {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := 0
			w := ev.NewTimer(l, after, time.Hour, func(*ev.Timer) { fired++ })
			w.Start()
			time.Sleep(2 * time.Millisecond)
			l.Update()
			assert.Less(t, w.Remaining(), -time.Hour)
			w.Stop()
			assert.Less(t, w.Remaining(), -time.Hour)
			w.Start()
			l.Suspend()
			l.Resume()
			nowait(t, l)
			assert.Equal(t, 1, fired)
			assert.Equal(t, time.Duration(1), w.Remaining(), "as late as that, the next slot is at once")
			w.Reset()
			assert.Equal(t, time.Hour, w.Remaining())
		})
	}
}

func TestARepeatOfAllTimeIsNeverAgain(t *testing.T) {
	for _, repeat := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := 0
			w := ev.NewTimer(l, 0, repeat, func(*ev.Timer) { fired++ })
			w.Start()
			for range 3 {
				time.Sleep(time.Millisecond)
				nowait(t, l)
				w.Stop()
				w.Start()
			}
			w.Reset()
			l.Suspend()
			time.Sleep(time.Millisecond)
			l.Resume()
			nowait(t, l)
			assert.Equal(t, 1, fired)
			assert.Greater(t, w.Remaining(), repeat-time.Hour)
		})
	}
}

func TestATimeoutIntervalOfAllTimeHoldsTimersBackUntilSomethingElseComes(t *testing.T) {
	for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 1 << 62} {
		inBubble(t, func(t *testing.T, l *ev.Loop) {
			require.NoError(t, l.SetTimeoutInterval(d))
			began := time.Now()
			fired := false
			ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {
				fired = true
				assert.Equal(t, time.Hour, time.Since(began))
			}).Start()
			async := ev.NewAsync(l, func(a *ev.Async) { a.Stop() })
			async.Start()
			time.AfterFunc(time.Hour, async.Send)
			toTheEnd(t, l)
			assert.True(t, fired)
		})
	}
}
