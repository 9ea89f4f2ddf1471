package ev_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Tests that need an exact clock are in netpoll_chan_test.go.

// never is the longest span of a timer.
const never = time.Duration(math.MaxInt64)

// Due times.

func TestATimerNeverFiresEarly(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, after := range []time.Duration{
			1, time.Microsecond, 10 * time.Microsecond, 50 * time.Microsecond, 123456, 500 * time.Microsecond,
			999999, time.Millisecond, 1000001, 1500 * time.Microsecond, 3 * time.Millisecond, 10 * time.Millisecond,
		} {
			l.Update()
			began := l.Now()
			fired := false
			ev.NewTimer(l, after, 0, func(w *ev.Timer) {
				assert.GreaterOrEqual(t, time.Since(began), after, "by the real clock")
				assert.GreaterOrEqual(t, l.Now().Sub(began), after, "by the loop's")
				assert.Equal(t, ev.TimerEvent, w.Events())
				fired = true
			}).Start()
			run(t, l)
			assert.True(t, fired)
		}
	})
}

func TestATimerDueAtOnceFiresInTheFirstIteration(t *testing.T) {
	for _, after := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := 0
			w := ev.NewTimer(l, after, 0, func(*ev.Timer) { fired++ })
			w.Start()
			nowait(t, l)
			assert.Equal(t, 1, fired, after)
			nowait(t, l)
			assert.Equal(t, 1, fired, after)
		})
	}
}

func TestOverdueTimersRunInTheOrderOfTheirDueTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		priorities [3]int
		want       journal
	}{
		"equal priorities":   {[3]int{0, 0, 0}, journal{"1", "2", "3"}},
		"the latest is high": {[3]int{1, 0, 0}, journal{"3", "1", "2"}},
		"the first is low":   {[3]int{0, -1, 0}, journal{"2", "3", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				var order journal
				for i, after := range []struct {
					d    time.Duration
					name string
				}{{3, "3"}, {1, "1"}, {2, "2"}} {
					ev.NewTimer(l, after.d*time.Millisecond, 0, func(w *ev.Timer) { order.note(w.Name()) },
						ev.Name(after.name), ev.Priority(tc.priorities[i])).Start()
				}
				time.Sleep(4 * time.Millisecond)
				nowait(t, l)
				assert.Equal(t, tc.want, order)
			})
		})
	}
}

func TestTimersDueAtTheSameMomentRunInTheOrderOfTheirStarts(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []any
		ws := make([]*ev.Timer, 40)
		for i := range ws {
			ws[i] = ev.NewTimer(l, time.Millisecond, 0, func(w *ev.Timer) { order = append(order, w.Data()) }, ev.Data(i))
		}
		var want []any
		for _, i := range rand.New(rand.NewPCG(7, 8)).Perm(len(ws)) {
			ws[i].Start()
			want = append(want, i)
		}
		time.Sleep(2 * time.Millisecond)
		nowait(t, l)
		assert.Equal(t, want, order)
	})
}

func TestOnlyTheEarliestTimerFiresInAnyOrderOfStarts(t *testing.T) {
	for _, afters := range [][]time.Duration{
		{time.Hour, 1}, {1, time.Hour}, {2 * time.Hour, time.Hour, 1}, {time.Hour, 1, 2 * time.Hour},
	} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var fired []time.Duration
			for _, after := range afters {
				ev.NewTimer(l, after, 0, func(*ev.Timer) { fired = append(fired, after); l.Stop() }).Start()
			}
			run(t, l)
			assert.Equal(t, []time.Duration{1}, fired)
			assert.Equal(t, len(afters)-1, l.Active())
		})
	}
}

func TestATimerCountsFromNowAsItWasCached(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		time.Sleep(3 * time.Millisecond)
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
		nowait(t, l)
		assert.Equal(t, 1, fired, "the time before Start counted too")

		time.Sleep(3 * time.Millisecond)
		before := time.Now()
		l.Update()
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
		run(t, l)
		assert.Equal(t, 2, fired)
		assert.GreaterOrEqual(t, time.Since(before), 2*time.Millisecond)
	})
}

