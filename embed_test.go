package ev_test

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// onEveryPair runs the test on two loops, host and embedded, of every two backends. The
// test embeds one in the other. The embedded loop has every wake mode.
func onEveryPair(t *testing.T, test func(t *testing.T, host, embedded *ev.Loop)) {
	t.Helper()
	for _, backend := range ev.SupportedBackends() {
		t.Run("in "+backend.String(), func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, embedded *ev.Loop) {
				test(t, newLoop(t, ev.WithBackend(backend), ev.WithName("host")), embedded)
			})
		})
	}
}

// embed embeds a loop in host.
func embed(t testing.TB, host, embedded *ev.Loop, opts ...ev.Option) *ev.Embed {
	t.Helper()
	e := ev.NewEmbed(host, embedded, nil, opts...)
	require.NoError(t, e.Start())
	return e
}

func TestTheWatchersOfAnEmbeddedLoopWorkWhileOnlyTheHostRuns(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		e := embed(t, host, embedded)
		done := make(chan struct{}, 1)
		step := func(what string, arrange func()) {
			t.Helper()
			onLoop(t, host, arrange)
			receive(t, done)
			onLoop(t, host, func() { assert.Equal(t, []string{what}, j.takeAll()) })
		}
		came := func(what string) { j.note(what); done <- struct{}{} }
		start(t, host)

		a := ev.NewAsync(embedded, func(w *ev.Async) { assert.Equal(t, 1, embedded.Depth()); came("async") })
		step("async", func() { a.Start(); go a.Send() })
		step("async", func() { a.Send() })
		step("timer", func() { ev.NewTimer(embedded, time.Millisecond, 0, func(*ev.Timer) { came("timer") }).Start() })
		step("timer due", func() { dueNow(embedded, func(*ev.Timer) { came("timer due") }) })
		step("periodic", func() {
			ev.NewPeriodic(embedded, 0, 2*time.Millisecond, func(w *ev.Periodic) { w.Stop(); came("periodic") }).Start()
		})
		step("post", func() { go embedded.Post(func() { came("post") }) })
		step("call", func() {
			go ev.Call(t.Context(), embedded, func() (int, error) { came("call"); return 0, nil })
		})
		q := ev.NewQueue(embedded, 0, func(_ *ev.Queue[int], batch []int) { came(fmt.Sprint("queue ", batch)) })
		step("queue [7]", func() { q.Start(); go q.Send(7) })
		if !onWasm {
			s := ev.NewSignal(embedded, syscall.SIGINT, func(*ev.Signal) { came("signal") })
			step("signal", func() { assert.NoError(t, s.Start()); go ev.FeedSignal(syscall.SIGINT) })
			step("signal", func() { embedded.FeedSignal(syscall.SIGINT) })
		}
		step("fed", func() { a.SetCallback(func(*ev.Async) { came("fed") }); a.Feed(ev.Custom) })
		step("idle", func() { ev.NewIdle(embedded, func(w *ev.Idle) { w.Stop(); came("idle") }).Start() })
		onLoop(t, host, func() {
			assert.NoError(t, embedded.Verify())
			assert.NoError(t, host.Verify())
			assert.Same(t, embedded, e.Other())
			assert.Zero(t, embedded.Depth())
			e.Stop()
		})
	})
}

func TestAnIdleEmbeddedLoopCostsTheHostNoIteration(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		ev.NewAsync(embedded, func(*ev.Async) {}).Start()
		farOff(t, embedded)
		ev.NewTimer(host, 30*time.Millisecond, 0, func(*ev.Timer) { host.Stop() }).Start()
		run(t, host)
		assert.LessOrEqual(t, host.Iteration(), uint64(2))
		assert.Zero(t, embedded.Iteration())
	})
}

func TestAnEmbedKeepsTheHostRunningThoughNothingIsActiveInTheEmbeddedLoop(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		e := embed(t, host, embedded)
		assert.True(t, host.Alive())
		timer := ev.NewTimer(host, 5*time.Millisecond, 0, func(*ev.Timer) { e.Stop() })
		timer.Start()
		timer.Keep(false)
		run(t, host)
		assert.False(t, host.Alive())
		assert.False(t, e.Active())
	})
}

