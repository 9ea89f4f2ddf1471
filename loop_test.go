package ev_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// journal is what callbacks wrote, in their order.
type journal []string

func (j *journal) note(s string) { *j = append(*j, s) }

// async makes an Async that notes its name.
func (j *journal) async(l *ev.Loop, name string, opts ...ev.Option) *ev.Async {
	return ev.NewAsync(l, func(a *ev.Async) { j.note(a.Name()) }, append(opts, ev.Name(name))...)
}

// due starts a timer that the next iteration finds due, and that notes its name.
func (j *journal) due(l *ev.Loop, name string, opts ...ev.Option) *ev.Timer {
	w := ev.NewTimer(l, 0, 0, func(w *ev.Timer) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

// dueNow starts a timer that calls fn in the next iteration.
func dueNow(l *ev.Loop, fn func(*ev.Timer), opts ...ev.Option) *ev.Timer {
	w := ev.NewTimer(l, 0, 0, fn, opts...)
	w.Start()
	return w
}

// farOff starts a timer that keeps Run going and does not fire.
func farOff(t testing.TB, l *ev.Loop) *ev.Timer {
	w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) { assert.Fail(t, "a timer of an hour fired") })
	w.Start()
	return w
}

// goRun runs the loop on a goroutine of its own and hands over what Run
// returned.
func goRun(l *ev.Loop) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	return ended
}

// runModes are the three ways to run a loop.
var runModes = map[string]func(l *ev.Loop, ctx context.Context) error{
	"Run":       (*ev.Loop).Run,
	"RunOnce":   (*ev.Loop).RunOnce,
	"RunNoWait": func(l *ev.Loop, _ context.Context) error { return l.RunNoWait() },
}

// Run, RunOnce, RunNoWait.

func TestAFreshLoopHasDoneNothing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		assert.Zero(t, l.Iteration())
		assert.Zero(t, l.Depth())
		assert.Zero(t, l.Pending())
		assert.Zero(t, l.Active())
		assert.False(t, l.Alive())
		assert.Equal(t, ev.Stats{}, l.Stats())
		assert.WithinDuration(t, time.Now(), l.Now(), patience)
	})
}

func TestALoopWithNothingActiveMakesOneIterationAndDoesNotPark(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		once(t, l)
		assert.EqualValues(t, 2, l.Iteration())
		nowait(t, l)
		assert.EqualValues(t, 3, l.Iteration())
		assert.False(t, l.Alive())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestRunNoWaitDoesNotWaitForATimer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		nowait(t, l)
		assert.True(t, l.Alive())
		assert.EqualValues(t, 1, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestRunNoWaitRefreshesNow(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for began := l.Now(); l.Now().Sub(began) < 2*time.Millisecond; {
			nowait(t, l)
		}
	})
}

func TestRunOnceWaitsForATimer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
		began := l.Now()
		once(t, l)
		assert.Equal(t, 1, fired)
		assert.GreaterOrEqual(t, l.Now().Sub(began), 20*time.Millisecond)
		assert.False(t, l.Alive())
	})
}

func TestRunOnceLeavesTheOthersActive(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		ev.NewAsync(l, func(*ev.Async) {}).Start()
		ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
		once(t, l)
		assert.Equal(t, 1, fired)
		assert.True(t, l.Alive())
	})
}

func TestRunOnceMakesOneTickOfARepeatingTimer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) { ticks++ }).Start()
		once(t, l)
		assert.Equal(t, 1, ticks)
		assert.True(t, l.Alive())
		once(t, l)
		assert.Equal(t, 2, ticks)
	})
}

func TestEachRunOnceServesATimerMadeForIt(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		for i := range 3 {
			ev.NewTimer(l, time.Duration(i)*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
			once(t, l)
			assert.Equal(t, i+1, fired)
			assert.False(t, l.Alive())
		}
	})
}

func TestATimerOfNoTimeCostsOneIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var at uint64
		dueNow(l, func(*ev.Timer) { at = l.Iteration() })
		run(t, l)
		assert.EqualValues(t, 1, at)
		assert.EqualValues(t, 1, l.Iteration())
		assert.EqualValues(t, 1, l.Stats().Callbacks)
		assert.Zero(t, l.Stats().Parks)
	})
}

func TestALoopIsAliveWhileAWatcherIsActive(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		assert.False(t, l.Alive())
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) {}).Start()
		assert.True(t, l.Alive())
		run(t, l)
		assert.False(t, l.Alive())
	})
}

func TestAnEventFedBeforeRunIsCalledBeforeTheFirstPoll(t *testing.T) {
	for name, runIt := range runModes {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			depth, iteration := -1, uint64(99)
			ev.NewAsync(l, func(*ev.Async) { depth, iteration = l.Depth(), l.Iteration() }).Feed(ev.Custom)
			require.NoError(t, runIt(l, context.Background()))
			assert.Equal(t, 1, depth)
			assert.Zero(t, iteration)
			assert.EqualValues(t, 1, l.Iteration())
		})
	}
}

