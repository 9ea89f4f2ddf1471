package ev_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestCloseIsIdempotent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		assert.NoError(t, l.Close(), "never run")
		assert.NoError(t, l.Close())
		assert.False(t, l.Alive())
		assert.Zero(t, l.Active())
	})
}

func TestAClosedLoopDoesNotRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		run(t, l)
		require.NoError(t, l.Close())
		l.SetInvoke(func(*ev.Loop) { assert.Fail(t, "called") })
		for name, runIt := range runModes {
			assert.Equal(t, ev.ErrClosed, runIt(l, context.Background()), name)
		}
		assert.EqualValues(t, 1, l.Iteration())
		assert.EqualError(t, ev.ErrClosed, "ev: loop closed")
	})
}

func TestCloseOutsideRunStopsTheWatchersAndDropsWhatIsPending(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		w := dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		w.Feed(ev.Custom)
		l.SetData("mine")
		require.NoError(t, l.Close())
		assert.False(t, w.Active())
		assert.False(t, w.Pending())
		assert.Zero(t, l.Pending())
		assert.Equal(t, "mine", l.Data())
		l.Invoke()
	})
}

func TestCloseInACallbackFinishesItAndDropsTheRest(t *testing.T) {
	for name, runIt := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			var rest *ev.Timer
			dueNow(l, func(*ev.Timer) {
				assert.NoError(t, l.Close())
				assert.True(t, rest.Pending())
				order.note("closed")
			})
			rest = order.due(l, "rest")
			order.due(l, "lower priority", ev.Priority(-1))
			assert.Equal(t, ev.ErrClosed, runIt(l, context.Background()), name)
			assert.Equal(t, journal{"closed"}, order)
			assert.False(t, rest.Pending())
			assert.Zero(t, l.Depth())
			assert.Zero(t, l.Active())
		})
	}
}

func TestCloseInNestedRunsEndsAllOfThem(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		farOff(t, l)
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
			assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
			order.note("inner returned")
			assert.Equal(t, 1, l.Active(), "the outer Run takes the loop down")
			order.async(l, "rest").Feed(ev.Custom)
		})
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
		assert.Equal(t, journal{"inner returned"}, order)
		assert.Zero(t, l.Active())
	})
}

func TestCloseInACallbackMadeOutsideRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		ev.NewAsync(l, func(*ev.Async) { order.note("closed"); assert.NoError(t, l.Close()) }).Feed(ev.Custom)
		order.async(l, "rest").Feed(ev.Custom)
		l.Invoke()
		assert.Equal(t, journal{"closed"}, order)
		assert.Zero(t, l.Pending())
	})
}

// closeFromThree calls Close on three goroutines at once.
func closeFromThree(t *testing.T, l *ev.Loop) {
	barrier := make(chan struct{})
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			<-barrier
			assert.NoError(t, l.Close())
		})
	}
	close(barrier)
	closers.Wait()
}

func TestCloseFromThreeGoroutinesEndsAParkedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		ended := goRun(l)
		untilParked(t, l, 0)
		closeFromThree(t, l)
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
		assert.False(t, far.Active())
	})
}

func TestCloseFromThreeGoroutinesEndsNestedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		inner := make(chan error, 1)
		dueNow(l, func(*ev.Timer) { inner <- l.Run(context.Background()) })
		ended := goRun(l)
		untilParked(t, l, 0)
		closeFromThree(t, l)
		assert.Equal(t, ev.ErrClosed, receive(t, inner))
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
	})
}

func TestCloseFromThreeGoroutinesWhileNotRunning(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far := farOff(t, l)
		closeFromThree(t, l)
		assert.False(t, far.Active())
		assert.Equal(t, ev.ErrClosed, l.RunNoWait())
	})
}

func TestCloseInACallbackRacesWithCloseElsewhere(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		elsewhere := make(chan error, 1)
		dueNow(l, func(*ev.Timer) {
			go func() { elsewhere <- l.Close() }()
			assert.NoError(t, l.Close())
		})
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
		assert.NoError(t, receive(t, elsewhere))
	})
}

// Close is called at a random moment of a Run: at its beginning, in a pass, or on the
// way to a park.
func TestCloseIsNeverLost(t *testing.T) {
	const rounds = 200
	r := rand.New(rand.NewPCG(5, 6))
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for range rounds {
			l, err := ev.New(ev.WithBackend(l.Backend()))
			require.NoError(t, err)
			farOff(t, l)
			ended := goRun(l)
			for range r.IntN(4) {
				runtime.Gosched()
			}
			require.NoError(t, l.Close())
			require.Equal(t, ev.ErrClosed, receive(t, ended))
			require.Zero(t, l.Active())
		}
	})
}

func TestCloseDoesNotWaitForTheCallbackInProgress(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		stuck, free, finished := make(chan struct{}), make(chan struct{}), false
		dueNow(l, func(*ev.Timer) { close(stuck); <-free; finished = true })
		ended := goRun(l)
		receive(t, stuck)
		require.NoError(t, l.Close())
		assert.Empty(t, ended)
		close(free)
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
		assert.True(t, finished)
	})
}

func TestCloseGivesTheDescriptorsBack(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc/self/fd")
	}
	before := openDescriptors()
	inCallback := func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()) })
		assert.Equal(t, ev.ErrClosed, l.Run(context.Background()))
	}
	afterAPanic := func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { assert.NoError(t, l.Close()); panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	}
	neverRun := func(l *ev.Loop) { assert.NoError(t, l.Close()) }
	for _, end := range []func(*ev.Loop){inCallback, afterAPanic, neverRun} {
		l, err := ev.New()
		require.NoError(t, err)
		end(l)
		assert.LessOrEqual(t, openDescriptors(), before)
	}
}
