package ev_test

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// kinds make a watcher of each kind, one that nothing but Feed makes pending,
// with fn as its callback.
var kinds = map[string]func(l *ev.Loop, fn func(ev.Watcher), opts ...ev.Option) ev.Watcher{
	"Async": func(l *ev.Loop, fn func(ev.Watcher), opts ...ev.Option) ev.Watcher {
		return ev.NewAsync(l, func(w *ev.Async) { fn(w) }, opts...)
	},
	"Timer": func(l *ev.Loop, fn func(ev.Watcher), opts ...ev.Option) ev.Watcher {
		return ev.NewTimer(l, time.Hour, 0, func(w *ev.Timer) { fn(w) }, opts...)
	},
	"Signal": func(l *ev.Loop, fn func(ev.Watcher), opts ...ev.Option) ev.Watcher {
		return ev.NewSignal(l, os.Interrupt, func(w *ev.Signal) { fn(w) }, opts...)
	},
	"Queue": func(l *ev.Loop, fn func(ev.Watcher), opts ...ev.Option) ev.Watcher {
		return ev.NewQueue(l, 0, func(q *ev.Queue[int], _ []int) { fn(q) }, opts...)
	},
}

// maker makes watchers of the kind under test.
type maker func(fn func(ev.Watcher), opts ...ev.Option) ev.Watcher

// onEveryKind runs the test for each kind of watcher, on a loop of its own.
func onEveryKind(t *testing.T, test func(t *testing.T, l *ev.Loop, newWatcher maker)) {
	t.Helper()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			test(t, l, func(fn func(ev.Watcher), opts ...ev.Option) ev.Watcher { return kind(l, fn, opts...) })
		})
	}
}

// startIt starts a watcher of any kind.
func startIt(t *testing.T, w ev.Watcher) {
	t.Helper()
	switch w := w.(type) {
	case interface{ Start() }:
		w.Start()
	case interface{ Start() error }:
		require.NoError(t, w.Start())
	default:
		require.Fail(t, "cannot start", "%T", w)
	}
}

func ignore(ev.Watcher) {}

// uncalled makes a callback that fails the test.
func uncalled(t *testing.T) func(ev.Watcher) {
	return func(w ev.Watcher) { assert.Fail(t, "called", "%T %s", w, w.Name()) }
}

// Start, Stop.

func TestAnActiveWatcherCountsOnceHoweverOftenItIsStarted(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		assert.False(t, w.Active())
		startIt(t, w)
		startIt(t, w)
		assert.True(t, w.Active())
		assert.True(t, l.Alive())
		assert.Equal(t, 1, l.Active())
		w.Stop()
		assert.False(t, w.Active())
		assert.False(t, l.Alive())
		assert.Zero(t, l.Active())
		run(t, l)
	})
}

func TestStopIsIdempotent(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		w.Stop() // never started
		startIt(t, w)
		w.Stop()
		w.Stop()
		assert.False(t, w.Active())
		assert.False(t, l.Alive())
		assert.NoError(t, l.Verify())
	})
}

func TestAWatcherMayBeStartedAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		for range 3 {
			startIt(t, w)
			assert.True(t, w.Active())
			w.Stop()
			assert.False(t, w.Active())
		}
	})
}

func TestStoppingSomeWatchersLeavesTheOthersActive(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var ws []ev.Watcher
		for range 5 {
			w := newWatcher(uncalled(t))
			startIt(t, w)
			ws = append(ws, w)
		}
		for i, stop := range []int{2, 0, 4, 1, 3} {
			ws[stop].Stop()
			assert.False(t, ws[stop].Active())
			assert.Equal(t, 4-i, l.Active())
			require.NoError(t, l.Verify())
		}
	})
}

func TestTheLoopKeepsAnActiveTimerAlive(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := false
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
		for range 3 {
			runtime.GC()
		}
		run(t, l)
		assert.True(t, fired)
	})
}