func TestDepthCountsTheRunsEntered(t *testing.T) {
	for name, nested := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var depths []int
			note := func() { depths = append(depths, l.Depth()) }
			dueNow(l, func(*ev.Timer) {
				note()
				dueNow(l, func(*ev.Timer) { note() })
				assert.NoError(t, nested(l, context.Background()), name)
				note()
			})
			run(t, l)
			note()
			assert.Equal(t, []int{1, 2, 1, 0}, depths, name)
		})
	}
}

func TestANestedRunDeliversWhatTheOuterOneHadPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			order.note("outer")
			nowait(t, l)
			order.note("outer again")
		})
		order.due(l, "rest")
		run(t, l)
		assert.Equal(t, journal{"outer", "rest", "outer again"}, order)
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
		const step = 100 * time.Millisecond // what ntp may slew or set meanwhile
		assert.False(t, now.Before(before.Add(-step)), "%v is before %v", now, before)
		assert.False(t, now.After(after.Add(step)), "%v is after %v", now, after)
	})
}

// Stop, StopAll.

var stops = map[string]func(*ev.Loop){"Stop": (*ev.Loop).Stop, "StopAll": (*ev.Loop).StopAll}

func TestStopOutsideARunHasNoEffect(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := false
			ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
			stop(l)
			run(t, l)
			assert.True(t, fired)
		})
	}
}

func TestStopInACallbackLetsTheRestOfThePassRun(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			farOff(t, l)
			dueNow(l, func(*ev.Timer) { order.note("stop"); stop(l) })
			order.due(l, "same priority")
			order.due(l, "lower priority", ev.Priority(-1))
			run(t, l)
			assert.Equal(t, journal{"stop", "same priority", "lower priority"}, order)
			assert.EqualValues(t, 1, l.Iteration())
			assert.True(t, l.Alive())
		})
	}
}

func TestAStoppedLoopGoesOnInTheNextRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			switch ticks++; ticks {
			case 1:
				l.Stop()
			case 10:
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 1, ticks)
		assert.True(t, l.Alive())
		run(t, l)
		assert.Equal(t, 10, ticks)
		assert.False(t, l.Alive())
	})
}

func TestStopBeforeTheFirstPollSkipsThePoll(t *testing.T) {
	for name, runIt := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			ev.NewAsync(l, func(*ev.Async) { order.note("fed"); l.Stop() }).Feed(ev.Custom)
			timer := order.due(l, "timer")
			require.NoError(t, runIt(l, context.Background()))
			assert.Equal(t, journal{"fed"}, order, name)
			assert.Zero(t, l.Iteration())
			assert.True(t, timer.Active())
		})
	}
}

func TestStopAllEndsEveryRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		farOff(t, l)
		rest := order.async(l, "rest")
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) {
				assert.Equal(t, 2, l.Depth())
				l.StopAll()
			})
			run(t, l)
			order.note("inner returned")
			rest.Feed(ev.Custom)
		})
		run(t, l)
		assert.Equal(t, journal{"inner returned", "rest"}, order)
		assert.True(t, l.Alive())
	})
}

func TestStopEndsOnlyTheInnermostRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
			far := farOff(t, l)
			run(t, l)
			far.Stop()
			order.note("inner returned")
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("outer goes on") }).Start()
		})
		run(t, l)
		assert.Equal(t, journal{"inner returned", "outer goes on"}, order)
		assert.False(t, l.Alive())
	})
}

func TestARunEnteredAfterAStopNeitherSeesNorClearsIt(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			far := farOff(t, l)
			dueNow(l, func(*ev.Timer) {
				stop(l)
				far.Stop()
				ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("inner went on") }).Start()
				run(t, l)
				order.note("inner returned")
				far.Start()
			})
			run(t, l)
			assert.Equal(t, journal{"inner went on", "inner returned"}, order)
			assert.True(t, l.Alive(), "the outer Run was stopped")
		})
	}
}

func TestARequestToStopDiesWithTheOutermostRun(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			dueNow(l, func(*ev.Timer) {
				dueNow(l, func(*ev.Timer) { l.StopAll() })
				nowait(t, l)
				stop(l)
			})
			nowait(t, l)
			ticks := 0
			ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
				if ticks++; ticks == 3 {
					w.Stop()
				}
			}).Start()
			run(t, l)
			assert.Equal(t, 3, ticks)
		})
	}
}

func TestStopFromAnotherGoroutineWakesAParkedLoop(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			farOff(t, l)
			ended := goRun(l)
			untilParked(t, l, 0)
			stop(l)
			assert.NoError(t, receive(t, ended))
			assert.True(t, l.Alive())
		})
	}
}

// Stop comes at a random moment of a Run: before its first park, while it parks,
// while it sleeps.
func TestStopIsNeverLostWhileARunIsActive(t *testing.T) {
	const rounds = 1000
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		entered := make(chan struct{}, 1)
		first := ev.NewAsync(l, func(*ev.Async) { entered <- struct{}{} })
		r := rand.New(rand.NewPCG(3, 4))
		for range rounds {
			first.Feed(ev.Custom)
			ended := goRun(l)
			receive(t, entered)
			for range r.IntN(4) {
				runtime.Gosched()
			}
			l.Stop()
			require.NoError(t, receive(t, ended))
		}
	})
}

