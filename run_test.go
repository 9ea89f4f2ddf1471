package ev_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// runModes are the three ways to run a loop.
var runModes = map[string]func(l *ev.Loop, ctx context.Context) error{
	"Run":       (*ev.Loop).Run,
	"RunOnce":   (*ev.Loop).RunOnce,
	"RunNoWait": func(l *ev.Loop, _ context.Context) error { return l.RunNoWait() },
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

func TestRunOnASecondGoroutineIsAnError(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start(t, l)
		err := l.Run(context.Background())
		require.Error(t, err)
		assert.Regexp(t, `^ev: Run: goroutine \d+ is running this loop already$`, err.Error())
		onLoop(t, l, func() { assert.Equal(t, 1, l.Depth()) })
	})
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