func TestAZeroWatcherDoesNothingOrSaysWhatIsWrong(t *testing.T) {
	var a ev.Async
	a.Stop()
	a.Send()
	assert.False(t, a.Active() || a.Pending())
	assert.PanicsWithValue(t, "ev: Async.Start: a watcher that no constructor made", a.Start)
	var w ev.Timer
	w.Stop()
	assert.PanicsWithValue(t, "ev: Timer.Start: a watcher that no constructor made", w.Start)
}

// Feed, Clear, Invoke, Events.

func TestAFedWatcherIsCalledOnceWithJustWhatItWasFed(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var got []ev.Events
		w := newWatcher(func(w ev.Watcher) { got = append(got, w.Events()) })
		w.Feed(ev.Custom | ev.Read)
		assert.True(t, w.Pending())
		assert.False(t, w.Active())
		assert.Equal(t, 1, l.Pending())
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Custom | ev.Read}, got)
		assert.False(t, w.Pending())
		assert.Zero(t, l.Pending())
	})
}

func TestEventsFedBeforeThePassAccumulate(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var got []ev.Events
		w := newWatcher(func(w ev.Watcher) { got = append(got, w.Events()) })
		w.Feed(ev.Read)
		w.Feed(ev.Custom)
		assert.Equal(t, 1, l.Pending())
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Read | ev.Custom}, got)
	})
}

func TestAWatcherFedNothingIsCalledWithNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		got := []ev.Events{}
		w := newWatcher(func(w ev.Watcher) { got = append(got, w.Events()) })
		w.Feed(ev.None)
		assert.True(t, w.Pending())
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.None}, got)
	})
}

func TestClearReturnsWhatWasPendingAndPreventsTheCallback(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		assert.Equal(t, ev.None, w.Clear())
		w.Feed(ev.Read)
		w.Feed(ev.Custom)
		assert.Equal(t, ev.Read|ev.Custom, w.Clear())
		assert.Equal(t, ev.None, w.Clear())
		assert.False(t, w.Pending())
		assert.True(t, w.Active(), "Clear does not stop")
		assert.Zero(t, l.Pending(), "a cleared slot does not count")
		nowait(t, l)
	})
}

func TestAClearedWatcherForgetsWhatItWasFed(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var got []ev.Events
		w := newWatcher(func(w ev.Watcher) { got = append(got, w.Events()) })
		w.Feed(ev.Read)
		w.Clear()
		w.Feed(ev.Write)
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Write}, got)
	})
}

func TestStopClearsAPendingEvent(t *testing.T) {
	for _, active := range []bool{false, true} {
		onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
			w := newWatcher(uncalled(t))
			if active {
				startIt(t, w)
			}
			w.Feed(ev.Custom)
			w.Stop()
			assert.False(t, w.Pending())
			assert.Zero(t, l.Pending())
			nowait(t, l)
		})
	}
}

func TestInvokeCallsAtOnceAndChangesNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var got []ev.Events
		w := newWatcher(func(w ev.Watcher) { got = append(got, w.Events()) })
		w.Invoke(ev.Custom)
		assert.False(t, w.Active() || w.Pending())

		startIt(t, w)
		w.Feed(ev.Read)
		w.Invoke(ev.Write)
		assert.True(t, w.Active())
		assert.True(t, w.Pending())
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Custom, ev.Write, ev.Read}, got)
		w.Stop()
	})
}

func TestACallbackThatInvokesItsOwnWatcherFindsItsEventsAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var got []ev.Events
		w := newWatcher(func(w ev.Watcher) {
			if w.Events() == ev.Custom {
				w.Invoke(ev.Read)
			}
			got = append(got, w.Events())
		})
		w.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Read, ev.Custom}, got)
	})
}

func TestACallbackThatRecoversThePanicOfAnInvokeFindsItsEventsAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		calls := 0
		w := newWatcher(func(w ev.Watcher) {
			if calls++; w.Events() == ev.Read {
				panic("boom")
			}
			assert.Equal(t, "boom", panicOf(func() { w.Invoke(ev.Read) }))
			assert.Equal(t, ev.Custom, w.Events())
		})
		w.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, 2, calls)
	})
}

