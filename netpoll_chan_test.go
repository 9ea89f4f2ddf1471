package ev_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// inBubble runs the test in a bubble of testing/synctest, with a loop on the channel
// backend. The bubble's clock stands still while a goroutine runs, and jumps to the
// next timer when all of them wait. These tests compare times exactly, and a day takes
// milliseconds.
func inBubble(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, newLoop(t, ev.WithBackend(ev.BackendChan)))
	})
}

const day = 24 * time.Hour

// toTheEnd runs the loop to its end. On the bubble's clock that may take any time.
func toTheEnd(t *testing.T, l *ev.Loop) {
	t.Helper()
	require.NoError(t, l.Run(context.Background()))
}

// Timers to the nanosecond.

func TestADayOfMinutesIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := time.Now()
		ticks := 0
		ev.NewTimer(l, time.Minute, time.Minute, func(w *ev.Timer) {
			ticks++
			at := time.Duration(ticks) * time.Minute
			require.Equal(t, at, time.Since(began))
			require.Equal(t, at, l.Now().Sub(began))
			require.Equal(t, time.Minute, w.Remaining())
			if at == day {
				w.Stop()
			}
		}).Start()
		toTheEnd(t, l)
		assert.Equal(t, 24*60, ticks)
		assert.EqualValues(t, ticks, l.Iteration(), "no iteration without a tick")
		assert.Equal(t, day, time.Since(began))
	})
}

func TestAChainOfOneShotsOverADayIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := time.Now()
		due, links := time.Duration(0), 0
		var next func()
		next = func() {
			after := time.Duration(links%7)*time.Minute + time.Duration(links%5)*time.Microsecond + time.Duration(links%3)
			links++
			due += after
			ev.NewTimer(l, after, 0, func(*ev.Timer) {
				require.Equal(t, due, time.Since(began))
				if due < day {
					next()
				}
			}).Start()
		}
		next()
		toTheEnd(t, l)
		assert.Equal(t, due, time.Since(began))
		assert.EqualValues(t, links, l.Iteration())
	})
}

func TestAVeryLongWaitIsExact(t *testing.T) {
	for _, after := range []time.Duration{time.Hour, 200 * day, 20 * 365 * day, 100 * 365 * day} {
		inBubble(t, func(t *testing.T, l *ev.Loop) {
			began := time.Now()
			ev.NewTimer(l, after, 0, func(*ev.Timer) { assert.Equal(t, after, time.Since(began)) }).Start()
			toTheEnd(t, l)
			assert.EqualValues(t, 1, l.Iteration())
			assert.Equal(t, after, time.Since(began))
			assert.WithinDuration(t, time.Now(), l.Now(), 0)
		})
	}
}

func TestSlowCallbacksDoNotMakeARepeatingTimerDrift(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := l.Now()
		ticks := 0
		ev.NewTimer(l, 10*time.Millisecond, 10*time.Millisecond, func(w *ev.Timer) {
			ticks++
			require.Equal(t, time.Duration(ticks)*10*time.Millisecond, time.Since(began))
			time.Sleep(time.Duration(ticks%10) * time.Millisecond)
			if ticks == 100 {
				w.Stop()
			}
		}).Start()
		toTheEnd(t, l)
	})
}

func TestMissedTicksAreCalledOnceAndNotReplayed(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		const ms = time.Millisecond
		began := l.Now()
		var at []time.Duration
		ev.NewTimer(l, 10*ms, 10*ms, func(w *ev.Timer) {
			at = append(at, time.Since(began))
			switch len(at) {
			case 2:
				time.Sleep(55 * ms)
			case 6:
				w.Stop()
			}
		}).Start()
		toTheEnd(t, l)
		// The callback blocks from 20 to 75. The tick of 30 comes at 75, the next one
		// follows at once, and the interval counts from there.
		assert.Equal(t, []time.Duration{10 * ms, 20 * ms, 75 * ms, 75*ms + 1, 85*ms + 1, 95*ms + 1}, at)
	})
}

