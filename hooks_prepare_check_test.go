package ev_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTheIterationCounterGrowsBetweenPrepareAndCheck(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var before, after []uint64
		ev.NewPrepare(l, func(*ev.Prepare) { before = append(before, l.Iteration()) }).Start()
		ev.NewCheck(l, func(*ev.Check) { after = append(after, l.Iteration()) }).Start()
		for range 3 {
			nowait(t, l)
		}
		assert.Equal(t, []uint64{0, 1, 2}, before)
		assert.Equal(t, []uint64{1, 2, 3}, after)
	})
}

func TestPrepareAndCheckAlternate(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := j.async(l, "async")
		a.Start()
		j.prepare(l, "prepare")
		j.check(l, "check", ev.Priority(ev.MaxPriority))
		ev.NewTimer(l, 0, time.Millisecond, func(*ev.Timer) { j.note("timer") }).Start()
		var want []string
		for i := range 50 {
			switch i % 3 {
			case 0:
				nowait(t, l)
			case 1:
				once(t, l)
			default:
				a.Send()
				once(t, l)
			}
			got := j.takeAll()
			want = append(want, got[:2]...)
			assert.NotContains(t, got[2:], "prepare")
			assert.NotContains(t, got[2:], "check")
		}
		for i := 0; i < len(want); i += 2 {
			assert.Equal(t, []string{"prepare", "check"}, want[i:i+2])
		}
	})
}

func TestStopInAPrepareSkipsThePoll(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.due(l, "timer")
		j.check(l, "check")
		j.idle(l, "idle")
		p := ev.NewPrepare(l, func(*ev.Prepare) { j.note("prepare"); l.Stop() })
		p.Start()
		j.prepare(l, "other prepare")
		run(t, l)
		assert.Equal(t, []string{"prepare", "other prepare"}, j.takeAll())
		assert.Zero(t, l.Iteration())
		assert.True(t, l.Alive())
		p.Stop()
		nowait(t, l)
		assert.Equal(t, []string{"other prepare", "check", "timer"}, j.takeAll())
	})
}

func TestAfterAStopBeforeTheFirstPollPreparesStillRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := ev.NewAsync(l, func(*ev.Async) { j.note("fed"); l.Stop() })
		a.Feed(ev.Custom)
		j.prepare(l, "prepare")
		j.check(l, "check")
		run(t, l)
		assert.Equal(t, []string{"fed", "prepare"}, j.takeAll())
		assert.Zero(t, l.Iteration())
	})
}

func TestCloseInAPrepareSkipsThePoll(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		ev.NewPrepare(l, func(*ev.Prepare) { j.note("prepare"); assert.NoError(t, l.Close()) }).Start()
		j.prepare(l, "other prepare")
		j.check(l, "check")
		j.cleanup(l, "cleanup")
		assert.ErrorIs(t, receive(t, goRun(l)), ev.ErrClosed)
		assert.Equal(t, []string{"prepare", "cleanup"}, j.takeAll())
		assert.Zero(t, l.Iteration())
	})
}

func TestALowPriorityRunsInTheIterationOfHigherOnes(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.check(l, "check", ev.Priority(ev.MinPriority))
		j.due(l, "timer", ev.Priority(ev.MinPriority))
		j.due(l, "urgent timer", ev.Priority(ev.MaxPriority))
		nowait(t, l)
		assert.Equal(t, []string{"urgent timer", "check", "timer"}, j.takeAll())
	})
}

func TestACheckRunsBeforeEverythingOfItsPriorityOrALowerOne(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a, low := j.async(l, "async"), j.async(l, "low async", ev.Priority(-1))
		q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) { j.note("queue") })
		for _, start := range []func(){a.Start, low.Start, q.Start} {
			start()
		}
		require.NoError(t, q.Send(1))
		require.NoError(t, l.Post(func() { j.note("post") }))
		a.Send()
		low.Send()
		j.due(l, "timer")
		j.due(l, "urgent timer", ev.Priority(ev.MaxPriority))
		j.check(l, "check")
		j.check(l, "urgent check", ev.Priority(ev.MaxPriority))
		j.check(l, "low check", ev.Priority(ev.MinPriority))
		nowait(t, l)
		assert.Equal(t, []string{
			"urgent check", "urgent timer", "check", "queue", "post", "async", "timer", "low async", "low check",
		}, j.takeAll())
	})
}

func TestChecksSeeWhatWasSentAsPending(t *testing.T) { // in libev, an urgent Check finds it sent
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		a.Send()
		calls := 0
		for _, p := range []int{ev.MaxPriority, 1} {
			ev.NewCheck(l, func(*ev.Check) {
				calls++
				assert.False(t, a.Sent())
				assert.True(t, a.Pending())
			}, ev.Priority(p)).Start()
		}
		nowait(t, l)
		assert.Equal(t, 2, calls)
	})
}

