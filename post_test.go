package ev_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestPostsRunInOrderInTheFirstIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		for i := range 100 {
			require.NoError(t, l.Post(func() { got = append(got, i) }))
		}
		assert.True(t, l.Alive(), "what is posted keeps Run going")
		run(t, l)
		assert.Len(t, got, 100)
		assert.IsIncreasing(t, got)
		assert.EqualValues(t, 1, l.Iteration())
		assert.False(t, l.Alive())
	})
}

func TestAPostFromAPostRunsInTheNextIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var iterations []uint64
		var again func()
		again = func() {
			if iterations = append(iterations, l.Iteration()); len(iterations) < 3 {
				require.NoError(t, l.Post(again))
			}
		}
		require.NoError(t, l.Post(again))
		run(t, l)
		assert.Equal(t, []uint64{1, 2, 3}, iterations)
	})
}

func TestPostsKeepTheirPlaceAmongPriorities(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []string
		urgent := ev.NewAsync(l, func(*ev.Async) { order = append(order, "urgent") }, ev.Priority(1))
		for _, name := range []string{"1", "2"} {
			require.NoError(t, l.Post(func() {
				order = append(order, name)
				urgent.Feed(ev.Custom)
			}))
		}
		run(t, l)
		assert.Equal(t, []string{"1", "urgent", "2", "urgent"}, order)
	})
}

func TestPostsFromManyGoroutinesAllRunAndKeepEachOnesOrder(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, posts = 8, 1000
		last := make([]int, senders)
		total := 0
		start(t, l)
		var done sync.WaitGroup
		for s := range senders {
			done.Go(func() {
				for i := 1; i <= posts; i++ {
					assert.NoError(t, l.Post(func() {
						assert.Equal(t, i, last[s]+1)
						last[s] = i
						total++
					}))
				}
			})
		}
		done.Wait()
		onLoop(t, l, func() { assert.Equal(t, senders*posts, total) })
	})
}

func TestAPanicInAPostLeavesTheOthersPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		require.NoError(t, l.Post(func() { got = append(got, 1) }))
		require.NoError(t, l.Post(func() { panic("boom") }))
		require.NoError(t, l.Post(func() { got = append(got, 2) }))
		assert.PanicsWithValue(t, "boom", func() { _ = l.RunNoWait() })
		assert.Equal(t, []int{1}, got)
		assert.True(t, l.Alive())
		run(t, l)
		assert.Equal(t, []int{1, 2}, got)
	})
}

func TestPostAfterCloseIsRefusedAndWhatWaitsIsDropped(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.Post(func() { assert.Fail(t, "dropped") }))
		require.NoError(t, l.Close())
		assert.ErrorIs(t, l.Post(func() {}), ev.ErrClosed)
		assert.EqualError(t, ev.ErrClosed, "ev: loop closed")
		assert.ErrorIs(t, l.RunNoWait(), ev.ErrClosed)
	})
}

func TestPostOfNothingPanics(t *testing.T) {
	l := newLoop(t)
	assert.PanicsWithValue(t, "ev: Loop.Post: nil function", func() { _ = l.Post(nil) })
	assert.PanicsWithValue(t, "ev: Call: nil function", func() { _, _ = ev.Call[int](t.Context(), l, nil) })
	assert.PanicsWithValue(t, "ev: Go: nil function", func() { ev.Go(l, nil, func(int, error) {}) })
}

func TestGoRunsWorkElsewhereAndDoneOnTheLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got string
		ev.Go(l, func() (string, error) {
			time.Sleep(5 * time.Millisecond)
			return "worked", nil
		}, func(s string, err error) {
			assert.NoError(t, err)
			assert.Equal(t, 1, l.Depth())
			got = s
		})
		run(t, l) // waits for done
		assert.Equal(t, "worked", got)
		assert.False(t, l.Alive())
	})
}

func TestGoReportsAPanicAndAGoexitToDone(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var errs []string
		done := func(v int, err error) {
			assert.Zero(t, v)
			require.Error(t, err)
			errs = append(errs, err.Error())
		}
		ev.Go(l, func() (int, error) { panic("boom") }, done)
		run(t, l)
		ev.Go(l, func() (int, error) { runtime.Goexit(); return 1, nil }, done)
		run(t, l)
		require.Len(t, errs, 2)
		assert.Equal(t, "ev: panic: boom", errs[0])
		assert.True(t, strings.Contains(errs[1], "Goexit"))
	})
}

func TestDoneThatPanicsDropsTheReference(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { run(t, l) })
		assert.False(t, l.Alive())
	})
}

func TestGoOnALoopThatClosesMeanwhileDoesNotCallDone(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		begun, free, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		ev.Go(l, func() (int, error) { defer close(ended); close(begun); <-free; return 0, nil },
			func(int, error) { assert.Fail(t, "done ran on a closed loop") })
		receive(t, begun)
		require.NoError(t, l.Close())
		close(free)
		receive(t, ended)
		ev.Go(l, func() (int, error) { assert.Fail(t, "work began on a closed loop"); return 0, nil },
			func(int, error) {})
	})
}
