package ev

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alarmClock is a Periodic or a Scheduler that fires every ten minutes. Tests use it
// for the behaviour that both have.
type alarmClock struct {
	Watcher
	l      *Loop
	start  func()
	at     func() time.Time
	calls  []time.Time // Now in each callback
	ats    []time.Time // At in each callback
	asked  []time.Time // the calls of the Scheduler's function
	called func()
}

const everySoOften = 10 * time.Minute

// onBothAlarmClocks runs the test with each kind, on a loop in a bubble. The loop will
// find that its wall clock was set by off.
func onBothAlarmClocks(t *testing.T, off time.Duration, test func(t *testing.T, a *alarmClock), opts ...Option) {
	t.Helper()
	for _, kind := range []string{"Periodic", "Scheduler"} {
		t.Run(kind, func(t *testing.T) {
			settable(t, off, func(l *Loop) {
				a := &alarmClock{l: l, called: func() {}}
				if kind == "Periodic" {
					p := NewPeriodic(l, 0, everySoOften, func(*Periodic) { a.note() }, opts...)
					a.Watcher, a.start, a.at = p, p.Start, p.At
				} else {
					s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time {
						a.asked = append(a.asked, now)
						return now.Truncate(everySoOften).Add(everySoOften)
					}, func(*Scheduler) { a.note() }, opts...)
					a.Watcher, a.start, a.at = s, s.Start, s.At
				}
				test(t, a)
			})
		})
	}
}

func (a *alarmClock) note() {
	a.calls = append(a.calls, a.l.Now().Round(0))
	a.ats = append(a.ats, a.at())
	a.called()
}

// jump makes the loop look at the clock that was set.
func (a *alarmClock) jump() {
	time.Sleep(wallReread)
	a.l.Update()
}

// same compares moments. Their zones may differ.
func same(t *testing.T, want, got time.Time) {
	t.Helper()
	assert.True(t, want.Equal(got), "want %v, got %v", want, got)
}

func TestAClockSetForwardOverSlotsIsOneCallbackWithCatchUp(t *testing.T) {
	for _, tc := range []struct {
		off       time.Duration
		began     string
		caughtUp  bool
		jumpedTo  string
		nextAfter string
	}{
		{9 * time.Minute, "1999-12-31 23:51", true, "2000-01-01 00:00", "2000-01-01 00:10"},    // onto the slot itself
		{15 * time.Minute, "1999-12-31 23:45", true, "2000-01-01 00:00", "2000-01-01 00:10"},   // over one
		{3 * time.Hour, "1999-12-31 21:00", true, "2000-01-01 00:00", "2000-01-01 00:10"},      // over many
		{24000 * time.Hour, "1997-04-06 00:00", true, "2000-01-01 00:00", "2000-01-01 00:10"},  // over more than are worth a loop
		{-time.Hour, "2000-01-01 01:00", false, "2000-01-01 00:00", "2000-01-01 00:10"},        // back
		{-5 * time.Minute, "2000-01-01 00:05", false, "2000-01-01 00:00", "2000-01-01 00:10"},  // back, no slot between
		{-15 * time.Minute, "2000-01-01 00:15", false, "2000-01-01 00:00", "2000-01-01 00:10"}, // back over one
	} {
		for _, on := range []bool{true, false} {
			t.Run(fmt.Sprint(tc.off, "/", on), func(t *testing.T) {
				onBothAlarmClocks(t, tc.off, func(t *testing.T, a *alarmClock) {
					same(t, moment(tc.began), a.l.Now())
					a.start()
					missed := a.at()
					a.jump()
					jumped := a.l.Now()
					if on && tc.caughtUp {
						same(t, missed, a.at()) // until it is called
					} else {
						same(t, moment(tc.nextAfter), a.at())
					}
					require.NoError(t, a.l.RunNoWait())
					require.NoError(t, a.l.RunNoWait())
					if on && tc.caughtUp {
						require.Len(t, a.calls, 1)
						same(t, jumped, a.calls[0])
						same(t, moment(tc.nextAfter), a.ats[0])
					} else {
						assert.Empty(t, a.calls)
					}
					if a.asked != nil {
						require.Len(t, a.asked, 2, "at Start, and once after the jump, however many slots it was over")
						same(t, jumped, a.asked[1])
					}
					same(t, moment(tc.nextAfter), a.at())
					require.NoError(t, a.l.Verify())

					// After that, there are no traces of the jump.
					a.called = func() { a.Stop() }
					require.NoError(t, a.l.Run(context.Background()))
					same(t, moment(tc.nextAfter), a.calls[len(a.calls)-1])
				}, CatchUp(on))
			})
		}
	}
}