func TestATimerStartedAfterALongParkCountsFromItsEnd(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var sent, fired time.Time
		a := ev.NewAsync(l, func(a *ev.Async) {
			a.Stop()
			ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { fired = time.Now() }).Start()
		})
		a.Start()
		ended := goRun(l)
		untilParked(t, l, 0)
		time.Sleep(10 * time.Millisecond)
		sent = time.Now()
		a.Send()
		require.NoError(t, receive(t, ended))
		assert.GreaterOrEqual(t, fired.Sub(sent), 5*time.Millisecond)
	})
}

func TestATimerThatIsFarAwayIsNotOverdue(t *testing.T) {
	for _, after := range []time.Duration{never, never - 1, 1<<62 - 1, 1 << 62, 1<<62 + 1, 1 << 58} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			time.Sleep(time.Millisecond)
			l.Update()
			w := ev.NewTimer(l, after, 0, func(*ev.Timer) { assert.Fail(t, "fired") })
			w.Start()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
			run(t, l)
			assert.Greater(t, w.Remaining(), after-time.Hour)
			parks := l.Stats().Parks
			ended := goRun(l) // Run waits for this timer alone
			untilParked(t, l, parks)
			l.Stop()
			assert.NoError(t, receive(t, ended))
			w.Stop()
			assert.Greater(t, w.Remaining(), after-time.Hour)
		})
	}
}

func TestARepeatThatIsFarAwayDoesNotComeBack(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var rare, often int
		ev.NewTimer(l, time.Microsecond, never, func(*ev.Timer) { rare++ }).Start()
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) {
			assert.Equal(t, 1, rare)
			if often++; often == 10 {
				l.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 1, rare)
	})
}

// One-shots and repetitions.

func TestOneShotsRepeatsAndStoppedTimersTogether(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		began := l.Now()
		single, ticks := 0, 0
		for i := range 10 {
			ev.NewTimer(l, time.Duration(i)*2*time.Millisecond, 0, func(w *ev.Timer) {
				assert.False(t, w.Active(), "a one-shot is inactive in its callback")
				single++
			}).Start()
		}
		ev.NewTimer(l, 4*time.Millisecond, 4*time.Millisecond, func(w *ev.Timer) {
			assert.True(t, w.Active())
			if ticks++; ticks == 5 {
				w.Stop()
			}
		}).Start()
		stopped := ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { assert.Fail(t, "called") })
		stopped.Start()
		stopped.Stop()
		run(t, l)
		assert.Equal(t, 10, single)
		assert.Equal(t, 5, ticks)
		assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
		assert.Zero(t, l.Active())
	})
}

func TestAnExpiredOneShotIsPendingAndInactive(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		w := dueNow(l, func(w *ev.Timer) { assert.False(t, w.Active() || w.Pending()) })
		dueNow(l, func(*ev.Timer) {
			assert.True(t, w.Pending())
			assert.False(t, w.Active())
		}, ev.Priority(1))
		nowait(t, l)
	})
}

func TestARepeatingTimerIsCalledOncePerIterationHoweverLate(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		w := ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) { ticks++ })
		w.Start()
		for i := range 3 {
			time.Sleep(5 * time.Millisecond)
			if i == 0 {
				once(t, l)
			} else {
				nowait(t, l)
			}
			assert.Equal(t, i+1, ticks)
		}
	})
}

func TestMissedTicksAreNotReplayed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		w := ev.NewTimer(l, time.Millisecond, time.Minute, func(*ev.Timer) { ticks++ })
		w.Start()
		require.NoError(t, w.SetRepeat(time.Millisecond))
		time.Sleep(20 * time.Millisecond) // twenty ticks are missed
		nowait(t, l)
		require.NoError(t, w.SetRepeat(time.Minute))
		for range 5 {
			nowait(t, l)
		}
		assert.LessOrEqual(t, ticks, 2, "the late one, and at most one more")
		assert.Positive(t, w.Remaining())
	})
}

func TestARepeatingTimerDoesNotDrift(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const every = 2 * time.Millisecond
		began := l.Now()
		ticks, missed := 0, false
		ev.NewTimer(l, every, every, func(w *ev.Timer) {
			ticks++
			late := l.Now().Sub(began) - time.Duration(ticks)*every
			assert.GreaterOrEqual(t, late, time.Duration(0), "tick %d", ticks)
			if missed = missed || late >= every; !missed {
				assert.Equal(t, every-late, w.Remaining(), "the next tick counts from this one's due time")
			}
			if ticks == 10 {
				w.Stop()
			}
		}).Start()
		run(t, l)
	})
}

