package ev_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// The hooks that note their names.

func (j *journal) idle(l *ev.Loop, name string, opts ...ev.Option) *ev.Idle {
	w := ev.NewIdle(l, func(w *ev.Idle) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) prepare(l *ev.Loop, name string, opts ...ev.Option) *ev.Prepare {
	w := ev.NewPrepare(l, func(w *ev.Prepare) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) check(l *ev.Loop, name string, opts ...ev.Option) *ev.Check {
	w := ev.NewCheck(l, func(w *ev.Check) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) cleanup(l *ev.Loop, name string, opts ...ev.Option) *ev.Cleanup {
	w := ev.NewCleanup(l, func(w *ev.Cleanup) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) takeAll() []string {
	all := *j
	*j = nil
	return all
}

// What the four have in common.

func TestHooksAreCalledWithTheirEvent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []ev.Events
		ev.NewPrepare(l, func(w *ev.Prepare) { got = append(got, w.Events()) }).Start()
		ev.NewCheck(l, func(w *ev.Check) { got = append(got, w.Events()) }, ev.Priority(ev.MaxPriority)).Start()
		ev.NewIdle(l, func(w *ev.Idle) { got = append(got, w.Events()) }).Start()
		ev.NewCleanup(l, func(w *ev.Cleanup) { got = append(got, w.Events()) }).Start()
		nowait(t, l)
		require.NoError(t, l.Close())
		assert.Equal(t, []ev.Events{ev.PrepareEvent, ev.CheckEvent, ev.IdleEvent, ev.CleanupEvent}, got)
	})
}

func TestHooksOfAPriorityRunInTheOrderOfTheirStarts(t *testing.T) { // libev's is the reverse
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		for i := range 3 {
			j.prepare(l, fmt.Sprint("p", i))
			j.check(l, fmt.Sprint("c", i), ev.Priority(1))
			j.idle(l, fmt.Sprint("i", i))
		}
		j.prepare(l, "urgent p", ev.Priority(1))
		j.check(l, "urgent c", ev.Priority(2))
		nowait(t, l)
		assert.Equal(t, []string{
			"urgent p", "p0", "p1", "p2",
			"urgent c", "c0", "c1", "c2",
			"i0", "i1", "i2",
		}, j.takeAll())
	})
}

func TestAHookStoppedAndStartedAgainIsTheLast(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		p := j.prepare(l, "p0")
		j.prepare(l, "p1")
		c := j.check(l, "c0")
		j.check(l, "c1")
		for range 2 {
			p.Stop()
			p.Start()
			p.Start() // no effect
			c.Stop()
			c.Start()
		}
		nowait(t, l)
		assert.Equal(t, []string{"p1", "p0", "c1", "c0"}, j.takeAll())
	})
}

func TestOneWholeIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		// In an order that is not the expected one.
		j.idle(l, "idle")
		ev.NewTimer(l, -time.Second, 0, func(*ev.Timer) { j.note("timer due later") }).Start()
		ev.NewTimer(l, -time.Minute, 0, func(*ev.Timer) { j.note("timer due earlier") }).Start()
		a := j.async(l, "async")
		a.Start()
		j.check(l, "check")
		j.check(l, "check of a lower priority", ev.Priority(-1))
		j.due(l, "timer of a lower priority", ev.Priority(-1))
		j.prepare(l, "prepare")
		a.Send()
		nowait(t, l)
		assert.Equal(t, []string{
			"prepare",
			"check", "async", "timer due earlier", "timer due later",
			"check of a lower priority", "timer of a lower priority",
		}, j.takeAll(), "the idle waits for an iteration without events")
		nowait(t, l)
		assert.Equal(t, []string{"prepare", "check", "idle", "check of a lower priority"}, j.takeAll())
	})
}

func TestStoppingAHookAndItsNeighbourInTheFirstOneCalled(t *testing.T) { // as libuv's test queue_foreach_delete
	type hook interface {
		ev.Watcher
		Start()
	}
	kinds := map[string]func(l *ev.Loop, fn func()) hook{
		"Idle":    func(l *ev.Loop, fn func()) hook { return ev.NewIdle(l, func(*ev.Idle) { fn() }) },
		"Prepare": func(l *ev.Loop, fn func()) hook { return ev.NewPrepare(l, func(*ev.Prepare) { fn() }) },
		"Check":   func(l *ev.Loop, fn func()) hook { return ev.NewCheck(l, func(*ev.Check) { fn() }) },
		"Cleanup": func(l *ev.Loop, fn func()) hook { return ev.NewCleanup(l, func(*ev.Cleanup) { fn() }) },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				var (
					calls [3]int
					w     [3]hook
				)
				for i := range w {
					w[i] = kind(l, func() {
						calls[i]++
						w[i].Stop()
						if i == 0 {
							w[1].Stop()
						}
					})
				}
				for i := range w {
					w[i].Start()
				}
				nowait(t, l)
				require.NoError(t, l.Close())
				assert.Equal(t, [3]int{1, 0, 1}, calls)
			})
		})
	}
}

