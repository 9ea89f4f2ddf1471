package ev_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestArmOfATimerInEveryState(t *testing.T) {
	for name, tc := range map[string]struct {
		repeat                   time.Duration
		active, pending, expired bool
	}{
		"inactive, one-shot":           {},
		"inactive, repeating":          {repeat: time.Minute},
		"active, one-shot":             {active: true},
		"active, repeating":            {repeat: time.Minute, active: true},
		"pending, inactive, one-shot":  {pending: true},
		"pending, inactive, repeating": {repeat: time.Minute, pending: true},
		"pending, active, one-shot":    {active: true, pending: true},
		"pending, active, repeating":   {repeat: time.Minute, active: true, pending: true},
		"expired":                      {expired: true},
	} {
		for _, span := range []time.Duration{time.Second, 3 * time.Hour} { // before and after the hour of Start
			t.Run(name+", "+span.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLoop(t, ev.WithBackend(ev.BackendChan))
					calls := 0
					w := ev.NewTimer(l, time.Hour, tc.repeat, func(*ev.Timer) { calls++ })
					if tc.expired {
						require.NoError(t, w.Set(-time.Second, 0))
						w.Start()
						nowait(t, l)
						calls = 0
					}
					if tc.active {
						w.Start()
					}
					if tc.pending {
						w.Feed(ev.TimerEvent)
					}
					w.Arm(span)
					assert.True(t, w.Active())
					assert.False(t, w.Pending())
					assert.True(t, l.Alive())
					assert.Equal(t, span, w.Remaining())
					assert.Equal(t, tc.repeat, w.Repeat())
					assert.Equal(t, 1, l.Active())
					time.Sleep(span - 1)
					nowait(t, l)
					assert.Zero(t, calls)
					time.Sleep(1 * time.Nanosecond)
					nowait(t, l)
					assert.Equal(t, 1, calls)
					assert.Equal(t, tc.repeat > 0, w.Active(), "as after Start")
					if tc.repeat > 0 {
						assert.Equal(t, tc.repeat, w.Remaining())
					}
				})
			})
		}
	}
}

// A callback that has worked for long asks for a timeout, as a C library does. Start would
// count from before the work.
func TestArmCountsFromThePresent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const timeout, work = 20 * time.Millisecond, 15 * time.Millisecond
		var armed, fired time.Time
		w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) { fired = time.Now() })
		dueNow(l, func(*ev.Timer) {
			before := l.Now()
			time.Sleep(work)
			armed = time.Now()
			w.Arm(timeout)
			assert.Equal(t, before, l.Now(), "Now is constant during a pass")
			assert.GreaterOrEqual(t, w.Remaining(), timeout+work, "from Now")
		})
		run(t, l)
		assert.GreaterOrEqual(t, fired.Sub(armed), timeout)
	})
}

func TestArmBeforeRunCountsFromThePresent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		time.Sleep(15 * time.Millisecond) // since New has read the clock
		armed := time.Now()
		w := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
		w.Arm(20 * time.Millisecond)
		run(t, l)
		assert.GreaterOrEqual(t, time.Since(armed), 20*time.Millisecond)
	})
}

func TestArmMovesATimerEarlierAndLater(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		armed := time.Now()
		w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		w.Start()
		w.Arm(time.Millisecond)
		w.Arm(10 * time.Millisecond)
		run(t, l)
		assert.GreaterOrEqual(t, time.Since(armed), 10*time.Millisecond)
		w.Arm(time.Hour)
		w.Arm(0)
		nowait(t, l)
		assert.False(t, w.Active())
	})
}

// In its callback a one-shot is inactive. Arm starts it for the next iteration at the earliest.
func TestArmInTheTimersOwnCallback(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		w := dueNow(l, func(w *ev.Timer) {
			if calls++; calls < 3 {
				w.Arm(0)
			}
		})
		nowait(t, l)
		assert.Equal(t, 1, calls)
		run(t, l)
		assert.Equal(t, 3, calls)
		assert.False(t, w.Active())
	})
}

// The callback of the first takes the second's back, which has expired in the same iteration.
func TestArmTakesTheCallbackOfAnExpiredTimerBack(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var w *ev.Timer
		dueNow(l, func(*ev.Timer) {
			assert.True(t, w.Pending())
			w.Arm(time.Hour)
		})
		w = ev.NewTimer(l, 0, 0, func(*ev.Timer) { assert.Fail(t, "called") })
		w.Start()
		nowait(t, l)
		assert.True(t, w.Active())
		w.Stop()
		run(t, l)
	})
}

// Timers that were armed for one moment run in the order of the calls of Arm.
func TestArmedTimersRunInTheOrderOfArmIfTheyAreDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		var order journal
		timers := map[string]*ev.Timer{}
		for _, name := range []string{"a", "b", "c"} {
			timers[name] = order.due(l, name)
		}
		for _, name := range []string{"c", "a", "b"} {
			timers[name].Arm(time.Second)
		}
		run(t, l)
		assert.Equal(t, journal{"c", "a", "b"}, order)
	})
}

func TestArmOnAClosedLoopHasNoEffect(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		w := ev.NewTimer(l, 0, 0, func(*ev.Timer) { assert.Fail(t, "called") })
		require.NoError(t, l.Close())
		w.Arm(0)
		assert.False(t, w.Active())
	})
}

// A loop that is busy and not interested in the time leaves the clock unread. Then Remaining
// agrees with the time that Now returns.
func TestArmInALoopThatLeavesTheClockUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		w := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
		passes := 0
		ev.NewIdle(l, func(i *ev.Idle) {
			if passes++; passes < 3000 {
				return
			}
			time.Sleep(time.Second)
			w.Arm(time.Hour)
			assert.Equal(t, time.Hour, w.Remaining())
			assert.Zero(t, time.Until(l.Now()))
			i.Stop()
			w.Stop()
		}).Start()
		run(t, l)
	})
}

func TestArmDoesNotAllocate(t *testing.T) {
	skipWithDebug(t)
	l := newLoop(t)
	w := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	w.Arm(time.Hour)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		w.Arm(time.Hour)
		w.Stop()
		w.Arm(time.Minute)
	}))
	w.Stop()
}
