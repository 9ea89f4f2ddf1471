package ev_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Start, Stop, Set.

func TestStartOfAnActiveTimerDoesNotMoveIt(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
	w.Start()
	before := w.Remaining()
	began := l.Now()
	time.Sleep(time.Millisecond)
	l.Update()
	w.Start()
	assert.Equal(t, before-l.Now().Sub(began), w.Remaining())
}

func TestATimerNeverStartedKnowsItsSpans(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, 5*time.Second, 7*time.Second, func(*ev.Timer) {})
	assert.False(t, w.Active())
	assert.Equal(t, 5*time.Second, w.Remaining())
	assert.Equal(t, 7*time.Second, w.Repeat())
	assert.Zero(t, ev.NewTimer(l, 0, 0, func(*ev.Timer) {}).Repeat())
}

func TestRemainingCountsDownWithNow(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, 5*time.Second, 7*time.Second, func(*ev.Timer) {})
	w.Start()
	began := l.Now()
	assert.Equal(t, 5*time.Second, w.Remaining())
	time.Sleep(2 * time.Millisecond)
	assert.Equal(t, 5*time.Second, w.Remaining(), "Now is cached")
	l.Update()
	left := 5*time.Second - l.Now().Sub(began)
	assert.Equal(t, left, w.Remaining())
	w.Stop()
	assert.Equal(t, left, w.Remaining())
	w.Reset()
	assert.Equal(t, 7*time.Second, w.Remaining())
}

func TestAStoppedTimerGoesOnWithTheTimeItHadLeft(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var fired time.Time
		w := ev.NewTimer(l, 10*time.Millisecond, 0, func(*ev.Timer) { fired = l.Now() })
		w.Start()
		time.Sleep(2 * time.Millisecond)
		l.Update()
		w.Stop()
		left := w.Remaining()
		assert.Less(t, left, 10*time.Millisecond)
		time.Sleep(15 * time.Millisecond) // does not count
		l.Update()
		again := l.Now()
		assert.Equal(t, left, w.Remaining())
		w.Start()
		assert.Equal(t, left, w.Remaining())
		run(t, l)
		assert.GreaterOrEqual(t, fired.Sub(again), left)
	})
}

func TestAnExpiredOneShotStartedAgainWithoutSetIsDueAtOnce(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		w := ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired++ })
		w.Start()
		run(t, l)
		assert.LessOrEqual(t, w.Remaining(), time.Duration(0))
		w.Start()
		nowait(t, l)
		assert.Equal(t, 2, fired)
	})
}

func TestSetGivesAnInactiveTimerNewSpans(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {})
	require.NoError(t, w.Set(2*time.Hour, 3*time.Hour))
	assert.Equal(t, 2*time.Hour, w.Remaining())
	assert.Equal(t, 3*time.Hour, w.Repeat())
	w.Start()
	assert.Equal(t, 2*time.Hour, w.Remaining())
	assert.EqualError(t, w.Set(time.Second, 0), "ev: Timer.Set: the timer is active")
	assert.Equal(t, 2*time.Hour, w.Remaining())
	assert.Equal(t, 3*time.Hour, w.Repeat())
}

func TestSetOfAPendingTimerKeepsTheEvent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		var w *ev.Timer
		dueNow(l, func(*ev.Timer) {
			assert.NoError(t, w.Set(time.Hour, 0))
			assert.True(t, w.Pending())
		})
		w = order.due(l, "called")
		nowait(t, l)
		assert.Equal(t, journal{"called"}, order)
		assert.Equal(t, time.Hour, w.Remaining())
	})
}

func TestANegativeRepeatIsRefusedAndChangesNothing(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, time.Second, time.Minute, func(*ev.Timer) {})
	assert.EqualError(t, w.Set(time.Hour, -1), "ev: Timer.Set: negative repeat -1ns")
	assert.EqualError(t, w.SetRepeat(-time.Second), "ev: Timer.SetRepeat: negative repeat -1s")
	assert.Equal(t, time.Second, w.Remaining())
	assert.Equal(t, time.Minute, w.Repeat())
}