func TestAnEmbedThatDoesNotKeepTheHost(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded).Keep(false)
		farOff(t, embedded)
		j.due(embedded, "due")
		run(t, host)
		assert.EqualValues(t, 1, host.Iteration())
		assert.Equal(t, []string{"due"}, j.takeAll())
	})
}

func TestTimersOfAnEmbeddedLoopFireInTheirExactOrder(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		var want []string
		for i := range 8 {
			name := fmt.Sprint("timer ", i)
			want = append(want, name)
			after := time.Duration(i) * time.Millisecond
			l := embedded
			if i%2 == 1 {
				l = host
			}
			began := l.Now()
			ev.NewTimer(l, after, 0, func(*ev.Timer) {
				assert.GreaterOrEqual(t, l.Now().Sub(began), after)
				if j.note(name); i == 7 {
					host.Stop()
				}
			}).Start()
		}
		// Timers of two loops that are a millisecond apart may be due in one iteration.
		// Then their priorities decide which loop comes first. The timers of each loop
		// are in order.
		run(t, host)
		for len(j) < 8 {
			nowait(t, host)
		}
		var even, odd []string
		for _, name := range j.takeAll() {
			if name[len(name)-1]%2 == 0 {
				even = append(even, name)
			} else {
				odd = append(odd, name)
			}
		}
		assert.Equal(t, []string{want[0], want[2], want[4], want[6]}, even)
		assert.Equal(t, []string{want[1], want[3], want[5], want[7]}, odd)
	})
}

func TestAnEmbedIsCalledInThePassAtItsPriority(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		e := embed(t, host, embedded, ev.Priority(1))
		j.due(host, "host 2", ev.Priority(2))
		j.due(host, "host 1", ev.Priority(0))
		j.due(embedded, "embedded -2", ev.Priority(-2))
		j.due(embedded, "embedded 2", ev.Priority(2))
		once(t, host)
		assert.Equal(t, []string{"host 2", "embedded 2", "embedded -2", "host 1"}, j.takeAll())
		e.Stop()
	})
}

func TestWithACallbackNothingIsDeliveredUntilSweep(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var (
			j      journal
			events ev.Events
			calls  int
		)
		e := ev.NewEmbed(host, embedded, func(e *ev.Embed) { calls++; events = e.Events() })
		require.NoError(t, e.Start())
		nowait(t, host)
		assert.Zero(t, calls)
		a := j.async(embedded, "async")
		a.Start()
		sent := make(chan struct{})
		go func() { a.Send(); close(sent) }()
		j.due(embedded, "timer")
		for range 10 {
			once(t, host)
		}
		assert.Equal(t, 10, calls, "the callback comes again while there is something to do")
		assert.Equal(t, ev.EmbedEvent, events)
		assert.Empty(t, j)
		receive(t, sent) // Sent turns true a little before the request can be collected
		require.NoError(t, e.Sweep())
		assert.Equal(t, []string{"async", "timer"}, j.takeAll())
		calls = 0
		nowait(t, host)
		ev.NewTimer(host, 5*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		once(t, host)
		assert.Zero(t, calls)

		e.SetCallback(nil)
		a.Send()
		once(t, host)
		assert.Equal(t, []string{"async"}, j.takeAll())
		e.SetCallback(func(e *ev.Embed) { j.note("callback"); assert.NoError(t, e.Sweep()) })
		a.Send()
		once(t, host)
		assert.Equal(t, []string{"callback", "async"}, j.takeAll())
	})
}

func TestACallbackOfTheHostMayUseTheEmbeddedLoop(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		fired := 0
		timer := ev.NewTimer(embedded, time.Millisecond, 0, func(*ev.Timer) {
			if fired++; fired == 20 {
				host.Stop()
			}
		})
		slow := farOff(t, embedded)
		ev.NewTimer(host, 0, time.Millisecond, func(*ev.Timer) {
			assert.NoError(t, embedded.Verify())
			if !timer.Active() {
				embedded.Update()
				assert.NoError(t, timer.Set(time.Millisecond, 0))
				timer.Start()
			}
			slow.Stop()
			slow.Start()
		}).Start()
		run(t, host)
		assert.Equal(t, 20, fired)
	})
}