func TestAWatcherIsNotPendingInsideItsCallback(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		calls := 0
		w := newWatcher(func(w ev.Watcher) {
			calls++
			assert.False(t, w.Pending())
			assert.True(t, w.Active())
			assert.Zero(t, l.Pending())
		})
		startIt(t, w)
		w.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, 1, calls)
		w.Stop()
	})
}

func TestACallbackThatFeedsItsWatcherIsCalledAgainInTheSamePass(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		calls := 0
		w := newWatcher(func(w ev.Watcher) {
			assert.Zero(t, l.Iteration())
			if calls++; calls < 4 {
				w.Feed(ev.Custom)
				assert.True(t, w.Pending())
			}
		})
		w.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, 4, calls)
	})
}

func TestFedEventsDoNotKeepRunGoing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(ignore)
		w.Feed(ev.Custom)
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
	})
}

// Callbacks that change other watchers.

func TestAWatcherStoppedEarlierInThePassIsNotCalled(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var second ev.Watcher
		first := newWatcher(func(ev.Watcher) { second.Stop() })
		second = newWatcher(uncalled(t))
		startIt(t, second)
		first.Feed(ev.Custom)
		second.Feed(ev.Custom)
		nowait(t, l)
		nowait(t, l)
	})
}

func TestAWatcherStoppedAndStartedEarlierInThePassIsNotCalled(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var second ev.Watcher
		first := newWatcher(func(ev.Watcher) { second.Stop(); startIt(t, second) })
		second = newWatcher(uncalled(t))
		startIt(t, second)
		first.Feed(ev.Custom)
		second.Feed(ev.Custom)
		nowait(t, l)
		nowait(t, l)
		second.Stop()
	})
}

func TestStoppingItselfAndANeighbourNeitherSkipsNorRepeatsTheRest(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var order journal
		var neighbour ev.Watcher
		ws := []ev.Watcher{
			newWatcher(func(w ev.Watcher) { order.note("first"); w.Stop(); neighbour.Stop() }),
			newWatcher(func(ev.Watcher) { order.note("neighbour") }),
			newWatcher(func(ev.Watcher) { order.note("third") }),
		}
		neighbour = ws[1]
		for _, w := range ws {
			startIt(t, w)
			w.Feed(ev.Custom)
		}
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, journal{"first", "third"}, order)
		ws[2].Stop()
	})
}

func TestAWatcherStartedDuringAPassIsNotCalledInIt(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var at []uint64
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { at = append(at, l.Iteration()) })
		})
		nowait(t, l)
		assert.Empty(t, at)
		nowait(t, l)
		assert.Equal(t, []uint64{2}, at)
	})
}

func TestTheCallbackSetWhilePendingIsTheOneCalled(t *testing.T) {
	l := newLoop(t)
	var order journal
	a := order.async(l, "old")
	a.Feed(ev.Custom)
	a.SetCallback(func(*ev.Async) { order.note("new async") })
	w := order.due(l, "old")
	w.SetCallback(func(*ev.Timer) { order.note("new timer") })
	nowait(t, l)
	assert.Equal(t, journal{"new async", "new timer"}, order)
}

func TestACallbackMayReplaceItself(t *testing.T) {
	l := newLoop(t)
	var order journal
	a := ev.NewAsync(l, func(a *ev.Async) {
		a.SetCallback(func(*ev.Async) { order.note("second") })
		order.note("first")
	})
	for range 3 {
		a.Feed(ev.Custom)
		nowait(t, l)
	}
	assert.Equal(t, journal{"first", "second", "second"}, order)
}

// Priorities.

func TestPrioritiesAreClamped(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		for given, want := range map[int]int{
			0: 0, 1: 1, 2: 2, 3: 2, 99: 2, math.MaxInt: 2,
			-1: -1, -2: -2, -3: -2, -99: -2, math.MinInt: -2, 256: 2, -128: -2,
		} {
			assert.Equal(t, want, newWatcher(ignore, ev.Priority(given)).Priority())
			w := newWatcher(ignore)
			assert.NoError(t, w.SetPriority(given))
			assert.Equal(t, want, w.Priority())
		}
		assert.Zero(t, newWatcher(ignore).Priority())
	})
}

