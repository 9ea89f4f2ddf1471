package ev_test

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

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
		timer.Feed(ev.Custom) // pending events are dropped before
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
			assert.LessOrEqual(t, openDescriptors(), before)
			assert.False(t, timer.Active())
			assert.NoError(t, l.Close())

			l, err = ev.New(ev.WithBackend(backend))
			require.NoError(t, err)
			ev.NewCleanup(l, func(*ev.Cleanup) { panic("cleanup") }).Start()
			dueNow(l, func(*ev.Timer) { l.Close() })
			assert.PanicsWithValue(t, "cleanup", func() { l.Run(t.Context()) })
			assert.LessOrEqual(t, openDescriptors(), before)
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