// parkedNested runs the loop on another goroutine until it is parked in a Run
// inside a Run. The inner channel gets a value when the inner Run returns.
func parkedNested(t *testing.T, l *ev.Loop) (inner <-chan int, outer <-chan error) {
	farOff(t, l)
	entering, returned := make(chan uint64, 1), make(chan int, 1)
	dueNow(l, func(*ev.Timer) {
		entering <- l.Stats().Parks
		assert.NoError(t, l.Run(context.Background()))
		returned <- l.Depth()
	})
	ended := goRun(l)
	untilParked(t, l, receive(t, entering))
	return returned, ended
}

func TestStopFromAnotherGoroutineEndsTheInnermostOfTheParkedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		inner, outer := parkedNested(t, l)
		parks := l.Stats().Parks
		l.Stop()
		assert.Equal(t, 1, receive(t, inner))
		untilParked(t, l, parks)
		assert.Empty(t, outer)
		l.Stop()
		assert.NoError(t, receive(t, outer))
	})
}

func TestStopAllFromAnotherGoroutineEndsAllOfTheParkedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		inner, outer := parkedNested(t, l)
		l.StopAll()
		assert.Equal(t, 1, receive(t, inner))
		assert.NoError(t, receive(t, outer))
	})
}

// Contexts.

func TestRunWithAContextThatIsDoneMakesNoIteration(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: late} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fed := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
			fed.Feed(ev.Custom)
			dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
			assert.Equal(t, want, l.Run(ctx))
			assert.Equal(t, want, l.RunOnce(ctx))
			assert.Zero(t, l.Iteration())
			assert.True(t, fed.Pending())
		})
	}
}

func TestCancellationWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		for _, runIt := range []func(*ev.Loop, context.Context) error{(*ev.Loop).Run, (*ev.Loop).RunOnce} {
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			parks := l.Stats().Parks
			go func() { ended <- runIt(l, ctx) }()
			untilParked(t, l, parks)
			cancel()
			assert.Equal(t, context.Canceled, receive(t, ended))
		}
		assert.True(t, l.Alive())
	})
}

func TestADeadlineEndsAParkedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		assert.Equal(t, context.DeadlineExceeded, l.Run(ctx))
		assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
	})
}

func TestCancellationInACallbackLetsTheRestOfThePassRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		ctx, cancel := context.WithCancel(context.Background())
		busy := ev.NewAsync(l, func(a *ev.Async) { order.note("busy"); a.Send() })
		busy.Start()
		busy.Send()
		dueNow(l, func(*ev.Timer) { order.note("cancel"); cancel() })
		order.due(l, "rest")
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, journal{"busy", "cancel", "rest"}, order)
		assert.EqualValues(t, 1, l.Iteration())
	})
}

func TestCancellationBeforeTheFirstPollSkipsThePoll(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		ev.NewAsync(l, func(*ev.Async) { cancel() }).Feed(ev.Custom)
		dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Zero(t, l.Iteration())
	})
}

func TestTheOuterContextDoesNotEndANestedRunWithAnother(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		far := farOff(t, l)
		ctx, cancel := context.WithCancel(context.Background())
		dueNow(l, func(*ev.Timer) {
			cancel()
			far.Stop()
			ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { order.note("inner went on") }).Start()
			assert.NoError(t, l.Run(context.Background()))
			far.Start()
		})
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, journal{"inner went on"}, order)
	})
}

func TestTheInnerContextEndsOnlyTheNestedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			far := farOff(t, l)
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			assert.Equal(t, context.DeadlineExceeded, l.Run(ctx))
			far.Stop()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("outer went on") }).Start()
		})
		run(t, l)
		assert.Equal(t, journal{"outer went on"}, order)
	})
}

func TestAContextSharedByNestedRunsEndsAllOfThem(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		ctx, cancel := context.WithCancel(context.Background())
		var inner error
		dueNow(l, func(*ev.Timer) {
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { cancel() }).Start()
			inner = l.Run(ctx)
		})
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, context.Canceled, inner)
	})
}

func TestAContextThatEndsAfterItsRunStopsNoOther(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		old, cancelOld := context.WithCancel(context.Background())
		require.NoError(t, l.Run(old))
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			switch ticks++; ticks {
			case 1:
				nested, cancelNested := context.WithCancel(context.Background())
				assert.NoError(t, l.RunOnce(nested))
				cancelNested()
			case 2:
				cancelOld()
			case 5:
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 5, ticks)
	})
}

func TestANilContextPanicsClearly(t *testing.T) {
	l := newLoop(t)
	var none context.Context
	assert.PanicsWithValue(t, "ev: Run: nil context", func() { _ = l.Run(none) })
	assert.PanicsWithValue(t, "ev: RunOnce: nil context", func() { _ = l.RunOnce(none) })
	assert.Zero(t, l.Depth())
	nowait(t, l)
}

// One goroutine at a time.

func TestRunOnASecondGoroutineIsAnError(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start(t, l)
		err := l.Run(context.Background())
		require.Error(t, err)
		assert.Regexp(t, `^ev: Run: goroutine \d+ is running this loop already$`, err.Error())
		onLoop(t, l, func() { assert.Equal(t, 1, l.Depth()) })
	})
}