func TestWithoutTheOptionSlotsAreSkipped(t *testing.T) {
	onBothAlarmClocks(t, time.Hour, func(t *testing.T, a *alarmClock) {
		a.start()
		a.jump()
		require.NoError(t, a.l.RunNoWait())
		assert.Empty(t, a.calls)
	})
}

// A loop that finds a jump, after a park or right before one, must make the callback
// before it parks again.
func TestAParkedLoopCatchesUpWithinAMinute(t *testing.T) {
	for _, before := range []time.Duration{0, wallReread} {
		onBothAlarmClocks(t, time.Hour, func(t *testing.T, a *alarmClock) {
			began := time.Now()
			a.start()
			time.Sleep(before)
			a.called = func() { a.Stop() }
			require.NoError(t, a.l.Run(context.Background()))
			assert.Len(t, a.calls, 1)
			assert.LessOrEqual(t, time.Since(began), maxPark)
		}, CatchUp(true))
	}
}

func TestBusyLoopsCatchUpOnceWithBothSettings(t *testing.T) {
	for _, on := range []bool{true, false} {
		onBothAlarmClocks(t, 0, func(t *testing.T, a *alarmClock) {
			a.start()
			time.Sleep(25 * everySoOften / 10) // as a callback or a SIGSTOP does: the monotonic clock goes on
			require.NoError(t, a.l.RunNoWait())
			require.NoError(t, a.l.RunNoWait())
			require.Len(t, a.calls, 1)
			same(t, moment("2000-01-01 00:30"), a.at())
			if a.asked != nil {
				assert.Len(t, a.asked, 2)
			}
		}, CatchUp(on))
	}
}

func TestSlotsInsideASuspensionAreCaughtUpWithOnce(t *testing.T) {
	onBothAlarmClocks(t, 0, func(t *testing.T, a *alarmClock) {
		a.start()
		a.l.Suspend()
		time.Sleep(5 * everySoOften / 2)
		a.l.Resume()
		require.NoError(t, a.l.RunNoWait())
		require.NoError(t, a.l.RunNoWait())
		assert.Len(t, a.calls, 1)
		same(t, moment("2000-01-01 00:30"), a.at())

		a.l.Suspend()
		time.Sleep(time.Minute)
		a.l.Resume()
		require.NoError(t, a.l.RunNoWait())
		assert.Len(t, a.calls, 1, "that contained none")
	}, CatchUp(true))
}

func TestAJumpedOverSlotIsForgottenByStopAndReset(t *testing.T) {
	onBothAlarmClocks(t, time.Hour, func(t *testing.T, a *alarmClock) {
		a.start()
		a.jump()
		a.Stop()
		a.start()
		same(t, moment("2000-01-01 00:10"), a.at())
		require.NoError(t, a.l.RunNoWait())
		assert.Empty(t, a.calls)

		a.l.wall = a.l.wall.Add(-time.Hour) // once more, from where it is now
		a.l.periodics.move(alarmOf(a), a.l.wallNow()+time.Minute)
		a.jump()
		switch w := a.Watcher.(type) {
		case *Periodic:
			w.Reset()
		case *Scheduler:
			w.Reset()
		}
		require.NoError(t, a.l.RunNoWait())
		assert.Empty(t, a.calls)
	}, CatchUp(true))
}

func alarmOf(a *alarmClock) *alarm {
	switch w := a.Watcher.(type) {
	case *Periodic:
		return &w.alarm
	case *Scheduler:
		return &w.alarm
	}
	return nil
}

func TestAClockSetForwardAndBackAgainBeforeTheCallbackShowsTheSlotAgain(t *testing.T) {
	onBothAlarmClocks(t, time.Hour, func(t *testing.T, a *alarmClock) {
		a.start()
		first := a.at()
		a.jump()
		require.True(t, a.l.clock.set(a.l.wall.Add(-time.Hour), a.l.mono))
		a.l.replanPeriodics()
		same(t, first, a.at())
		require.NoError(t, a.l.RunNoWait())
		assert.Empty(t, a.calls)
	}, CatchUp(true))
}

func TestCaughtUpCallbacksComeInTheOrderOfTheirMoments(t *testing.T) {
	settable(t, 24*time.Hour, func(l *Loop) {
		var order []string
		note := func(s string) func(*Periodic) { return func(p *Periodic) { order = append(order, s); p.Stop() } }
		NewPeriodic(l, 3*time.Hour, 24*time.Hour, note("three"), CatchUp(true)).Start()
		NewPeriodic(l, 1*time.Hour, 24*time.Hour, note("one"), CatchUp(true)).Start()
		NewPeriodic(l, time.Duration(l.Now().Add(2*time.Hour).UnixNano()), 0, note("two, a one-shot")).Start()
		NewPeriodic(l, 4*time.Hour, 24*time.Hour, func(*Periodic) { t.Error("skipped") }, Name("skips")).Start()
		time.Sleep(wallReread)
		l.Update()
		require.NoError(t, l.RunNoWait())
		assert.Equal(t, []string{"one", "two, a one-shot", "three"}, order)
	})
}

