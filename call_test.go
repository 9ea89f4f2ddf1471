package ev_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

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
		for _, ctx := range []context.Context{t.Context(), context.Background()} {
			other, free := newLoop(t), make(chan struct{})
			go host.Post(func() { receive(t, free) })
			dueNow(other, func(*ev.Timer) { // the goroutine is in a Run of another loop
				time.AfterFunc(2*slowAnswer, func() { close(free) })
				v, err := ev.Call(ctx, embedded, func() (int, error) { return 7, nil })
				assert.NoError(t, err)
				assert.Equal(t, 7, v)
			})
			run(t, other)
		}
	})
}

// slowAnswer is the time after which Call checks whether it waits for itself.
const slowAnswer = 20 * time.Millisecond

// While the host's goroutine is about to park, another parks in the embedded loop. So a parked loop
// does not mean that its goroutine is another.
func TestCallToAParkedEmbeddedLoopByItsHostPanics(t *testing.T) {
	host, embedded := newLoop(t), newLoop(t)
	embed(t, host, embedded)
	farOff(t, host)
	stop := host.Observe(&ev.Observer{Park: func(time.Time) {
		untilParked(t, embedded, 0)
		ev.Call(context.Background(), embedded, func() (int, error) { return 0, nil })
	}})
	defer stop()
	assert.PanicsWithValue(t, "ev: Call on the loop's own goroutine would wait for itself for ever",
		func() { run(t, host) })
}

func TestACallCostsOneAllocationAndTheCallersOwn(t *testing.T) {
	skipWithDebug(t)
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := newLoop(t)
	start(t, l)
	sum, i := 0, 0
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		i++
		n := i
		v, _ := ev.Call(context.Background(), l, func() (int, error) { return n, nil })
		sum += v
	}), 2.0)
	assert.Equal(t, i*(i+1)/2, sum)
}