func TestAHookThatDoesNotKeepTheLoopIsNotWaitedFor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		for _, w := range []ev.Watcher{
			j.prepare(l, "prepare"), j.check(l, "check"), j.idle(l, "idle"),
		} {
			w.Keep(false)
		}
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Equal(t, []string{"prepare", "check", "idle"}, j.takeAll())
		assert.Equal(t, 3, l.Active())
	})
}

func TestAFedHookIsForgottenWhenStoppedOrCleared(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		i, p := j.idle(l, "idle"), j.prepare(l, "prepare")
		c := ev.NewCheck(l, func(*ev.Check) { j.note("check") })
		i.Feed(ev.Custom)
		i.Stop()
		p.Feed(ev.Custom)
		assert.Equal(t, ev.Custom, p.Clear())
		c.Feed(ev.Custom)
		assert.Equal(t, ev.Custom, c.Clear())
		nowait(t, l)
		assert.Equal(t, []string{"prepare"}, j.takeAll())
	})
}

func TestACheckFedBeforeItsTurnIsCalledOnceAndFirst(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var (
			j   journal
			got ev.Events
		)
		a := j.async(l, "async")
		a.Start()
		a.Send()
		c := ev.NewCheck(l, func(w *ev.Check) { j.note("check"); got = w.Events() })
		c.Start()
		// What is fed waits, for its place in the poll's pass.
		l.SetInvoke(func(*ev.Loop) {})
		c.Feed(ev.Custom)
		nowait(t, l)
		l.SetInvoke(nil)
		l.Invoke()
		assert.Equal(t, []string{"check", "async"}, j.takeAll())
		assert.Equal(t, ev.CheckEvent|ev.Custom, got)
	})
}

func TestALoopThatEndsThoughHooksStartEachOther(t *testing.T) { // as libuv's test loop-handles
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const iterations = 21
		var n, second, checked, idled, started, ended int
		prepare2 := ev.NewPrepare(l, func(w *ev.Prepare) {
			assert.Equal(t, 0, n%2, "prepare 2 ran in the iteration that started it")
			second++
			w.Stop()
		}, ev.Priority(-1))
		idle2 := ev.NewIdle(l, func(w *ev.Idle) { ended++; w.Stop() })
		var idles [7]*ev.Idle
		for i := range idles {
			idles[i] = ev.NewIdle(l, func(w *ev.Idle) {
				if idled++; idled%5 == 0 {
					w.Stop()
					if !idle2.Active() {
						started++
						idle2.Start()
					}
				}
			})
		}
		prepare1 := ev.NewPrepare(l, func(*ev.Prepare) {
			if n%2 == 0 {
				prepare2.Start()
			}
			n++
		})
		prepare1.Start()
		timer := ev.NewTimer(l, 0, time.Millisecond, func(*ev.Timer) {}) // ends the parks, while no idle is active
		timer.Keep(false)
		timer.Start()
		ev.NewCheck(l, func(w *ev.Check) {
			if checked++; n < iterations {
				for i := range 1 + n%7 {
					idles[i].Start()
				}
				return
			}
			if idle2.Active() {
				ended++
			}
			for _, other := range []ev.Watcher{prepare1, prepare2, w, idle2} {
				other.Stop()
			}
			for _, idle := range idles {
				idle.Stop()
			}
		}, ev.Priority(ev.MaxPriority)).Start()
		run(t, l)
		assert.Equal(t, iterations, n)
		assert.Equal(t, 10, second)
		assert.Equal(t, iterations, checked)
		assert.Equal(t, started, ended)
		assert.NotZero(t, started)
		timer.Stop()
		assert.Zero(t, l.Active())
	})
}

// Idle.

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