func TestDebuggingFindsEveryRunOnASecondGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t)
	start(t, l)
	for name, runIt := range runModes {
		err := runIt(l, context.Background())
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "ev: "+name+": ")
	}
}

func TestALoopMayBeRunByOneGoroutineAfterAnother(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		for range 5 {
			dueNow(l, func(*ev.Timer) { calls++ })
			assert.NoError(t, receive(t, goRun(l)))
		}
		assert.Equal(t, 5, calls)
	})
}

// ownedMethods are the methods that belong to the loop's goroutine.
func ownedMethods(l *ev.Loop, a *ev.Async, w *ev.Timer) map[string]func() {
	return map[string]func(){
		"Async.Active":            func() { a.Active() },
		"Async.Clear":             func() { a.Clear() },
		"Async.Data":              func() { a.Data() },
		"Async.Events":            func() { a.Events() },
		"Async.Feed":              func() { a.Feed(ev.Custom) },
		"Async.Invoke":            func() { a.Invoke(ev.Custom) },
		"Async.Keep":              func() { a.Keep(true) },
		"Async.Pending":           func() { a.Pending() },
		"Async.Priority":          func() { a.Priority() },
		"Async.SetCallback":       func() { a.SetCallback(func(*ev.Async) {}) },
		"Async.SetData":           func() { a.SetData(nil) },
		"Async.SetPriority":       func() { _ = a.SetPriority(0) },
		"Async.Start":             func() { a.Start() },
		"Async.Stop":              func() { a.Stop() },
		"Timer.Remaining":         func() { w.Remaining() },
		"Timer.Repeat":            func() { w.Repeat() },
		"Timer.Reset":             func() { w.Reset() },
		"Timer.Set":               func() { _ = w.Set(0, 0) },
		"Timer.SetCallback":       func() { w.SetCallback(func(*ev.Timer) {}) },
		"Timer.SetRepeat":         func() { _ = w.SetRepeat(0) },
		"Timer.Start":             func() { w.Start() },
		"Timer.Stop":              func() { w.Stop() },
		"Loop.Active":             func() { l.Active() },
		"Loop.Alive":              func() { l.Alive() },
		"Loop.Data":               func() { l.Data() },
		"Loop.Depth":              func() { l.Depth() },
		"Loop.FeedSignal":         func() { l.FeedSignal(nil) },
		"Loop.Invoke":             func() { l.Invoke() },
		"Loop.Iteration":          func() { l.Iteration() },
		"Loop.Now":                func() { l.Now() },
		"Loop.Pending":            func() { l.Pending() },
		"Loop.Ref":                func() { l.Ref() },
		"Loop.Resume":             func() { l.Resume() },
		"Loop.SetData":            func() { l.SetData(nil) },
		"Loop.SetIOInterval":      func() { _ = l.SetIOInterval(0) },
		"Loop.SetInvoke":          func() { l.SetInvoke(nil) },
		"Loop.SetTimeoutInterval": func() { _ = l.SetTimeoutInterval(0) },
		"Loop.Suspend":            func() { l.Suspend() },
		"Loop.Unref":              func() { l.Unref() },
		"Loop.Update":             func() { l.Update() },
		"Loop.Verify":             func() { _ = l.Verify() },
		"Go":                      func() { ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) {}) },
	}
}

func TestDebuggingPanicsWithTheMethodCalledOnAForeignGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t, ev.WithName("mine"))
	a := ev.NewAsync(l, func(*ev.Async) {})
	w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
	start(t, l)
	for name, method := range ownedMethods(l, a, w) {
		name = strings.Replace(name, "Go", "Loop.Go", 1)
		assert.Regexp(t, `^ev: `+name+`: called by goroutine \d+, but goroutine \d+ runs the loop "mine"\n`,
			panicOf(method))
	}
}

func TestDebuggingDoesNotMindTheLoopsOwnGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		callAll := func() {
			for name, method := range ownedMethods(l, a, w) {
				assert.Nil(t, panicOf(method), name)
			}
			a.Stop()
			w.Stop()
		}
		callAll() // nobody runs the loop: it belongs to whoever sets it up
		start(t, l)
		onLoop(t, l, callAll)
		onLoop(t, l, func() {
			dueNow(l, func(*ev.Timer) { callAll() })
			assert.NoError(t, l.RunOnce(context.Background()))
		})
	})
}

func TestDebuggingLetsEveryGoroutineUseTheDoors(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	ended := goRun(l)
	untilParked(t, l, 0)
	a.Send()
	a.Sent()
	l.Stats()
	assert.NoError(t, l.Post(func() {}))
	onLoop(t, l, func() {})
	l.Stop()
	assert.NoError(t, receive(t, ended))
	l.StopAll()
	assert.NoError(t, l.Close())
}

// panicOf returns what fn panics with, or nil.
func panicOf(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// Close.

func TestCloseIsIdempotent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		assert.NoError(t, l.Close(), "never run")
		assert.NoError(t, l.Close())
		assert.False(t, l.Alive())
		assert.Zero(t, l.Active())
	})
}

func TestAClosedLoopDoesNotRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		run(t, l)
		require.NoError(t, l.Close())
		l.SetInvoke(func(*ev.Loop) { assert.Fail(t, "called") })
		for name, runIt := range runModes {
			assert.Equal(t, ev.ErrClosed, runIt(l, context.Background()), name)
		}
		assert.EqualValues(t, 1, l.Iteration())
		assert.EqualError(t, ev.ErrClosed, "ev: loop closed")
	})
}

func TestCloseOutsideRunStopsTheWatchersAndDropsWhatIsPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		w := dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		w.Feed(ev.Custom)
		l.SetData("mine")
		require.NoError(t, l.Close())
		assert.False(t, w.Active())
		assert.False(t, w.Pending())
		assert.Zero(t, l.Pending())
		assert.Equal(t, "mine", l.Data())
		l.Invoke()
	})
}

func TestCloseInACallbackFinishesItAndDropsTheRest(t *testing.T) {
	for name, runIt := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			var rest *ev.Timer
			dueNow(l, func(*ev.Timer) {
				assert.NoError(t, l.Close())
				assert.True(t, rest.Pending())
				order.note("closed")
			})
			rest = order.due(l, "rest")
			order.due(l, "lower priority", ev.Priority(-1))
			assert.Equal(t, ev.ErrClosed, runIt(l, context.Background()), name)
			assert.Equal(t, journal{"closed"}, order)
			assert.False(t, rest.Pending())
			assert.Zero(t, l.Depth())
			assert.Zero(t, l.Active())
		})
	}
}

func TestCloseInNestedRunsEndsAllOfThem(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		farOff(t, l)
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
			assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
			order.note("inner returned")
			assert.Equal(t, 1, l.Active(), "the outer Run takes the loop down")
			order.async(l, "rest").Feed(ev.Custom)
		})
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
		assert.Equal(t, journal{"inner returned"}, order)
		assert.Zero(t, l.Active())
	})
}

func TestCloseInACallbackMadeOutsideRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		ev.NewAsync(l, func(*ev.Async) { order.note("closed"); assert.NoError(t, l.Close()) }).Feed(ev.Custom)
		order.async(l, "rest").Feed(ev.Custom)
		l.Invoke()
		assert.Equal(t, journal{"closed"}, order)
		assert.Zero(t, l.Pending())
	})
}

// closeFromThree calls Close on three goroutines at once.
func closeFromThree(t *testing.T, l *ev.Loop) {
	barrier := make(chan struct{})
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			<-barrier
			assert.NoError(t, l.Close())
		})
	}
	close(barrier)
	closers.Wait()
}

func TestCloseFromThreeGoroutinesEndsAParkedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		ended := goRun(l)
		untilParked(t, l, 0)
		closeFromThree(t, l)
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
		assert.False(t, far.Active())
	})
}

func TestCloseFromThreeGoroutinesEndsNestedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		inner := make(chan error, 1)
		dueNow(l, func(*ev.Timer) { inner <- l.Run(context.Background()) })
		ended := goRun(l)
		untilParked(t, l, 0)
		closeFromThree(t, l)
		assert.Equal(t, ev.ErrClosed, receive(t, inner))
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
	})
}

func TestCloseFromThreeGoroutinesWhileNotRunning(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		closeFromThree(t, l)
		assert.False(t, far.Active())
		assert.Equal(t, ev.ErrClosed, l.RunNoWait())
	})
}

func TestCloseInACallbackRacesWithCloseElsewhere(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		elsewhere := make(chan error, 1)
		dueNow(l, func(*ev.Timer) {
			go func() { elsewhere <- l.Close() }()
			assert.NoError(t, l.Close())
		})
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
		assert.NoError(t, receive(t, elsewhere))
	})
}

// Close meets Run at random moments: as it enters, in its pass, as it parks.
func TestCloseIsNeverLost(t *testing.T) {
	const rounds = 200
	r := rand.New(rand.NewPCG(5, 6))
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for range rounds {
			l, err := ev.New(ev.WithBackend(l.Backend()))
			require.NoError(t, err)
			farOff(t, l)
			ended := goRun(l)
			for range r.IntN(4) {
				runtime.Gosched()
			}
			require.NoError(t, l.Close())
			require.Equal(t, ev.ErrClosed, receive(t, ended))
			require.Zero(t, l.Active())
		}
	})
}

func TestCloseDoesNotWaitForTheCallbackInProgress(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		stuck, free, finished := make(chan struct{}), make(chan struct{}), false
		dueNow(l, func(*ev.Timer) { close(stuck); <-free; finished = true })
		ended := goRun(l)
		receive(t, stuck)
		require.NoError(t, l.Close())
		assert.Empty(t, ended)
		close(free)
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
		assert.True(t, finished)
	})
}

func TestCloseGivesTheDescriptorsBack(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc/self/fd")
	}
	before := openDescriptors()
	inCallback := func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
	}
	afterAPanic := func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()); panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	}
	neverRun := func(l *ev.Loop) { assert.NoError(t, l.Close()) }
	for _, end := range []func(*ev.Loop){inCallback, afterAPanic, neverRun} {
		l, err := ev.New()
		require.NoError(t, err)
		end(l)
		assert.Equal(t, before, openDescriptors())
	}
}

