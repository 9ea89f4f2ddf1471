package ev_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

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

// runToGoexit runs the loop on a goroutine, waits for its end, and reports whether Run
// returned.
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
