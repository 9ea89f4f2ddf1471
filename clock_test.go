package ev_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestRunNoWaitRefreshesNow(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for began := l.Now(); l.Now().Sub(began) < 2*time.Millisecond; {
			nowait(t, l)
		}
	})
}

func TestNowIsConstantDuringAPass(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var first time.Time
		dueNow(l, func(*ev.Timer) {
			first = l.Now()
			time.Sleep(20 * time.Millisecond)
			assert.Equal(t, first, l.Now())
		})
		dueNow(l, func(*ev.Timer) {
			assert.Equal(t, first, l.Now())
			l.Update()
			assert.GreaterOrEqual(t, l.Now().Sub(first), 20*time.Millisecond)
		})
		run(t, l)
		assert.False(t, first.IsZero())
	})
}

func TestNowFollowsTheWallClock(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		time.Sleep(10 * time.Millisecond)
		before := time.Now().Round(0) // without the monotonic reading
		l.Update()
		after := time.Now().Round(0)
		now := l.Now().Round(0)
		const step = 100 * time.Millisecond // how far ntp may slew or set the clock meanwhile
		assert.False(t, now.Before(before.Add(-step)), "%v is before %v", now, before)
		assert.False(t, now.After(after.Add(step)), "%v is after %v", now, after)
	})
}

func TestANegativeIntervalIsRefusedAndChangesNothing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetTimeoutInterval(30*time.Millisecond))
		assert.EqualError(t, l.SetTimeoutInterval(-1), "ev: Loop.SetTimeoutInterval: negative duration -1ns")
		assert.EqualError(t, l.SetIOInterval(-time.Second), "ev: Loop.SetIOInterval: negative duration -1s")
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) {}).Start()
		began := l.Now()
		run(t, l)
		assert.GreaterOrEqual(t, l.Now().Sub(began), 30*time.Millisecond)
	})
}

func TestATimeoutIntervalMakesTimersRunLateAndTogether(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetTimeoutInterval(40*time.Millisecond))
		began := l.Now()
		calls := 0
		for _, after := range []time.Duration{20, 1, 10} {
			ev.NewTimer(l, after*time.Millisecond, 0, func(*ev.Timer) {
				calls++
				assert.EqualValues(t, 1, l.Iteration())
				assert.GreaterOrEqual(t, l.Now().Sub(began), 40*time.Millisecond)
			}).Start()
		}
		run(t, l)
		assert.Equal(t, 3, calls)
	})
}

func TestATimeoutIntervalDoesNotDelayASend(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetTimeoutInterval(time.Hour))
		a := ev.NewAsync(l, func(*ev.Async) { l.Stop() })
		a.Start()
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) {}).Start()
		ended := goRun(l)
		untilParked(t, l, 0)
		a.Send()
		assert.NoError(t, receive(t, ended))
	})
}

func TestAnIOIntervalDelaysNeitherASendNorATimer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetIOInterval(time.Hour))
		a := ev.NewAsync(l, func(a *ev.Async) {
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
		})
		a.Start()
		ended := goRun(l)
		untilParked(t, l, 0)
		a.Send()
		assert.NoError(t, receive(t, ended))
	})
}

func TestSuspendedTimeDoesNotCountForTimers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var fired time.Time
		w := ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) { fired = l.Now() })
		w.Start()
		l.Suspend()
		remaining := w.Remaining()
		time.Sleep(30 * time.Millisecond)
		l.Resume()
		resumed := l.Now()
		assert.Equal(t, remaining, w.Remaining())
		run(t, l)
		assert.GreaterOrEqual(t, fired.Sub(resumed), remaining)
	})
}

func TestSuspendAndResumeKeepTheOrderOfTimers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			order.due(l, name)
		}
		l.Suspend()
		l.Resume()
		assert.NoError(t, l.Verify())
		run(t, l)
		assert.Equal(t, journal{"a", "b", "c", "d", "e", "f"}, order)
	})
}