// Invoke, SetInvoke.

func TestInvokeOutsideRunCallsWhatIsPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		depth := -1
		ev.NewAsync(l, func(*ev.Async) { depth = l.Depth() }).Feed(ev.Custom)
		assert.Equal(t, 1, l.Pending())
		l.Invoke()
		assert.Zero(t, depth)
		assert.Zero(t, l.Pending())
		assert.Zero(t, l.Iteration())
	})
}

func TestInvokeInACallbackCallsTheRestAtOnce(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) { l.Invoke(); order.note("after Invoke") })
		order.due(l, "rest")
		run(t, l)
		assert.Equal(t, journal{"rest", "after Invoke"}, order)
	})
}

func TestTheInvokeFunctionStandsInForEveryPass(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		type call struct {
			pending   int
			iteration uint64
		}
		var calls []call
		fired := 0
		l.SetInvoke(func(got *ev.Loop) {
			assert.Same(t, l, got)
			calls = append(calls, call{l.Pending(), l.Iteration()})
		})
		w := dueNow(l, func(*ev.Timer) { fired++ })
		once(t, l)
		assert.Equal(t, []call{{0, 0}, {1, 1}}, calls)
		assert.True(t, w.Pending())
		assert.Equal(t, 1, l.Pending())
		assert.Zero(t, fired)
		l.SetInvoke(nil)
		nowait(t, l)
		assert.Equal(t, 1, fired)
		assert.Len(t, calls, 2)
	})
}

func TestTheInvokeFunctionMayInvokeLater(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		l.SetInvoke(func(*ev.Loop) {
			order.note("before")
			l.Invoke()
			order.note("after")
		})
		order.due(l, "timer")
		run(t, l)
		assert.Equal(t, journal{"before", "after", "before", "timer", "after"}, order)
	})
}

func TestAPanicOfTheInvokeFunctionLeavesAllNestedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			l.SetInvoke(func(*ev.Loop) { panic("boom") })
			_ = l.Run(context.Background())
			order.note("the inner Run returned")
		})
		order.due(l, "rest")
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
		assert.Empty(t, order)
		assert.Zero(t, l.Depth())
		l.SetInvoke(nil)
		run(t, l)
		assert.Equal(t, journal{"rest"}, order)
	})
}

// Intervals, Suspend.

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

// Panics, Goexit.

func TestAPanicLeavesRunWithTheRestPending(t *testing.T) {
	for name, runIt := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			bad := ev.NewTimer(l, 0, time.Hour, func(*ev.Timer) { panic("boom") })
			bad.Start()
			rest := order.due(l, "rest")
			low := order.due(l, "low", ev.Priority(-1))
			assert.PanicsWithValue(t, "boom", func() { _ = runIt(l, context.Background()) }, name)
			assert.Zero(t, l.Depth())
			assert.True(t, bad.Active(), "a watcher that panics is not stopped")
			assert.False(t, bad.Pending())
			assert.True(t, rest.Pending() && low.Pending())
			assert.NoError(t, l.Verify())

			iteration := l.Iteration()
			bad.Stop()
			l.SetInvoke(func(*ev.Loop) { l.Invoke(); l.SetInvoke(nil); assert.Equal(t, iteration, l.Iteration()) })
			run(t, l)
			assert.Equal(t, journal{"rest", "low"}, order, "the next Run delivers them, first of all")
		})
	}
}

func TestAPanicLeavesAllNestedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		boom := errors.New("boom")
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { panic(boom) })
			_ = l.Run(context.Background())
			order.note("the inner Run returned")
		})
		assert.PanicsWithValue(t, boom, func() { _ = l.Run(context.Background()) })
		assert.Empty(t, order)
		assert.Zero(t, l.Depth())
		run(t, l)
	})
}

func TestACallbackMayRecoverThePanicOfANestedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { panic("boom") })
			assert.Equal(t, "boom", panicOf(func() { _ = l.Run(context.Background()) }))
			assert.Equal(t, 1, l.Depth())
		})
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("outer went on") }).Start()
		run(t, l)
		assert.Equal(t, journal{"outer went on"}, order)
	})
}

func TestARequestToStopDiesWithARunThatPanics(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { l.StopAll(); panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
		fired := false
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
		run(t, l)
		assert.True(t, fired)
	})
}

func TestALoopThatPanickedCanBeClosed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { panic("boom") })
		rest := dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
		assert.NoError(t, l.Close())
		assert.False(t, rest.Pending())
		assert.Equal(t, ev.ErrClosed, l.RunNoWait())
	})
}

func TestAPanicAfterCloseInTheSameCallbackStillTakesTheLoopDown(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()); panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
		assert.False(t, far.Active())
	})
}

func TestAPanicOutOfInvokeLeavesTheRestPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		ev.NewAsync(l, func(*ev.Async) { panic("boom") }).Feed(ev.Custom)
		order.async(l, "rest").Feed(ev.Custom)
		assert.PanicsWithValue(t, "boom", l.Invoke)
		l.Invoke()
		assert.Equal(t, journal{"rest"}, order)
	})
}