func TestAnIdleRunsBeforeWhatHasALowerPriority(t *testing.T) { // libev's asyncs inhibit every idle
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
		l.SetInvoke(func(*ev.Loop) {}) // they stay pending …
		nowait(t, l)
		l.SetInvoke(nil)
		for _, w := range timers {
			w.Clear() // … and leave their slots behind
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
			if idled++; idled == 1 { // not before: the timer might be due in the first iteration
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

func TestAnIdleProcessesLaterWhatACallbackLeftBehind(t *testing.T) { // libev's idiom
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

// Prepare and Check.

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

func TestChecksSeeWhatWasSentAsPending(t *testing.T) { // libev's urgent Check sees it sent
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

// Cleanup.

func TestCleanupsHoldNoReference(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		c := j.cleanup(l, "cleanup")
		stopped := j.cleanup(l, "stopped cleanup")
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		stopped.Stop()
		assert.False(t, l.Alive())
		assert.True(t, c.Active())
		assert.Empty(t, j)
		require.NoError(t, l.Close())
		assert.Equal(t, []string{"cleanup"}, j.takeAll())
	})
}

func TestCloseCallsEachCleanupOnceByPriorityThenStart(t *testing.T) { // libev's order is the reverse
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		j.cleanup(l, "first")
		j.cleanup(l, "second")
		j.cleanup(l, "urgent", ev.Priority(1))
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		assert.Equal(t, []string{"urgent", "first", "second"}, j.takeAll())
	})
}

func TestACleanupFindsTheOthersActiveAndNoRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		timer, calls := farOff(t, l), 0
		c := ev.NewCleanup(l, func(w *ev.Cleanup) {
			calls++
			assert.Zero(t, l.Depth())
			assert.True(t, w.Active())
			assert.True(t, timer.Active())
			w.Start() // no effect
			timer.Stop()
			assert.NoError(t, l.Close())
			assert.ErrorIs(t, l.RunNoWait(), ev.ErrClosed)
			assert.ErrorIs(t, l.Post(func() {}), ev.ErrClosed)
			w.Feed(ev.Custom)
		})
		c.Start()
		timer.Feed(ev.Custom) // what is pending is dropped before
		require.NoError(t, l.Close())
		assert.Equal(t, 1, calls)
		assert.False(t, c.Active())
		c.Start()
		assert.False(t, c.Active())
	})
}

// calledFromRun reports whether the goroutine is inside Loop.Run.
func calledFromRun() bool { return strings.Contains(string(debug.Stack()), "ev.(*Loop).Run(") }

func TestTheRunThatCloseEndsCallsTheCleanups(t *testing.T) {
	tests := map[string]func(t *testing.T, l *ev.Loop){
		"Close in a callback": func(t *testing.T, l *ev.Loop) {
			dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
		},
		"Close on another goroutine": func(t *testing.T, l *ev.Loop) {
			go func() {
				for l.Stats().Parks == 0 {
					runtime.Gosched()
				}
				assert.NoError(t, l.Close())
			}()
		},
		"Close in a nested Run": func(t *testing.T, l *ev.Loop) {
			dueNow(l, func(*ev.Timer) {
				dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
				assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
			})
		},
	}
	for name, arrange := range tests {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				calls := 0 // no lock: the race detector watches whose it is
				c := ev.NewCleanup(l, func(w *ev.Cleanup) {
					calls++
					assert.Zero(t, l.Depth())
					assert.Equal(t, ev.CleanupEvent, w.Events())
					assert.True(t, calledFromRun())
				})
				c.Start()
				farOff(t, l)
				arrange(t, l)
				assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
				assert.Equal(t, 1, calls)
				assert.False(t, c.Active())
			})
		})
	}
}

func TestCloseOutsideRunCallsTheCleanupsItself(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		ev.NewCleanup(l, func(*ev.Cleanup) { calls++; assert.False(t, calledFromRun()) }).Start()
		run(t, l)
		require.NoError(t, l.Close())
		assert.Equal(t, 1, calls)
	})
}

func TestACleanupThatPanicsStillFreesTheDescriptors(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			before := openDescriptors()
			l, err := ev.New(ev.WithBackend(backend))
			require.NoError(t, err)
			ev.NewCleanup(l, func(*ev.Cleanup) { panic("cleanup") }).Start()
			timer := farOff(t, l)
			assert.PanicsWithValue(t, "cleanup", func() { l.Close() })
			assert.Equal(t, before, openDescriptors())
			assert.False(t, timer.Active())
			assert.NoError(t, l.Close())

			l, err = ev.New(ev.WithBackend(backend))
			require.NoError(t, err)
			ev.NewCleanup(l, func(*ev.Cleanup) { panic("cleanup") }).Start()
			dueNow(l, func(*ev.Timer) { l.Close() })
			assert.PanicsWithValue(t, "cleanup", func() { l.Run(t.Context()) })
			assert.Equal(t, before, openDescriptors())
			assert.ErrorIs(t, l.RunNoWait(), ev.ErrClosed)
		})
	}
}

func TestThePanicHandlerGetsThePanicOfACleanupAndTheRestAreCalled(t *testing.T) {
	var panicked []any
	handler := ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) { panicked = append(panicked, w.Name(), v) })
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		panicked = nil
		var j journal
		ev.NewCleanup(l, func(*ev.Cleanup) { panic("oops") }, ev.Name("first")).Start()
		j.cleanup(l, "second")
		require.NoError(t, l.Close())
		assert.Equal(t, []any{"first", "oops"}, panicked)
		assert.Equal(t, []string{"second"}, j.takeAll())
	}, handler)
}
