package ev_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// kinds make a watcher of each kind, with fn as its callback. Only Feed makes it
// pending.
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

func TestMethodsOfAClosedLoopReturnErrClosed(t *testing.T) {
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
