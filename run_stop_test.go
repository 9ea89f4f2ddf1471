package ev_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

var stops = map[string]func(*ev.Loop){"Stop": (*ev.Loop).Stop, "StopAll": (*ev.Loop).StopAll}

func TestStopOutsideARunHasNoEffect(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := false
			ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
			stop(l)
			run(t, l)
			assert.True(t, fired)
		})
	}
}

func TestStopInACallbackLetsTheRestOfThePassRun(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			farOff(t, l)
			dueNow(l, func(*ev.Timer) { order.note("stop"); stop(l) })
			order.due(l, "same priority")
			order.due(l, "lower priority", ev.Priority(-1))
			run(t, l)
			assert.Equal(t, journal{"stop", "same priority", "lower priority"}, order)
			assert.EqualValues(t, 1, l.Iteration())
			assert.True(t, l.Alive())
		})
	}
}

func TestAStoppedLoopGoesOnInTheNextRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			switch ticks++; ticks {
			case 1:
				l.Stop()
			case 10:
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 1, ticks)
		assert.True(t, l.Alive())
		run(t, l)
		assert.Equal(t, 10, ticks)
		assert.False(t, l.Alive())
	})
}

func TestStopBeforeTheFirstPollSkipsThePoll(t *testing.T) {
	for name, runIt := range runModes {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			ev.NewAsync(l, func(*ev.Async) { order.note("fed"); l.Stop() }).Feed(ev.Custom)
			timer := order.due(l, "timer")
			require.NoError(t, runIt(l, context.Background()))
			assert.Equal(t, journal{"fed"}, order, name)
			assert.Zero(t, l.Iteration())
			assert.True(t, timer.Active())
		})
	}
}

func TestStopAllEndsEveryRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		farOff(t, l)
		rest := order.async(l, "rest")
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) {
				assert.Equal(t, 2, l.Depth())
				l.StopAll()
			})
			run(t, l)
			order.note("inner returned")
			rest.Feed(ev.Custom)
		})
		run(t, l)
		assert.Equal(t, journal{"inner returned", "rest"}, order)
		assert.True(t, l.Alive())
	})
}

func TestStopEndsOnlyTheInnermostRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
			far := farOff(t, l)
			run(t, l)
			far.Stop()
			order.note("inner returned")
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("outer goes on") }).Start()
		})
		run(t, l)
		assert.Equal(t, journal{"inner returned", "outer goes on"}, order)
		assert.False(t, l.Alive())
	})
}

func TestARunEnteredAfterAStopNeitherSeesNorClearsIt(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var order journal
			far := farOff(t, l)
			dueNow(l, func(*ev.Timer) {
				stop(l)
				far.Stop()
				ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("inner went on") }).Start()
				run(t, l)
				order.note("inner returned")
				far.Start()
			})
			run(t, l)
			assert.Equal(t, journal{"inner went on", "inner returned"}, order)
			assert.True(t, l.Alive(), "the outer Run was stopped")
		})
	}
}

func TestARequestToStopDiesWithTheOutermostRun(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			dueNow(l, func(*ev.Timer) {
				dueNow(l, func(*ev.Timer) { l.StopAll() })
				nowait(t, l)
				stop(l)
			})
			nowait(t, l)
			ticks := 0
			ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
				if ticks++; ticks == 3 {
					w.Stop()
				}
			}).Start()
			run(t, l)
			assert.Equal(t, 3, ticks)
		})
	}
}

func TestStopFromAnotherGoroutineWakesAParkedLoop(t *testing.T) {
	for _, stop := range stops {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			farOff(t, l)
			ended := goRun(l)
			untilParked(t, l, 0)
			stop(l)
			assert.NoError(t, receive(t, ended))
			assert.True(t, l.Alive())
		})
	}
}

// Stop is called at a random moment of a Run: before the first park, on the way to a
// park, or in a park.
func TestStopIsNeverLostWhileARunIsActive(t *testing.T) {
	const rounds = 1000
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		entered := make(chan struct{}, 1)
		first := ev.NewAsync(l, func(*ev.Async) { entered <- struct{}{} })
		r := rand.New(rand.NewPCG(3, 4))
		for range rounds {
			first.Feed(ev.Custom)
			ended := goRun(l)
			receive(t, entered)
			for range r.IntN(4) {
				runtime.Gosched()
			}
			l.Stop()
			require.NoError(t, receive(t, ended))
		}
	})
}

// parkedNested runs the loop on another goroutine until it is parked in a Run
// inside a Run. The inner channel gets a value when the inner Run returns.
func parkedNested(t *testing.T, l *ev.Loop) (inner <-chan int, outer <-chan error) {
	farOff(t, l)
	entering, returned := make(chan uint64, 1), make(chan int, 1)
	dueNow(l, func(*ev.Timer) {
		entering <- l.Stats().Parks
		assert.NoError(t, l.Run(context.Background()))
		returned <- l.Depth()
	})
	ended := goRun(l)
	untilParked(t, l, receive(t, entering))
	return returned, ended
}

func TestStopFromAnotherGoroutineEndsTheInnermostOfTheParkedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		inner, outer := parkedNested(t, l)
		parks := l.Stats().Parks
		l.Stop()
		assert.Equal(t, 1, receive(t, inner))
		untilParked(t, l, parks)
		assert.Empty(t, outer)
		l.Stop()
		assert.NoError(t, receive(t, outer))
	})
}

func TestStopAllFromAnotherGoroutineEndsAllOfTheParkedRuns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		inner, outer := parkedNested(t, l)
		l.StopAll()
		assert.Equal(t, 1, receive(t, inner))
		assert.NoError(t, receive(t, outer))
	})
}