// runToGoexit runs the loop on a goroutine whose end it waits for, and reports
// whether Run returned.
func runToGoexit(t *testing.T, l *ev.Loop) (returned bool) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.Run(context.Background())
		returned = true
	}()
	receive(t, ended)
	return returned
}

func TestGoexitEndsTheGoroutineAndLeavesTheLoopUsable(t *testing.T) {
	handler := ev.WithPanicHandler(func(ev.Watcher, any, []byte) { assert.Fail(t, "Goexit is no panic") })
	for _, opts := range [][]ev.LoopOption{nil, {handler}} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			dueNow(l, func(*ev.Timer) {
				dueNow(l, func(*ev.Timer) { runtime.Goexit() })
				_ = l.Run(context.Background())
			})
			order.due(l, "rest", ev.Priority(-1))
			assert.False(t, runToGoexit(t, l))
			assert.Zero(t, l.Depth())
			run(t, l)
			assert.Equal(t, journal{"rest"}, order)
		}, opts...)
	}
}

func TestALoopWhoseGoroutineExitedCanBeClosed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		dueNow(l, func(*ev.Timer) { runtime.Goexit() })
		assert.False(t, runToGoexit(t, l))
		assert.NoError(t, l.Close())
		assert.False(t, far.Active())
	})
}

// The panic handler.

type report struct {
	w     ev.Watcher
	v     any
	stack string
}

// reported makes a panic handler that keeps what it is told.
func reported() (ev.LoopOption, *[]report) {
	var reports []report
	return ev.WithPanicHandler(func(w ev.Watcher, v any, stack []byte) {
		reports = append(reports, report{w, v, string(stack)})
	}), &reports
}

func explode() { panic("boom") }

func TestThePanicHandlerGetsWatcherValueAndStackAndThePassGoesOn(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	var order journal
	bad := ev.NewTimer(l, 0, time.Hour, func(*ev.Timer) { explode() })
	bad.Start()
	order.due(l, "rest")
	nowait(t, l)
	assert.Equal(t, journal{"rest"}, order)
	assert.True(t, bad.Active())
	require.Len(t, *reports, 1)
	got := (*reports)[0]
	assert.Same(t, bad, got.w)
	assert.Equal(t, "boom", got.v)
	assert.Contains(t, got.stack, "ev_test.explode(")
}

func TestThePanicHandlerGetsNoWatcherForAFunction(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	require.NoError(t, l.Post(explode))
	ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { explode() })
	ev.Go(l, func() (int, error) {
		return ev.Call(context.Background(), l, func() (int, error) { explode(); return 0, nil })
	}, func(_ int, err error) { assert.ErrorContains(t, err, "boom") })
	run(t, l)
	require.Len(t, *reports, 3)
	for _, got := range *reports {
		assert.True(t, got.w == nil)
		assert.Equal(t, "boom", got.v)
		assert.Contains(t, got.stack, "ev_test.explode(")
	}
}

func TestThePanicHandlerSeesAPanicWithNil(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	dueNow(l, func(*ev.Timer) { panic(nil) }) //nolint:govet // that is the point
	run(t, l)
	require.Len(t, *reports, 1)
	assert.IsType(t, (*runtime.PanicNilError)(nil), (*reports)[0].v)
}

func TestThePanicOfAPanicHandlerLeavesRun(t *testing.T) {
	var order journal
	l := newLoop(t, ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { panic(fmt.Sprint(v, " again")) }))
	dueNow(l, func(*ev.Timer) { panic("boom") })
	order.due(l, "rest")
	assert.Equal(t, "boom again", panicOf(func() { _ = l.Run(context.Background()) }))
	assert.Zero(t, l.Depth())
	run(t, l)
	assert.Equal(t, journal{"rest"}, order)
}

func TestANilPanicHandlerIsNone(t *testing.T) {
	l := newLoop(t, ev.WithPanicHandler(nil))
	dueNow(l, func(*ev.Timer) { panic("boom") })
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
}

// The slow-callback log.

// here is the caller's position in the source, some lines on.
func here(lines int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+lines)
}

func TestASlowCallbackIsLoggedWithItsNameAndPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithName("mine"), ev.WithSlowCallback(time.Millisecond),
		ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	at := here(1)
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond) }, ev.Name("sleeper"))
	run(t, l)
	for _, want := range []string{"ev: slow callback", "loop=mine", "kind=Timer", "watcher=sleeper", "callback=" + at, "took="} {
		assert.Contains(t, log.String(), want)
	}
}

func TestASlowPostIsLoggedWithItsPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	at := here(1)
	require.NoError(t, l.Post(func() { time.Sleep(2 * time.Millisecond) }))
	run(t, l)
	assert.Contains(t, log.String(), "kind=Post")
	assert.Contains(t, log.String(), "callback="+at)
}

func TestASlowCallOrDoneOfGoIsLoggedWithItsPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	var call string
	ev.Go(l, func() (int, error) {
		call = here(1)
		return ev.Call(context.Background(), l, func() (int, error) { time.Sleep(2 * time.Millisecond); return 0, nil })
	}, func(int, error) {})
	run(t, l)
	assert.Contains(t, log.String(), "callback="+call)

	log.Reset()
	at := here(1)
	ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "callback="+at)
}