func TestResetKeepsATimerFromFiring(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := l.Now()
		var first, second int
		watched := ev.NewTimer(l, 100*time.Millisecond, 100*time.Millisecond, func(w *ev.Timer) {
			second++
			assert.NoError(t, w.SetRepeat(0))
		})
		watched.Start()
		ev.NewTimer(l, 50*time.Millisecond, 50*time.Millisecond, func(w *ev.Timer) {
			assert.Zero(t, second)
			watched.Reset()
			if first++; first == 10 {
				w.Stop()
			}
		}).Start()
		toTheEnd(t, l)
		assert.Equal(t, 10, first)
		assert.Equal(t, 2, second, "a repeat of 0 counts from the next expiry on")
		assert.Equal(t, 700*time.Millisecond, time.Since(began))
	})
}

func TestRemainingIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		w := ev.NewTimer(l, 5*time.Second, 7*time.Second, func(*ev.Timer) {})
		assert.Equal(t, 5*time.Second, w.Remaining())
		w.Start()
		time.Sleep(time.Second)
		assert.Equal(t, 5*time.Second, w.Remaining())
		l.Update()
		assert.Equal(t, 4*time.Second, w.Remaining())
		w.Stop()
		time.Sleep(time.Second)
		l.Update()
		assert.Equal(t, 4*time.Second, w.Remaining())
		w.Start()
		assert.Equal(t, 4*time.Second, w.Remaining())
		w.Reset()
		assert.Equal(t, 7*time.Second, w.Remaining())
		w.Stop()
	})
}

func TestANewRepeatCountsFromTheNextExpiryExactly(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := l.Now()
		var at []time.Duration
		w := ev.NewTimer(l, time.Second, time.Second, func(w *ev.Timer) {
			at = append(at, time.Since(began))
			switch len(at) {
			case 2:
				assert.NoError(t, w.SetRepeat(3*time.Second))
			case 4:
				assert.NoError(t, w.SetRepeat(0))
			}
		})
		w.Start()
		toTheEnd(t, l)
		assert.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second}, at)
		assert.False(t, w.Active())
	})
}

func TestATimerCountsFromTheCachedTimeExactly(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		time.Sleep(30 * time.Millisecond)
		fired := false
		ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
		nowait(t, l)
		assert.True(t, fired, "at once")

		time.Sleep(30 * time.Millisecond)
		l.Update()
		began := time.Now()
		ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) {
			assert.Equal(t, 20*time.Millisecond, time.Since(began))
		}).Start()
		toTheEnd(t, l)
	})
}

func TestSuspendedTimeIsAddedExactly(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := l.Now()
		var at []time.Duration
		for _, after := range []time.Duration{50, 20, 30} {
			ev.NewTimer(l, after*time.Millisecond, 0, func(*ev.Timer) { at = append(at, time.Since(began)) }).Start()
		}
		time.Sleep(10 * time.Millisecond)
		l.Suspend()
		time.Sleep(time.Hour)
		l.Resume()
		toTheEnd(t, l)
		assert.Equal(t, []time.Duration{
			time.Hour + 20*time.Millisecond, time.Hour + 30*time.Millisecond, time.Hour + 50*time.Millisecond,
		}, at)
	})
}

func TestATimeoutIntervalIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetTimeoutInterval(100*time.Millisecond))
		began := l.Now()
		var at []time.Duration
		for _, after := range []time.Duration{5, 99, 150, 250} {
			ev.NewTimer(l, after*time.Millisecond, 0, func(*ev.Timer) { at = append(at, time.Since(began)) }).Start()
		}
		toTheEnd(t, l)
		const ms = time.Millisecond
		assert.Equal(t, []time.Duration{100 * ms, 100 * ms, 200 * ms, 300 * ms}, at)
	})
}

func TestAnIOIntervalDelaysNoTimer(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.SetIOInterval(time.Hour))
		began := l.Now()
		ev.NewTimer(l, 10*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		toTheEnd(t, l)
		assert.Equal(t, 10*time.Millisecond, time.Since(began))
	})
}

func TestNowIsTheBubblesClock(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		for _, step := range []time.Duration{1, time.Millisecond, 499 * time.Millisecond, time.Second, day} {
			before := l.Now()
			time.Sleep(step)
			assert.Equal(t, before, l.Now())
			l.Update()
			assert.WithinDuration(t, time.Now(), l.Now(), 0)
		}
	})
}

