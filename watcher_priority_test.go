package ev_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

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