// A next function that is called to catch up may return anything it may return
// otherwise.
func TestASchedulerThatCatchesUpMayEndOrFail(t *testing.T) {
	for name, tc := range map[string]struct {
		next   func(now time.Time) time.Time
		active bool
	}{
		"ends":     {func(time.Time) time.Time { return time.Time{} }, false},
		"the past": {func(now time.Time) time.Time { return now.Add(-1) }, true},
		"panics":   {func(time.Time) time.Time { panic("boom") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			settable(t, time.Hour, func(l *Loop) {
				reports, calls := 0, 0
				l.onPanic = func(Watcher, any, []byte) { reports++ }
				s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time { return now.Add(time.Minute) },
					func(*Scheduler) { calls++ }, CatchUp(true))
				s.Start()
				s.SetNext(func(_ *Scheduler, now time.Time) time.Time { return tc.next(now) })
				time.Sleep(wallReread)
				l.Update()
				for range 3 {
					require.NoError(t, l.RunNoWait())
				}
				assert.Equal(t, 1, calls)
				assert.Equal(t, tc.active, s.Active())
				assert.Equal(t, name != "ends", reports == 1)
			})
		})
	}
}

func TestTheClockIsSetWhileASchedulerWaitsToAskAgain(t *testing.T) {
	for _, on := range []bool{true, false} {
		settable(t, time.Hour, func(l *Loop) {
			l.onPanic = func(Watcher, any, []byte) {}
			asked, calls := 0, 0
			s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time {
				if asked++; asked == 1 {
					return now.Add(-1)
				}
				return now.Add(time.Minute)
			}, func(s *Scheduler) { calls++; s.Stop() }, CatchUp(on))
			s.Start()
			time.Sleep(wallReread)
			l.Update()
			require.NoError(t, l.RunNoWait())
			assert.Zero(t, calls, "to ask again is no moment to catch up with")
			assert.Equal(t, 2, asked)
			began := time.Now()
			require.NoError(t, l.Run(context.Background()))
			assert.Equal(t, 1, calls)
			assert.Equal(t, time.Minute, time.Since(began))
		})
	}
}

func TestAPeriodicWhoseIntervalBecameZeroIsDueAtOnceWhenJumpedOver(t *testing.T) {
	for _, on := range []bool{true, false} {
		settable(t, time.Hour, func(l *Loop) {
			calls := 0
			p := NewPeriodic(l, 0, 10*time.Minute, func(*Periodic) { calls++ }, CatchUp(on))
			p.Start()
			require.NoError(t, p.SetInterval(0))
			time.Sleep(wallReread)
			l.Update()
			require.NoError(t, l.RunNoWait())
			assert.Equal(t, 1, calls, "the slot waited for was the last")
			assert.False(t, p.Active())
		})
	}
}

func TestCatchUpIsForPeriodicsAndSchedulersOnly(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer l.Close()
	other, err := New()
	require.NoError(t, err)
	defer other.Close()
	for kind, make := range map[string]func(o Option){
		"Timer":   func(o Option) { NewTimer(l, 0, 0, func(*Timer) {}, o) },
		"Async":   func(o Option) { NewAsync(l, func(*Async) {}, o) },
		"Queue":   func(o Option) { NewQueue(l, 0, func(*Queue[int], []int) {}, o) },
		"Idle":    func(o Option) { NewIdle(l, func(*Idle) {}, o) },
		"Prepare": func(o Option) { NewPrepare(l, func(*Prepare) {}, o) },
		"Check":   func(o Option) { NewCheck(l, func(*Check) {}, o) },
		"Cleanup": func(o Option) { NewCleanup(l, func(*Cleanup) {}, o) },
		"IO":      func(o Option) { NewIO(l, 0, Read, func(*IO, Events) {}, o) },
		"Signal":  func(o Option) { NewSignal(l, nil, func(*Signal) {}, o) },
		"Child":   func(o Option) { NewChild(l, 1, func(*Child) {}, o) },
		"Stat":    func(o Option) { NewStat(l, "x", 0, func(*Stat) {}, o) },
		"Embed":   func(o Option) { NewEmbed(l, other, nil, o) },
	} {
		for _, on := range []bool{true, false} {
			assert.PanicsWithValue(t, "ev: New"+kind+": CatchUp is an option of NewPeriodic and NewScheduler", func() { make(CatchUp(on)) })
		}
	}
}