func TestNoSendToAnEmbeddedLoopIsLost(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 1000
	}
	race := func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		ball := make(chan struct{}, 1)
		a := ev.NewAsync(embedded, func(*ev.Async) { ball <- struct{}{} })
		a.Start()
		noise := ev.NewAsync(host, func(*ev.Async) {})
		noise.Start()
		start(t, host)
		for i := range rounds {
			if i%3 == 0 {
				noise.Send() // the host takes the loop back as the send comes
			}
			a.Send()
			if i%16 == 0 {
				receive(t, ball)
				continue
			}
			for ok := false; !ok; {
				select {
				case <-ball:
					ok = true
				default:
					if i%2 == 0 {
						runtime.Gosched()
						continue
					}
					receive(t, ball)
					ok = true
				}
			}
		}
	}
	for _, outer := range ev.SupportedBackends() {
		for _, inner := range ev.SupportedBackends() {
			t.Run(fmt.Sprintf("%v in %v", inner, outer), func(t *testing.T) {
				race(t, newLoop(t, ev.WithBackend(outer)), newLoop(t, ev.WithBackend(inner)))
			})
		}
	}
}

func TestManySendersIntoAnEmbeddedLoop(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		const senders, each = 4, 500
		got := 0
		q := ev.NewQueue(embedded, 0, func(_ *ev.Queue[int], batch []int) {
			if got += len(batch); got == senders*each {
				host.Stop()
			}
		})
		q.Start()
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for i := range each {
					assert.NoError(t, q.Send(i))
					if i%10 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		run(t, host)
		wg.Wait()
		assert.Equal(t, senders*each, got)
	})
}

func TestStopInACallbackOfTheEmbeddedLoopEndsOnlyTheSweep(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) {
			j.note("stop")
			embedded.Stop()
			embedded.StopAll()
		})
		j.due(embedded, "the rest of the pass")
		ev.NewTimer(embedded, 2*time.Millisecond, 0, func(*ev.Timer) { j.note("later"); host.Stop() }).Start()
		run(t, host)
		assert.Equal(t, []string{"stop", "the rest of the pass", "later"}, j.takeAll())
	})
}

func TestStopOfAnEmbeddedLoopFromAnotherGoroutineHasNoEffect(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		calls := 0
		a := ev.NewAsync(embedded, func(*ev.Async) { calls++ })
		a.Start()
		start(t, host)
		for range 100 {
			embedded.Stop()
			embedded.StopAll()
			a.Send()
			runtime.Gosched()
		}
		onLoop(t, embedded, func() {})
		onLoop(t, embedded, func() { assert.NotZero(t, calls) })
	})
}

func TestStopOfTheEmbedLeavesTheEmbeddedLoopToItself(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		e := embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) { j.note("first"); e.Stop(); j.due(embedded, "second") })
		run(t, host)
		assert.Equal(t, []string{"first"}, j.takeAll())
		run(t, embedded)
		assert.Equal(t, []string{"second"}, j.takeAll())

		require.NoError(t, e.Start()) // and again
		require.NoError(t, e.Start())
		assert.Equal(t, 1, host.Active())
		j.due(embedded, "third")
		once(t, host)
		assert.Equal(t, []string{"third"}, j.takeAll())
		e.Stop()
		e.Stop()
		other := newLoop(t)
		embed(t, other, embedded).Stop()
	})
}

func TestAStoppedEmbedForgetsWhatItWasPendingWith(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		e := embed(t, host, embedded)
		j.due(embedded, "embedded")
		dueNow(host, func(*ev.Timer) {
			assert.True(t, e.Pending())
			e.Stop()
			assert.False(t, e.Pending())
		}, ev.Priority(1))
		run(t, host)
		assert.Empty(t, j)
	})
}