type sleeper time.Duration

func (d sleeper) sleep(*ev.Timer) { time.Sleep(time.Duration(d)) }

func TestASlowMethodIsLoggedWithItsName(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, sleeper(2*time.Millisecond).sleep)
	run(t, l)
	assert.Contains(t, log.String(), "ev_test.sleeper.sleep")
}

func TestTheCallbackInForceIsTheOneLogged(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	w := dueNow(l, func(*ev.Timer) {})
	at := here(1)
	w.SetCallback(func(*ev.Timer) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "callback="+at)
}

func TestAQuickCallbackIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Hour), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, func(*ev.Timer) { time.Sleep(time.Millisecond) })
	run(t, l)
	assert.Empty(t, log.String())
}

func TestASlowCallbackThatPanicsIsLoggedAndReported(t *testing.T) {
	var log bytes.Buffer
	handler, reports := reported()
	l := newLoop(t, handler, ev.WithSlowCallback(time.Millisecond),
		ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond); panic("boom") })
	run(t, l)
	assert.Len(t, *reports, 1)
	assert.Contains(t, log.String(), "ev: slow callback")
}

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(nil))
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "ev: slow callback")
}

// New and its options.

func TestBadOptionsAreErrors(t *testing.T) {
	for want, opt := range map[string]ev.LoopOption{
		"ev: New: nil option":                               nil,
		"ev: WithWakeup: no such mode: Wakeup(99)":          ev.WithWakeup(99),
		"ev: WithSlowCallback: negative duration -1ns":      ev.WithSlowCallback(-1),
		"ev: New: backend Backend(0x63) on " + runtime.GOOS: ev.WithBackend(99),
	} {
		l, err := ev.New(ev.WithName("fine"), opt)
		assert.ErrorContains(t, err, want)
		assert.Nil(t, l)
	}
}

func TestABackendThatTheSystemLacksIsUnsupported(t *testing.T) {
	have := map[ev.Backend]bool{}
	for _, b := range ev.SupportedBackends() {
		have[b] = true
	}
	for _, b := range []ev.Backend{ev.BackendEpoll, ev.BackendKqueue, ev.BackendChan, 1, 99} {
		if have[b] {
			continue
		}
		_, err := ev.New(ev.WithBackend(b))
		assert.ErrorIs(t, err, errors.ErrUnsupported, b)
	}
}

func TestSupportedBackendsAreConcreteAndWork(t *testing.T) {
	assert.NotContains(t, ev.SupportedBackends(), ev.BackendAuto)
	assert.Subset(t, ev.SupportedBackends(), ev.RecommendedBackends())
	for _, b := range ev.SupportedBackends() {
		assert.Equal(t, b, newLoop(t, ev.WithBackend(b)).Backend())
	}
	assert.Equal(t, ev.RecommendedBackends()[0], newLoop(t).Backend())
	assert.Equal(t, ev.RecommendedBackends()[0], newLoop(t, ev.WithBackend(ev.BackendAuto)).Backend())
}

func TestCallersMayChangeTheListsOfBackends(t *testing.T) {
	ev.SupportedBackends()[0] = 99
	ev.RecommendedBackends()[0] = 99
	newLoop(t)
	assert.NotContains(t, append(ev.SupportedBackends(), ev.RecommendedBackends()...), ev.Backend(99))
}

func TestBackendsAndWakeModesHaveNamesAndLibevsNumbers(t *testing.T) {
	assert.EqualValues(t, 4, ev.BackendEpoll)
	assert.EqualValues(t, 8, ev.BackendKqueue)
	for want, v := range map[string]fmt.Stringer{
		"auto": ev.BackendAuto, "epoll": ev.BackendEpoll, "kqueue": ev.BackendKqueue, "chan": ev.BackendChan,
		"Backend(0x1)": ev.Backend(1), "write": ev.WakeWrite, "direct": ev.WakeDirect, "Wakeup(7)": ev.Wakeup(7),
	} {
		assert.Equal(t, want, v.String())
	}
	assert.Equal(t, "auto", ev.WakeAuto.String())
}

func TestALoopHasANameAndData(t *testing.T) {
	l := newLoop(t, ev.WithName("mine"))
	assert.Equal(t, "mine", l.Name())
	assert.Empty(t, newLoop(t).Name())
	assert.Nil(t, l.Data())
	l.SetData(42)
	assert.Equal(t, 42, l.Data())
}

func TestStatsCountsWhatInvokeCallsOutsideRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Feed(ev.Custom)
		assert.Equal(t, 1, l.Stats().Pending)
		l.Invoke()
		assert.Equal(t, uint64(1), l.Stats().Callbacks)
		assert.Zero(t, l.Stats().Pending)
	})
}

func TestAClosedLoopIsNotAlive(t *testing.T) {
	l := newLoop(t)
	l.Ref()
	require.NoError(t, l.Post(func() {}))
	assert.True(t, l.Alive())
	require.NoError(t, l.Close())
	assert.False(t, l.Alive())
}
