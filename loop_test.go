package ev_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

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