func TestATimerOfNoTimeThatRestartsItselfIsCalledOncePerIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var at []uint64
		dueNow(l, func(w *ev.Timer) {
			at = append(at, l.Iteration())
			assert.Equal(t, 1, l.Depth())
			if len(at) < 4 {
				assert.NoError(t, w.Set(0, 0))
				w.Start()
			}
		})
		run(t, l)
		assert.Equal(t, []uint64{1, 2, 3, 4}, at)
	})
}

func TestATimerOfNoTimeThatRestartsItselfDoesNotOutrunStop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		w := dueNow(l, func(w *ev.Timer) {
			calls++
			w.Start()
			l.Stop()
		})
		run(t, l)
		assert.Equal(t, 1, calls)
		assert.True(t, l.Alive())
		w.Stop()
		run(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestTheShortestRepeatIsOncePerIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var at []uint64
		ev.NewTimer(l, 0, 1, func(w *ev.Timer) {
			if at = append(at, l.Iteration()); len(at) == 5 {
				w.Stop()
			}
		}).Start()
		run(t, l)
		for i, iteration := range at {
			assert.GreaterOrEqual(t, iteration, uint64(i+1))
			assert.True(t, i == 0 || iteration > at[i-1])
		}
	})
}

func TestARepeatingTimerStoppedInItsCallbackIsNotCalledAgain(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, 0, 1, func(w *ev.Timer) { ticks++; w.Stop() }).Start()
		run(t, l)
		nowait(t, l)
		assert.Equal(t, 1, ticks)
	})
}

func TestATimerThatStopsAnotherExpiredOne(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var second *ev.Timer
		dueNow(l, func(*ev.Timer) {
			assert.True(t, second.Pending())
			second.Stop()
		})
		second = dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		run(t, l)
		assert.False(t, l.Alive())
	})
}

func TestTimersOfOneLoopDoNotRunInAnother(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		other := newLoop(t)
		fired := 0
		for i := range 20 {
			ev.NewTimer(l, time.Duration(i%4)*time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
		}
		run(t, other)
		assert.Zero(t, fired)
		assert.EqualValues(t, 1, other.Iteration())
		run(t, l)
		assert.Equal(t, 20, fired)
	})
}

// Many timers.

func TestAThousandTimersThatRearmThemselves(t *testing.T) {
	const timers, longest = 1000, 20 * time.Millisecond
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		began, last := l.Now(), l.Now()
		fired := 0
		for i := range timers {
			_, part := math.Modf(float64(i) * float64(i) * 1.735435336)
			after := time.Duration(part * float64(longest))
			rearmed := i%3 != 0
			ev.NewTimer(l, after, 0, func(w *ev.Timer) {
				fired++
				now := l.Now()
				assert.False(t, now.Before(last), "Now went back")
				assert.GreaterOrEqual(t, now.Sub(began), after)
				last = now
				if fired%50 == 0 {
					require.NoError(t, l.Verify())
				}
				if !rearmed {
					rearmed = true
					assert.NoError(t, w.Set(after/16, 0))
					w.Start()
				}
			}).Start()
		}
		run(t, l)
		assert.Equal(t, timers+timers/3+1, fired)
	})
}

func TestTheLoopVerifiesAfterEveryChangeOfItsTimers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		r := rand.New(rand.NewPCG(9, 10))
		ws := make([]*ev.Timer, 50)
		for i := range ws {
			ws[i] = ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Priority(i%5-2))
		}
		for range 2000 {
			w := ws[r.IntN(len(ws))]
			switch r.IntN(7) {
			case 0, 1:
				w.Start()
			case 2:
				w.Stop()
			case 3:
				_ = w.Set(time.Duration(r.IntN(100))*time.Microsecond, time.Duration(r.IntN(50))*time.Microsecond)
			case 4:
				w.Reset()
			case 5:
				w.Feed(ev.Custom)
			case 6:
				nowait(t, l)
			}
			require.NoError(t, l.Verify())
		}
		for _, w := range ws {
			w.Stop()
		}
		assert.Zero(t, l.Active())
		assert.Zero(t, l.Pending())
	})
}