func TestASendInAPrepareIsAnsweredInTheSameIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := ev.NewAsync(l, func(w *ev.Async) { j.note("async"); w.Stop() })
		ev.NewPrepare(l, func(w *ev.Prepare) {
			j.note("prepare")
			a.Start()
			a.Send()
			w.Stop()
		}).Start()
		farOff(t, l).Keep(false)
		once(t, l)
		assert.Equal(t, []string{"prepare", "async"}, j.takeAll())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestASendInACheckOrAnIdleIsAnsweredInTheNextIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := j.async(l, "async")
		a.Start()
		ev.NewCheck(l, func(w *ev.Check) { j.note("check"); a.Send(); w.Stop() }).Start()
		nowait(t, l)
		assert.Equal(t, []string{"check"}, j.takeAll())
		once(t, l)
		assert.Equal(t, []string{"async"}, j.takeAll())
		ev.NewIdle(l, func(w *ev.Idle) { j.note("idle"); a.Send(); w.Stop() }).Start()
		once(t, l)
		assert.Equal(t, []string{"idle"}, j.takeAll())
		once(t, l)
		assert.Equal(t, []string{"async"}, j.takeAll())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestWhatAPrepareStartsCountsForThePollThatFollows(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		a := j.async(l, "async")
		ev.NewPrepare(l, func(w *ev.Prepare) {
			j.note("prepare")
			j.prepare(l, "second prepare")
			j.check(l, "check")
			j.idle(l, "idle")
			j.due(l, "timer")
			a.Start()
			a.Send()
			w.Stop()
		}).Start()
		nowait(t, l)
		assert.Equal(t, []string{"prepare", "check", "async", "timer"}, j.takeAll())
		nowait(t, l)
		assert.Equal(t, []string{"second prepare", "check", "idle"}, j.takeAll())
	})
}

func TestAnIdleStartedByAPrepareKeepsThatPollFromParking(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		farOff(t, l)
		ev.NewPrepare(l, func(*ev.Prepare) { j.idle(l, "idle") }).Start()
		once(t, l)
		assert.Equal(t, []string{"idle"}, j.takeAll())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestWhatACheckStartsIsForTheNextIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		ev.NewCheck(l, func(w *ev.Check) {
			j.note("check")
			w.Stop()
			j.check(l, "second check", ev.Priority(ev.MaxPriority))
			j.due(l, "timer", ev.Priority(1))
			j.idle(l, "idle")
		}).Start()
		nowait(t, l)
		assert.Equal(t, []string{"check"}, j.takeAll())
		nowait(t, l)
		assert.Equal(t, []string{"second check", "timer"}, j.takeAll())
		nowait(t, l)
		assert.Equal(t, []string{"second check", "idle"}, j.takeAll())
	})
}

func TestStoppingTheLastWatcherInAPrepareEndsRunAfterThatIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewPrepare(l, func(w *ev.Prepare) { w.Stop() }).Start()
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestAPrepareThatStopsKeepingTheLoopEndsRunAfterThatIteration(t *testing.T) { // as libuv's test unref_in_prepare_cb
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewPrepare(l, func(w *ev.Prepare) { w.Keep(false) }).Start()
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestPrepareAndTimerWithStopsBetween(t *testing.T) { // as libuv's test loop_stop
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var prepared, fired int
		ev.NewPrepare(l, func(w *ev.Prepare) {
			if prepared++; prepared == 10 {
				w.Stop()
			}
		}).Start()
		ev.NewTimer(l, 2*time.Millisecond, 2*time.Millisecond, func(w *ev.Timer) {
			switch fired++; fired {
			case 1:
				l.Stop()
			case 10:
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.True(t, l.Alive())
		assert.Equal(t, 1, fired)
		before := prepared
		nowait(t, l)
		assert.True(t, l.Alive())
		assert.Equal(t, before+1, prepared)
		run(t, l)
		assert.False(t, l.Alive())
		assert.Equal(t, 10, fired)
		assert.Equal(t, 10, prepared)
	})
}

func TestACheckThatHandsOverToATimerAndAPrepare(t *testing.T) { // as libuv's test timer_from_check
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		timer := ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { j.note("timer") })
		timer.Start()
		prepare := ev.NewPrepare(l, func(w *ev.Prepare) { j.note("prepare"); w.Stop() })
		ev.NewCheck(l, func(w *ev.Check) {
			j.note("check")
			timer.Stop()
			assert.NoError(t, timer.Set(5*time.Millisecond, 0))
			timer.Start()
			prepare.Start()
			w.Stop()
		}).Start()
		nowait(t, l) // the timer is not due yet
		run(t, l)
		assert.Equal(t, []string{"check", "prepare", "timer"}, j.takeAll())
	})
}

func TestAPanicInAPrepareLeavesTheOtherPreparesPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		ev.NewPrepare(l, func(w *ev.Prepare) { w.Stop(); panic("prepare") }).Start()
		j.prepare(l, "other prepare")
		j.check(l, "check")
		assert.PanicsWithValue(t, "prepare", func() { l.RunNoWait() })
		assert.Equal(t, 1, l.Pending())
		nowait(t, l)
		assert.Equal(t, []string{"other prepare", "other prepare", "check"}, j.takeAll())
	})
}
