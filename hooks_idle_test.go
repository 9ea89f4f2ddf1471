package ev_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

func TestWhileAnIdleIsActiveTheLoopNeverParks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewTimer(l, 10*time.Second, 0, func(*ev.Timer) {}).Start()
		calls := 0
		ev.NewIdle(l, func(*ev.Idle) {
			if calls++; calls == 100 {
				l.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 100, calls)
		assert.EqualValues(t, 100, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestAnIdleThatIsNeverCalledKeepsTheLoopFromParkingToo(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		idle := ev.NewIdle(l, func(*ev.Idle) { assert.Fail(t, "an idle below an active one was called") }, ev.Priority(-1))
		idle.Start()
		idle.Keep(false)
		ev.NewIdle(l, func(w *ev.Idle) {
			if l.Iteration() == 10 {
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestAnIdleWaitsWhileSomethingOfItsPriorityIsPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := ev.NewAsync(l, func(a *ev.Async) { a.Send(); j.note("async") })
		a.Start()
		a.Send()
		j.idle(l, "idle")
		for range 10 {
			nowait(t, l)
		}
		assert.NotContains(t, j, "idle")
		assert.Len(t, j, 10)
	})
}

func TestAnIdleRunsBeforeWhatHasALowerPriority(t *testing.T) { // in libev, asyncs inhibit every idle
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := ev.NewAsync(l, func(a *ev.Async) { a.Send(); j.note("async") }, ev.Priority(-1))
		a.Start()
		a.Send()
		j.idle(l, "idle")
		for range 3 {
			nowait(t, l)
		}
		assert.Equal(t, []string{"idle", "async", "idle", "async", "idle", "async"}, j.takeAll())
	})
}

func TestAnIdleWaitsForIdlesOfHigherPriority(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.idle(l, "0")
		high := j.idle(l, "+1", ev.Priority(1))
		for range 3 {
			nowait(t, l)
		}
		assert.Equal(t, []string{"+1", "+1", "+1"}, j.takeAll())
		high.Stop()
		nowait(t, l)
		assert.Equal(t, []string{"0"}, j.takeAll())
	})
}

func TestPreparesAndChecksDoNotInhibitIdles(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.idle(l, "idle", ev.Priority(ev.MinPriority))
		j.prepare(l, "prepare", ev.Priority(ev.MaxPriority))
		j.check(l, "check", ev.Priority(ev.MaxPriority))
		nowait(t, l)
		assert.Equal(t, []string{"prepare", "check", "idle"}, j.takeAll())
	})
}

func TestAClearedEventDoesNotInhibitIdles(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.idle(l, "idle")
		timers := []*ev.Timer{j.due(l, "a"), j.due(l, "b")}
		l.SetInvoke(func(*ev.Loop) {}) // they stay pending,
		nowait(t, l)
		l.SetInvoke(nil)
		for _, w := range timers {
			w.Clear() // and leave their slots in the queue
		}
		nowait(t, l)
		assert.Equal(t, []string{"idle"}, j.takeAll())
	})
}

func TestIdlesOfFourPrioritiesRunInFourIterations(t *testing.T) { // as libev's test t/05_priority
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		for _, p := range []int{1, 0, -1} {
			ev.NewTimer(l, -time.Second, 0, func(*ev.Timer) { j.note(fmt.Sprint("timer ", p)) }, ev.Priority(p)).Start()
		}
		for _, p := range []int{-1, 0, 1, 10} {
			ev.NewIdle(l, func(w *ev.Idle) {
				j.note(fmt.Sprintf("idle %d in iteration %d", w.Priority(), l.Iteration()))
				w.Stop()
			}, ev.Priority(p)).Start()
		}
		run(t, l)
		assert.Equal(t, []string{
			"idle 2 in iteration 1", "timer 1", "timer 0", "timer -1",
			"idle 1 in iteration 2", "idle 0 in iteration 3", "idle -1 in iteration 4",
		}, j.takeAll())
	})
}

func TestAnIdleDoesNotStarveTimersAndTheirTimeGoesOn(t *testing.T) { // as libuv's test idle_starvation
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var idled, checked, fired int
		var idle *ev.Idle
		var check *ev.Check
		var began time.Time
		timer := ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) {
			fired++
			assert.GreaterOrEqual(t, l.Now().Sub(began), 5*time.Millisecond)
			idle.Stop()
			check.Stop()
		})
		idle = ev.NewIdle(l, func(*ev.Idle) {
			if idled++; idled == 1 { // not earlier: the timer might be due in the first iteration
				began = l.Now()
				timer.Start()
			}
		})
		idle.Start()
		check = ev.NewCheck(l, func(*ev.Check) { checked++ })
		check.Start()
		run(t, l)
		assert.NotZero(t, idled)
		assert.Greater(t, checked, idled)
		assert.Equal(t, 1, fired)
		assert.Zero(t, l.Stats().Parks)
	})
}

// On js and wasip1 nobody preempts the loop.
func TestOtherGoroutinesRunBesideALoopThatNeverParks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewIdle(l, func(*ev.Idle) {}).Start()
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		assert.ErrorIs(t, l.Run(ctx), context.Canceled)
	})
}

func TestAnIdleThatStopsItselfAtItsSixtyFourthCall(t *testing.T) { // as libuv's test run-once
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		ev.NewIdle(l, func(w *ev.Idle) {
			if calls++; calls == 64 {
				w.Stop()
			}
		}).Start()
		for l.Alive() {
			once(t, l)
		}
		assert.Equal(t, 64, calls)
		assert.EqualValues(t, 64, l.Iteration())
	})
}

func TestRunOnceDoesNotHangWhenAnIdleStopsItself(t *testing.T) { // as libuv's test idle_check
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		ev.NewIdle(l, func(w *ev.Idle) { j.note("idle"); w.Stop() }).Start()
		j.check(l, "check")
		once(t, l)
		assert.Equal(t, []string{"check", "idle"}, j.takeAll())
		assert.True(t, l.Alive())
	})
}

func TestAnIdleProcessesLaterWhatACallbackLeftBehind(t *testing.T) { // an idiom of libev's manual
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		later := ev.NewIdle(l, func(w *ev.Idle) { j.note("later"); w.Stop() }, ev.Priority(-1))
		dueNow(l, func(*ev.Timer) {
			j.note("now")
			later.Start()
			j.due(l, "more important")
		})
		run(t, l)
		assert.Equal(t, []string{"now", "more important", "later"}, j.takeAll())
	})
}