func TestThePriorityOfAnActiveOrPendingWatcherCannotChange(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			w := kind(l, ignore, ev.Priority(1))
			startIt(t, w)
			assert.EqualError(t, w.SetPriority(0), "ev: "+name+".SetPriority: the watcher is active")
			w.Stop()
			w.Feed(ev.Custom)
			assert.EqualError(t, w.SetPriority(0), "ev: "+name+".SetPriority: the watcher is pending")
			assert.Equal(t, 1, w.Priority())
			w.Clear()
			assert.NoError(t, w.SetPriority(0))
			assert.Zero(t, w.Priority())
		})
	}
}

func TestPendingWatchersRunByPriority(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var order []int
		for _, p := range []int{-1, 2, 0, -2, 1} {
			newWatcher(func(w ev.Watcher) { order = append(order, w.Priority()) }, ev.Priority(p)).Feed(ev.Custom)
		}
		nowait(t, l)
		assert.Equal(t, []int{2, 1, 0, -1, -2}, order)
	})
}

func TestTimersDueTogetherRunByPriority(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []int
		for _, p := range []int{0, -1, 1} {
			dueNow(l, func(w *ev.Timer) { order = append(order, w.Priority()) }, ev.Priority(p))
		}
		nowait(t, l)
		assert.Equal(t, []int{1, 0, -1}, order)
	})
}

func TestSomethingUrgentFedInACallbackRunsBeforeTheRestOfThePass(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var order journal
		note := func(w ev.Watcher) { order.note(w.Name()) }
		urgent := newWatcher(note, ev.Name("urgent"), ev.Priority(2))
		newWatcher(func(ev.Watcher) { order.note("first"); urgent.Feed(ev.Custom) }).Feed(ev.Custom)
		newWatcher(note, ev.Name("second")).Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, journal{"first", "urgent", "second"}, order)
	})
}

func TestALowPriorityIsServedInTheSameIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		busy := ev.NewAsync(l, func(a *ev.Async) { a.Send() }, ev.Priority(2))
		busy.Start()
		busy.Send()
		var at []uint64
		w := ev.NewAsync(l, func(a *ev.Async) { at = append(at, l.Iteration()); a.Send() }, ev.Priority(-2))
		w.Start()
		w.Send()
		for range 3 {
			nowait(t, l)
		}
		assert.Equal(t, []uint64{1, 2, 3}, at)
	})
}

func TestInsideAPriorityTheFirstFedRunsFirst(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var order journal
		ws := map[string]ev.Watcher{}
		for _, name := range []string{"a", "b", "c"} {
			ws[name] = newWatcher(func(w ev.Watcher) { order.note(w.Name()) }, ev.Name(name))
		}
		for _, name := range []string{"c", "a", "c", "b", "a"} {
			ws[name].Feed(ev.Custom)
		}
		nowait(t, l)
		assert.Equal(t, journal{"c", "a", "b"}, order)
	})
}

func TestAClearedWatcherFedAgainQueuesAtTheEnd(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		var order journal
		note := func(w ev.Watcher) { order.note(w.Name()) }
		a, b := newWatcher(note, ev.Name("a")), newWatcher(note, ev.Name("b"))
		a.Feed(ev.Custom)
		b.Feed(ev.Custom)
		a.Clear()
		a.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, journal{"b", "a"}, order)
	})
}

// Keep, Ref, Unref.

func TestAWatcherThatDoesNotKeepTheLoopIsNotWaitedFor(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		w.Keep(false)
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
		assert.True(t, w.Active())
		w.Keep(true)
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
	})
}

func TestUnrefExemptsAWatcher(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		l.Unref()
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.True(t, w.Active())
		l.Ref()
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
	})
}

