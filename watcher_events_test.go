package ev_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

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