// Methods that are safe for concurrent use.

func TestADeadlineEndsRunExactly(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		ev.NewTimer(l, day, 0, func(*ev.Timer) { assert.Fail(t, "fired") }).Start()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		assert.Equal(t, context.DeadlineExceeded, l.Run(ctx))
		assert.Equal(t, time.Hour, time.Since(began))
	})
}

func TestSendPostAndCallWakeALoopParkedInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		a := order.async(l, "async")
		a.Start()
		ended := goRun(l)
		synctest.Wait() // parked
		parks := l.Stats().Parks

		a.Send()
		synctest.Wait()
		require.NoError(t, l.Post(func() { order.note("post") }))
		synctest.Wait()
		v, err := ev.Call(t.Context(), l, func() (int, error) { order.note("call"); return 42, nil })
		assert.NoError(t, err)
		assert.Equal(t, 42, v)
		synctest.Wait()
		assert.Equal(t, parks+3, l.Stats().Parks)

		l.Stop()
		assert.NoError(t, <-ended)
		assert.Equal(t, journal{"async", "post", "call"}, order)
		assert.EqualValues(t, 4, l.Stats().DirectWakes)
		assert.Zero(t, l.Stats().FDWrites)
	})
}

func TestASlowCallIsAnsweredInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		ev.NewAsync(l, func(*ev.Async) {}).Start()
		ended := goRun(l)
		began := time.Now()
		v, err := ev.Call(t.Context(), l, func() (string, error) { time.Sleep(time.Hour); return "late", nil })
		assert.NoError(t, err)
		assert.Equal(t, "late", v)
		assert.Equal(t, time.Hour, time.Since(began))
		l.Stop()
		assert.NoError(t, <-ended)
	})
}

func TestACallGivesUpWhenItsContextEndsInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := ev.Call(ctx, l, func() (int, error) { assert.Fail(t, "called"); return 0, nil }) // no goroutine runs l
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.Equal(t, time.Hour, time.Since(began))
		nowait(t, l)
	})
}

func TestGoWorksInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := time.Now()
		var order journal
		ev.Go(l, func() (string, error) { time.Sleep(2 * time.Hour); return "work", nil },
			func(v string, err error) {
				assert.NoError(t, err)
				assert.Equal(t, 2*time.Hour, time.Since(began))
				order.note(v)
			})
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) { order.note("timer") }).Start()
		toTheEnd(t, l)
		assert.Equal(t, journal{"timer", "work"}, order)
	})
}

func TestAQueueWorksInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
			if got = append(got, batch...); len(got) == 24 {
				q.Stop()
			}
		})
		q.Start()
		go func() {
			for i := range 24 {
				time.Sleep(time.Hour)
				assert.NoError(t, q.Send(i))
			}
		}()
		began := time.Now()
		toTheEnd(t, l)
		assert.Equal(t, day, time.Since(began))
		assert.Len(t, got, 24)
	})
}

func TestCloseWakesALoopParkedInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		ev.NewAsync(l, func(*ev.Async) {}).Start()
		ended := goRun(l)
		synctest.Wait()
		assert.NoError(t, l.Close())
		assert.Equal(t, ev.ErrClosed, <-ended)
	})
}

func TestTwoLoopsInOneBubblePlayPingPong(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := newLoop(t, ev.WithBackend(ev.BackendChan))
		const rounds = 1000
		ball := 0
		var ping, pong *ev.Async
		hit := func(a, other *ev.Async) {
			if ball++; ball >= 2*rounds {
				a.Stop()
			}
			other.Send() // the ball is the other's now
		}
		ping = ev.NewAsync(l, func(a *ev.Async) { hit(a, pong) })
		pong = ev.NewAsync(m, func(a *ev.Async) { hit(a, ping) })
		ping.Start()
		pong.Start()
		ended := goRun(m)
		ping.Send()
		toTheEnd(t, l)
		assert.NoError(t, <-ended)
		assert.Equal(t, 2*rounds+1, ball)
	})
}