func TestRunEndsWithTheLastWatcherThatKeepsIt(t *testing.T) {
	for name, exempt := range map[string]func(l *ev.Loop, w ev.Watcher){
		"Keep":  func(_ *ev.Loop, w ev.Watcher) { w.Keep(false) },
		"Unref": func(l *ev.Loop, _ ev.Watcher) { l.Unref() },
	} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			far := farOff(t, l)
			exempt(l, far)
			fired := 0
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
			run(t, l)
			assert.Equal(t, 1, fired, name)
			assert.True(t, far.Active())
		})
	}
}

func TestKeepBelongsToTheWatcherAndSurvivesStopAndStart(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		w.Keep(false) // before Start
		w.Keep(false) // idempotent
		startIt(t, w)
		assert.False(t, l.Alive())
		w.Stop()
		startIt(t, w)
		assert.False(t, l.Alive())
		w.Keep(true)
		w.Keep(true)
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
		startIt(t, w)
		assert.True(t, l.Alive())
		w.Stop()
	})
}

func TestKeepSurvivesTheResetOfATimer(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, time.Hour, time.Hour, func(*ev.Timer) { assert.Fail(t, "called") })
	w.Keep(false)
	w.Reset()
	w.Reset()
	assert.True(t, w.Active())
	run(t, l)
	w.Keep(true)
	assert.True(t, l.Alive())
}

func TestATimerThatDoesNotKeepTheLoopMayExpireByItself(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		w := ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired++ })
		w.Keep(false)
		w.Start()
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		assert.Equal(t, 1, fired)
		assert.False(t, l.Alive())
		run(t, l) // does not wait for a reference that is gone
	})
}

func TestATimerExemptByUnrefTakesItsReferenceBackBeforeItExpires(t *testing.T) { // the rule that Unref documents
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Ref() }).Start()
		l.Unref()
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		assert.False(t, l.Alive())
	})
}

func TestAWatcherMayStopKeepingTheLoopInItsCallback(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, 0, time.Millisecond, func(w *ev.Timer) {
			if ticks++; ticks == 3 {
				w.Keep(false)
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 3, ticks)
		assert.EqualValues(t, 3, l.Iteration())
	})
}

func TestADueTimerIsCalledThoughNothingKeepsTheLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		order.due(l, "called").Keep(false)
		run(t, l)
		assert.Equal(t, journal{"called"}, order, "one iteration is always made")
	})
}

func TestRefKeepsRunGoingWithoutAWatcher(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		l.Ref()
		assert.True(t, l.Alive())
		ended := goRun(l)
		untilParked(t, l, 0)
		assert.NoError(t, l.Post(l.Unref))
		assert.NoError(t, receive(t, ended))
	})
}

// Attributes.

func TestAWatcherHasItsLoopItsNameAndItsData(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(ignore, ev.Name("mine"), ev.Data(42))
		assert.Same(t, l, w.Loop())
		assert.Equal(t, "mine", w.Name())
		assert.Equal(t, 42, w.Data())
		startIt(t, w)
		w.SetData("other")
		assert.Equal(t, "other", w.Data())
		w.Stop()

		plain := newWatcher(ignore)
		assert.Empty(t, plain.Name())
		assert.Nil(t, plain.Data())
	})
}

func TestOfAnOptionGivenTwiceTheLastCounts(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		assert.Equal(t, 2, newWatcher(ignore, ev.Priority(1), ev.Priority(2)).Priority())
	})
}

// Misuse.

