package ev_test

import (
	"context"
	"errors"
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

func TestCallReturnsWhatTheFunctionReturns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start(t, l)
		v, err := ev.Call(t.Context(), l, func() (int, error) { return 42, nil })
		require.NoError(t, err)
		assert.Equal(t, 42, v)
		wrong := errors.New("wrong")
		_, err = ev.Call(t.Context(), l, func() (int, error) { return 0, wrong })
		assert.Same(t, wrong, err)
	})
}

func TestCallWithADoneContextDoesNotEvenPost(t *testing.T) {
	l := newLoop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ev.Call(ctx, l, func() (int, error) { assert.Fail(t, "ran"); return 0, nil })
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, l.Alive())
}

func TestCallCancelledWhileQueuedDoesNotRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := ev.Call(ctx, l, func() (int, error) { assert.Fail(t, "ran"); return 0, nil })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		run(t, l)
	})
}

func TestCallCancelledWhileRunningReturnsAtOnce(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		free := make(chan struct{})
		_, err := ev.Call(ctx, l, func() (int, error) { cancel(); <-free; return 0, nil })
		assert.ErrorIs(t, err, context.Canceled)
		close(free)
	})
}

func TestCallQueuedWhenTheLoopClosesGetsErrClosed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		answer := make(chan error, 1)
		go func() {
			_, err := ev.Call(context.Background(), l, func() (int, error) { return 0, nil })
			answer <- err
		}()
		require.Eventually(t, l.Alive, patience, time.Millisecond)
		require.NoError(t, l.Close())
		assert.ErrorIs(t, receive(t, answer), ev.ErrClosed)
		_, err := ev.Call(t.Context(), l, func() (int, error) { return 0, nil })
		assert.ErrorIs(t, err, ev.ErrClosed)
	})
}

func TestCallThatClosesTheLoopGetsItsAnswer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ended := make(chan error, 1)
		ev.NewAsync(l, func(*ev.Async) {}).Start()
		go func() { ended <- l.Run(context.Background()) }()
		v, err := ev.Call(t.Context(), l, func() (int, error) { return 7, l.Close() })
		require.NoError(t, err)
		assert.Equal(t, 7, v)
		assert.ErrorIs(t, receive(t, ended), ev.ErrClosed)
	})
}

func TestAPanicInCallReachesTheCallerAndTheLoop(t *testing.T) {
	boom := errors.New("boom")
	var seen any
	var stack string
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start(t, l)
		_, err := ev.Call(t.Context(), l, func() (int, error) { panic(boom) })
		var p *ev.PanicError
		require.ErrorAs(t, err, &p)
		assert.ErrorIs(t, err, boom)
		assert.Contains(t, string(p.Stack), "TestAPanicInCall")
		onLoop(t, l, func() {
			assert.Equal(t, boom, seen)
			assert.Contains(t, stack, "TestAPanicInCall", "the stack is that of the first panic")
		})
	}, ev.WithPanicHandler(func(w ev.Watcher, v any, s []byte) {
		seen, stack = v, string(s)
		if w != nil {
			panic("w is nil for Call")
		}
	}))
}

func TestAPanicInCallLeavesRunWithoutAHandler(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		answer := make(chan error, 1)
		go func() {
			_, err := ev.Call(context.Background(), l, func() (int, error) { panic("boom") })
			answer <- err
		}()
		require.Eventually(t, l.Alive, patience, time.Millisecond)
		assert.PanicsWithValue(t, "boom", func() { run(t, l) })
		assert.EqualError(t, receive(t, answer), "ev: panic: boom")
		assert.Zero(t, l.Depth())
	})
}

func TestGoexitInCallEndsTheGoroutineAndTellsTheCaller(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		gone := make(chan struct{})
		ev.NewAsync(l, func(*ev.Async) {}).Start()
		go func() {
			defer close(gone)
			_ = l.Run(context.Background())
			assert.Fail(t, "Goexit was stopped")
		}()
		_, err := ev.Call(t.Context(), l, func() (int, error) { runtime.Goexit(); return 0, nil })
		assert.ErrorContains(t, err, "Goexit")
		receive(t, gone)
		nowait(t, l) // the loop is usable
	})
}

func TestCallOnTheLoopsOwnGoroutinePanics(t *testing.T) {
	for _, debug := range []string{"", "1"} {
		t.Setenv("EV_DEBUG", debug)
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			call := func() {
				_, _ = ev.Call(context.Background(), l, func() (int, error) { return 0, nil })
			}
			require.NoError(t, l.Post(call))
			assert.PanicsWithValue(t, "ev: Call on the loop's own goroutine would wait for itself for ever",
				func() { run(t, l) })
			if debug == "1" {
				require.NoError(t, l.Post(call))
				assert.Panics(t, func() { once(t, l) })
			}
		})
	}
}

// The goroutine of an embedded loop is the one in its host's Run, through chains, also
// while no sweep is in progress.
func TestCallToALoopThatThisGoroutineRunsAsAnEmbeddedLoopPanics(t *testing.T) {
	var loops []*ev.Loop
	remake := func() {
		loops = []*ev.Loop{newLoop(t), newLoop(t), newLoop(t), newLoop(t)}
		embed(t, loops[0], loops[1])
		embed(t, loops[1], loops[2])
		embed(t, loops[0], loops[3])
	}
	panics := func(from, to int) {
		assert.PanicsWithValue(t, "ev: Call on the loop's own goroutine would wait for itself for ever", func() {
			ev.Call(context.Background(), loops[to], func() (int, error) {
				assert.Fail(t, "it was given up")
				return 0, nil
			})
		}, "%d calls %d", from, to)
	}
	t.Setenv("EV_DEBUG", "1") // then RunOnce and RunNoWait look up their goroutine
	remake()
	dueNow(loops[0], func(*ev.Timer) { panics(0, 2) })
	once(t, loops[0])
	t.Setenv("EV_DEBUG", "")
	remake()
	for from, l := range loops {
		for to := range loops {
			dueNow(l, func(*ev.Timer) {
				panics(from, to)
				loops[0].Stop()
			})
			run(t, loops[0])
		}
	}
}

// A slow answer from an embedded loop must not make other goroutines panic.
func TestCallToAnEmbeddedLoopFromOtherGoroutinesWaits(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		start(t, host)
		other, free := newLoop(t), make(chan struct{})
		go host.Post(func() { receive(t, free) })
		dueNow(other, func(*ev.Timer) { // the goroutine is in a Run of another loop
			time.AfterFunc(2*slowAnswer, func() { close(free) })
			v, err := ev.Call(t.Context(), embedded, func() (int, error) { return 7, nil })
			assert.NoError(t, err)
			assert.Equal(t, 7, v)
		})
		run(t, other)
	})
}

// slowAnswer is the time after which Call checks whether it waits for itself.
const slowAnswer = 20 * time.Millisecond

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