func TestBadPairsAreRefused(t *testing.T) {
	a, b, c := newLoop(t, ev.WithName("a")), newLoop(t, ev.WithName("b")), newLoop(t, ev.WithName("c"))
	assert.PanicsWithValue(t, "ev: NewEmbed: nil other loop", func() { ev.NewEmbed(a, nil, nil) })
	assert.PanicsWithValue(t, "ev: NewEmbed: nil loop", func() { ev.NewEmbed(nil, a, nil) })
	assert.PanicsWithValue(t, "ev: Embed.Start: a watcher that no constructor made", func() { _ = new(ev.Embed).Start() })

	refused := func(host, embedded *ev.Loop, why string) {
		t.Helper()
		e := ev.NewEmbed(host, embedded, nil)
		assert.EqualError(t, e.Start(), "ev: Embed.Start: "+why)
		assert.False(t, e.Active())
		assert.False(t, host.Active() > 1)
	}
	refused(a, a, "a loop cannot be embedded in itself")
	ab := embed(t, b, a)
	refused(a, b, "the other loop embeds this one")
	bc := embed(t, c, b)
	refused(a, c, "the other loop embeds this one")
	refused(c, a, `the other loop is embedded already, in "b"`)
	ab.Stop()
	bc.Stop()
	embed(t, a, c).Stop()

	d := newLoop(t)
	dueNow(d, func(*ev.Timer) { refused(a, d, "the other loop is inside a Run") })
	nowait(t, d)
	require.NoError(t, d.Close())
	assert.ErrorIs(t, ev.NewEmbed(a, d, nil).Start(), ev.ErrClosed)
	assert.ErrorIs(t, ev.NewEmbed(d, a, nil).Start(), ev.ErrClosed)
	assert.ErrorIs(t, ev.NewEmbed(a, d, nil).Sweep(), ev.ErrClosed)
	embed(t, b, a).Stop() // a refused Start leaves no trace
}

func TestAParkedHostsEmbeddedLoopCannotBeRunByAnother(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		before := embedded.Stats().Parks
		start(t, host)
		untilParked(t, embedded, before)
		assert.EqualError(t, embedded.RunNoWait(), "ev: RunNoWait: the loop is embedded, and its host is waiting for it")
	})
}

func TestLoopsEmbeddedInEachOther(t *testing.T) {
	onEveryPair(t, func(t *testing.T, outer, middle *ev.Loop) {
		var j journal
		inner := newLoop(t)
		embed(t, outer, middle)
		embed(t, middle, inner)
		a := ev.NewAsync(inner, func(w *ev.Async) {
			j.note("async")
			w.Stop()
			ev.NewTimer(inner, time.Millisecond, 0, func(*ev.Timer) {
				j.note("timer")
				assert.Equal(t, 1, inner.Depth())
				assert.Equal(t, 1, middle.Depth())
				assert.Equal(t, 1, outer.Depth())
				outer.Stop()
			}).Start()
		})
		a.Start()
		before := inner.Stats().Parks
		go func() {
			untilParked(t, inner, before)
			a.Send()
		}()
		run(t, outer)
		assert.Equal(t, []string{"async", "timer"}, j.takeAll())
		assert.NoError(t, middle.Verify())
	})
}

func TestSeveralEmbeddedLoopsAreSweptInTheOrderOfTheirStarts(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, first *ev.Loop) {
		var j journal
		second := newLoop(t)
		embed(t, host, first)
		embed(t, host, second)
		j.due(second, "second")
		j.due(first, "first")
		nowait(t, host)
		assert.Equal(t, []string{"first", "second"}, j.takeAll())
		// The timer of one embedded loop starts the timer of the other: a delay must
		// not make both due at once.
		last := ev.NewTimer(first, time.Millisecond, 0, func(*ev.Timer) { j.note("first"); host.Stop() })
		ev.NewTimer(second, time.Millisecond, 0, func(*ev.Timer) {
			j.note("second")
			first.Update()
			last.Start()
		}).Start()
		run(t, host)
		assert.Equal(t, []string{"second", "first"}, j.takeAll())
	})
}