func TestConstructorsPanicWithTheirNameAndTheArgument(t *testing.T) {
	l := newLoop(t)
	async, timer := func(*ev.Async) {}, func(*ev.Timer) {}
	signal, queue := func(*ev.Signal) {}, func(*ev.Queue[int], []int) {}
	for want, construct := range map[string]func(){
		"ev: NewAsync: nil loop":            func() { ev.NewAsync(nil, async) },
		"ev: NewAsync: nil callback":        func() { ev.NewAsync(l, nil) },
		"ev: NewAsync: nil option":          func() { ev.NewAsync(l, async, nil) },
		"ev: NewTimer: nil loop":            func() { ev.NewTimer(nil, 0, 0, timer) },
		"ev: NewTimer: nil callback":        func() { ev.NewTimer(l, 0, 0, nil) },
		"ev: NewTimer: nil option":          func() { ev.NewTimer(l, 0, 0, timer, ev.Priority(1), nil) },
		"ev: NewTimer: negative repeat -1s": func() { ev.NewTimer(l, 0, -time.Second, timer) },
		"ev: NewSignal: nil loop":           func() { ev.NewSignal(nil, os.Interrupt, signal) },
		"ev: NewSignal: nil callback":       func() { ev.NewSignal(l, os.Interrupt, nil) },
		"ev: NewQueue: nil loop":            func() { ev.NewQueue(nil, 0, queue) },
		"ev: NewQueue: nil callback":        func() { ev.NewQueue[int](l, 0, nil) },
		"ev: NewQueue: negative limit":      func() { ev.NewQueue(l, -1, queue) },
	} {
		assert.PanicsWithValue(t, want, construct)
	}
}

func TestANilCallbackCannotBeSet(t *testing.T) {
	l := newLoop(t)
	assert.PanicsWithValue(t, "ev: Async.SetCallback: nil callback",
		func() { ev.NewAsync(l, func(*ev.Async) {}).SetCallback(nil) })
	assert.PanicsWithValue(t, "ev: Timer.SetCallback: nil callback",
		func() { ev.NewTimer(l, 0, 0, func(*ev.Timer) {}).SetCallback(nil) })
}

// After Close.

func TestWatchersOfAClosedLoopDoNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		w.Feed(ev.Custom)
		require.NoError(t, l.Close())
		assert.False(t, w.Active() || w.Pending(), "Close stops the watchers")

		switch w := w.(type) {
		case interface{ Start() }:
			w.Start()
		case interface{ Start() error }:
			assert.Equal(t, ev.ErrClosed, w.Start())
		}
		w.Feed(ev.Custom)
		assert.False(t, w.Active() || w.Pending())
		assert.Equal(t, ev.None, w.Clear())
		w.Keep(false)
		w.Keep(true)
		w.Stop()
		l.Invoke()
		assert.False(t, l.Alive())
		assert.NoError(t, w.SetPriority(1))
	})
}

func TestStartAfterCloseInTheSameCallbackHasNoEffect(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		late := ev.NewTimer(l, 0, 0, func(*ev.Timer) { assert.Fail(t, "called") })
		dueNow(l, func(*ev.Timer) {
			assert.NoError(t, l.Close())
			late.Start()
			assert.False(t, late.Active())
			late.Feed(ev.Custom)
			assert.False(t, late.Pending())
		})
		assert.Equal(t, ev.ErrClosed, l.Run(t.Context()))
	})
}

func TestTheDoorsOfAClosedLoopAnswerErrClosed(t *testing.T) {
	l := newLoop(t)
	a := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
	a.Start()
	q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) { assert.Fail(t, "called") })
	require.NoError(t, l.Close())
	assert.Equal(t, ev.ErrClosed, l.Post(func() { assert.Fail(t, "called") }))
	_, err := ev.Call(t.Context(), l, func() (int, error) { assert.Fail(t, "called"); return 0, nil })
	assert.Equal(t, ev.ErrClosed, err)
	assert.Equal(t, ev.ErrClosed, q.Send(1))
	a.Send()
	l.Stop()
	l.StopAll()
	l.Stats()
	l.Invoke()
}

func TestEventsSurviveAPanicOfANestedCallback(t *testing.T) {
	l := newLoop(t, ev.WithPanicHandler(func(ev.Watcher, any, []byte) {}))
	calls := 0
	w := ev.NewAsync(l, func(w *ev.Async) {
		if calls++; calls == 2 {
			panic("boom")
		}
		w.Feed(ev.Custom)
		nowait(t, l)
		assert.Equal(t, ev.AsyncEvent, w.Events())
	})
	w.Feed(ev.AsyncEvent)
	nowait(t, l)
	assert.Equal(t, 2, calls)
}