// Reset.

func TestResetOfATimerInEveryState(t *testing.T) {
	for name, tc := range map[string]struct {
		repeat          time.Duration
		active, pending bool
		wantActive      bool
		wantRemaining   time.Duration
	}{
		"inactive, one-shot":           {wantRemaining: time.Hour},
		"inactive, repeating":          {repeat: time.Minute, wantActive: true, wantRemaining: time.Minute},
		"active, one-shot":             {active: true, wantRemaining: time.Hour},
		"active, repeating":            {repeat: time.Minute, active: true, wantActive: true, wantRemaining: time.Minute},
		"pending, inactive, one-shot":  {pending: true, wantRemaining: time.Hour},
		"pending, inactive, repeating": {repeat: time.Minute, pending: true, wantActive: true, wantRemaining: time.Minute},
		"pending, active, one-shot":    {active: true, pending: true, wantRemaining: time.Hour},
		"pending, active, repeating": {repeat: time.Minute, active: true, pending: true,
			wantActive: true, wantRemaining: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			w := ev.NewTimer(l, time.Hour, tc.repeat, func(*ev.Timer) { assert.Fail(t, "called") })
			if tc.active {
				w.Start()
			}
			if tc.pending {
				w.Feed(ev.TimerEvent)
			}
			w.Reset()
			assert.Equal(t, tc.wantActive, w.Active())
			assert.False(t, w.Pending())
			assert.Equal(t, tc.wantRemaining, w.Remaining())
			assert.Equal(t, tc.wantActive, l.Alive())
			nowait(t, l)
		})
	}
}

func TestResetOfAnExpiredTimerTakesItsCallbackBack(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var w *ev.Timer
		dueNow(l, func(*ev.Timer) {
			assert.True(t, w.Pending())
			w.Reset()
		})
		w = ev.NewTimer(l, 0, time.Hour, func(*ev.Timer) { assert.Fail(t, "called") })
		w.Start()
		nowait(t, l)
		assert.True(t, w.Active())
		assert.Equal(t, time.Hour, w.Remaining())
	})
}

func TestResetAsAnInactivityTimeout(t *testing.T) { // an idiom of libev's manual
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const timeout = 20 * time.Millisecond
		var last, expired time.Time
		idle := ev.NewTimer(l, 0, timeout, func(w *ev.Timer) { expired = l.Now(); w.Stop() })
		idle.Reset()
		signs := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			last = l.Now()
			idle.Reset()
			if signs++; signs == 5 {
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.GreaterOrEqual(t, expired.Sub(last), timeout)
	})
}

// SetRepeat.

func TestANewRepeatCountsFromTheNextExpiry(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var spans []time.Duration
		last := l.Now()
		w := ev.NewTimer(l, 2*time.Millisecond, time.Hour, func(w *ev.Timer) {
			spans = append(spans, l.Now().Sub(last))
			last = l.Now()
			if len(spans) == 2 {
				w.Stop()
			}
		})
		w.Start()
		before := w.Remaining()
		require.NoError(t, w.SetRepeat(5*time.Millisecond))
		assert.Equal(t, before, w.Remaining(), "the wait in progress stays")
		run(t, l)
		assert.GreaterOrEqual(t, spans[0], 2*time.Millisecond)
		assert.GreaterOrEqual(t, spans[0]+spans[1], 7*time.Millisecond)
	})
}

func TestARepeatSetToZeroInTheCallbackLeavesOneMoreTick(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		w := ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			ticks++
			assert.NoError(t, w.SetRepeat(0))
			assert.Equal(t, ticks == 1, w.Active())
		})
		w.Start()
		run(t, l)
		assert.Equal(t, 2, ticks)
	})
}
