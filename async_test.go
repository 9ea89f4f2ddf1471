package ev_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestSendWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got ev.Events
		a := ev.NewAsync(l, func(a *ev.Async) { got = a.Events(); a.Stop() })
		a.Start()
		go func() {
			for l.Stats().Parks == 0 {
				runtime.Gosched()
			}
			a.Send()
		}()
		run(t, l)
		assert.Equal(t, ev.AsyncEvent, got)
		assert.EqualValues(t, 1, l.Iteration(), "one wake-up, no spurious iteration")
		s := l.Stats()
		assert.LessOrEqual(t, s.FDWrites+s.DirectWakes, uint64(1))
	})
}

func TestAWakeUpIsAWriteOrDirectAsTheModeSays(t *testing.T) {
	onEveryMode(t, func(t *testing.T, l *ev.Loop, mode ev.Wakeup) {
		answered := make(chan struct{})
		a := ev.NewAsync(l, func(*ev.Async) { answered <- struct{}{} })
		a.Start()
		start(t, l)
		before := l.Stats()
		for range 10 {
			untilParked(t, l, 0)
			a.Send()
			receive(t, answered)
		}
		after := l.Stats()
		wakes := after.FDWrites - before.FDWrites + after.DirectWakes - before.DirectWakes
		assert.LessOrEqual(t, wakes, after.Parks)
		switch {
		case l.Backend() == ev.BackendChan || l.Backend() == ev.BackendAFD:
			assert.Zero(t, after.FDWrites)
		case mode == ev.WakeWrite:
			assert.Zero(t, after.DirectWakes)
		case mode == ev.WakeDirect:
			assert.Zero(t, after.FDWrites)
		}
	})
}

func TestManySendsToAParkedLoopAreFewCallbacks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var calls atomic.Int64
		a := ev.NewAsync(l, func(*ev.Async) { calls.Add(1) })
		a.Start()
		start(t, l)
		before := l.Stats()
		for range 1000 {
			a.Send()
		}
		require.Eventually(t, func() bool { return !a.Sent() && calls.Load() > 0 }, patience, time.Millisecond)
		onLoop(t, l, func() {})
		after := l.Stats()
		assert.LessOrEqual(t, calls.Load(), int64(1000))
		assert.LessOrEqual(t, after.FDWrites+after.DirectWakes, after.Parks)
		assert.GreaterOrEqual(t, after.Parks, before.Parks)
	})
}

func TestSendsBeforeRunAreOneCallbackInTheFirstIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(a *ev.Async) {
			calls++
			assert.EqualValues(t, 1, l.Iteration())
		})
		a.Start()
		for range 1000 {
			a.Send()
		}
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, 1, calls)
		assert.Zero(t, l.Stats().FDWrites+l.Stats().DirectWakes)
	})
}

func TestSendsToAnotherAsyncInACallbackAreOneCallbackInTheNextIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []uint64
		b := ev.NewAsync(l, func(b *ev.Async) { order = append(order, l.Iteration()); b.Stop() })
		a := ev.NewAsync(l, func(a *ev.Async) {
			order = append(order, l.Iteration())
			for range 1000 {
				b.Send()
			}
			a.Stop()
		})
		a.Start()
		b.Start()
		a.Send()
		run(t, l)
		assert.Equal(t, []uint64{1, 2}, order)
		assert.Zero(t, l.Stats().FDWrites+l.Stats().DirectWakes)
	})
}

func TestAnAsyncThatSendsItselfIsCalledOncePerIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var iterations []uint64
		a := ev.NewAsync(l, func(a *ev.Async) {
			assert.False(t, a.Sent())
			iterations = append(iterations, l.Iteration())
			if len(iterations) == 5 {
				a.Stop()
				return
			}
			a.Send()
		})
		a.Start()
		a.Send()
		run(t, l)
		assert.Equal(t, []uint64{1, 2, 3, 4, 5}, iterations)
		assert.Zero(t, l.Stats().Parks)
		assert.Zero(t, l.Stats().FDWrites+l.Stats().DirectWakes)
	})
}

func TestAnAsyncThatSendsItselfDoesNotStarveATimer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := uint64(0)
		a := ev.NewAsync(l, func(a *ev.Async) { calls++; a.Send() })
		a.Start()
		a.Send()
		ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
		run(t, l)
		assert.Equal(t, l.Iteration(), calls)
	})
}

func TestSentIsTrueFromSendUntilTheLoopCollects(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(a *ev.Async) {
			assert.False(t, a.Sent())
			assert.False(t, a.Pending())
		})
		a.Start()
		assert.False(t, a.Sent())
		a.Send()
		assert.True(t, a.Sent())
		assert.False(t, a.Pending())
		nowait(t, l)
		assert.False(t, a.Sent())
	})
}

func TestACollectedAsyncIsPendingAndNotSent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		b := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "b was stopped while pending") })
		a := ev.NewAsync(l, func(*ev.Async) {
			assert.True(t, b.Pending())
			assert.False(t, b.Sent())
			b.Stop()
			assert.False(t, b.Pending())
		})
		a.Start()
		b.Start()
		a.Send()
		b.Send()
		nowait(t, l)
		nowait(t, l)
	})
}

func TestASendAfterCollectionAsksForOneMoreCallback(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		urgent := ev.NewAsync(l, func(*ev.Async) { a.Send() }, ev.Priority(1))
		a.Start()
		urgent.Start()
		a.Send()
		urgent.Send()
		nowait(t, l)
		assert.Equal(t, 1, calls)
		nowait(t, l)
		assert.Equal(t, 2, calls)
		nowait(t, l)
		assert.Equal(t, 2, calls)
	})
}

func TestStopForgetsASend(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
		a.Start()
		a.Send()
		a.Stop()
		assert.True(t, a.Sent(), "Sent survives Stop")
		nowait(t, l)
		assert.True(t, a.Sent(), "nobody collects for an inactive watcher")
		a.Start()
		assert.False(t, a.Sent())
		nowait(t, l)
		a.Stop()

		a.Start()
		a.Send()
		a.Stop()
		a.Start() // before the loop has unlinked the first request
		nowait(t, l)
		assert.False(t, a.Sent())
	})
}

func TestARestartedAsyncWhoseOldRequestIsStillLinkedCanBeSent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		for range 3 {
			a.Start()
			a.Send()
			a.Stop()
		}
		a.Start()
		a.Send()
		nowait(t, l)
		assert.Equal(t, 1, calls)
		a.Send()
		nowait(t, l)
		assert.Equal(t, 2, calls)
	})
}

func TestSendToAnInactiveAsyncIsHarmlessAndWakesNobody(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		never := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
		start(t, l)
		untilParked(t, l, 0)
		bySends := func() []uint64 { // a wake-up at the start of Run may be late, and so end a park
			s := l.Stats()
			return []uint64{s.FDWrites, s.DirectWakes, s.Collected, s.Callbacks}
		}
		before := bySends()
		for range 100 {
			never.Send()
		}
		time.Sleep(5 * time.Millisecond)
		assert.Equal(t, before, bySends())
		assert.True(t, never.Sent())
		onLoop(t, l, func() {
			never.Start()
			assert.False(t, never.Sent())
		})
		onLoop(t, l, never.Stop)
	})
}

func TestStartOfAnActiveAsyncKeepsItsRequest(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		a.Start()
		a.Send()
		a.Start()
		assert.True(t, a.Sent())
		nowait(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestAPendingAsyncStoppedByAMoreUrgentCallbackIsNotCalled(t *testing.T) {
	for _, restart := range []bool{false, true} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			b := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
			a := ev.NewAsync(l, func(*ev.Async) {
				b.Stop()
				if restart {
					b.Start()
				}
			}, ev.Priority(1))
			a.Start()
			b.Start()
			a.Send()
			b.Send()
			nowait(t, l)
			nowait(t, l)
		})
	}
}

func TestClearDoesNotTouchARequestThatIsNotCollected(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		a.Start()
		a.Send()
		assert.Equal(t, ev.None, a.Clear())
		assert.True(t, a.Sent())
		nowait(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestAnAsyncThatDoesNotKeepTheLoopIsStillServed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		a.Start()
		a.Keep(false)
		run(t, l)
		assert.Zero(t, calls)
		a.Send()
		run(t, l)
		assert.Equal(t, 1, calls)
		assert.EqualValues(t, 2, l.Iteration())
	})
}

func TestAsyncsRunByPriorityThenInTheOrderOfTheirFirstSends(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []string
		asyncs := map[string]*ev.Async{}
		for name, priority := range map[string]int{"low": -2, "a": 0, "b": 0, "c": 0, "d": 0, "high": 2} {
			asyncs[name] = ev.NewAsync(l, func(w *ev.Async) { order = append(order, w.Name()) },
				ev.Priority(priority), ev.Name(name))
			asyncs[name].Start()
		}
		for _, name := range []string{"low", "d", "b", "d", "a", "c", "b", "high"} {
			asyncs[name].Send()
		}
		nowait(t, l)
		assert.Equal(t, []string{"high", "d", "b", "a", "c", "low"}, order)
	})
}

func TestFeedRunsBeforeThePollAndSendAfterIt(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []ev.Events
		a := ev.NewAsync(l, func(a *ev.Async) { got = append(got, a.Events()) })
		a.Start()
		a.Feed(ev.Custom)
		a.Send()
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Custom, ev.AsyncEvent}, got)
	})
}

func TestTheStrictOrderOfSendsAmongCallbacks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []string
		note := func(s string) { order = append(order, s) }
		var a1, a2 *ev.Async
		a1 = ev.NewAsync(l, func(*ev.Async) { note("a1"); a2.Send() })
		a2 = ev.NewAsync(l, func(*ev.Async) {
			note("a2")
			a1.SetCallback(func(*ev.Async) { note("new a1"); l.StopAll() })
			a1.Send()
		})
		a3 := ev.NewAsync(l, func(*ev.Async) { note("a3") })
		for _, a := range []*ev.Async{a1, a2, a3} {
			a.Start()
		}
		a1.Send()
		a1.Send()
		a1.Send()
		run(t, l)
		assert.Equal(t, []string{"a1", "a2", "new a1"}, order)
	})
}

func TestACallbackMayStartAndSendANewAsync(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var at uint64
		a := ev.NewAsync(l, func(a *ev.Async) {
			c := ev.NewAsync(l, func(c *ev.Async) { at = l.Iteration(); c.Stop() })
			c.Start()
			c.Send()
			a.Stop()
		})
		a.Start()
		a.Send()
		run(t, l)
		assert.EqualValues(t, 2, at)
	})
}

func TestNoPathOfSendAllocates(t *testing.T) {
	skipWithDebug(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		answered := make(chan struct{}, 1)
		a := ev.NewAsync(l, func(*ev.Async) { answered <- struct{}{} })
		inactive := ev.NewAsync(l, func(*ev.Async) {})
		assert.Zero(t, testing.AllocsPerRun(100, inactive.Send))
		a.Start()
		assert.Zero(t, testing.AllocsPerRun(100, func() { // first, coalesced, collected
			a.Send()
			a.Send()
			_ = l.RunNoWait()
			<-answered
		}))
		if runtime.GOOS == "js" {
			return // a park returns to JavaScript, and the runtime allocates when it comes back
		}
		start(t, l)
		assert.Zero(t, testing.AllocsPerRun(100, func() { // parked
			time.Sleep(100 * time.Microsecond)
			a.Send()
			<-answered
		}))
	})
}

// A pipe gets the number of the closed descriptor. Senders that go on must not write to
// it.
func TestSendAfterCloseTouchesNoDescriptor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		ended := make(chan error, 1)
		go func() { ended <- l.Run(t.Context()) }()
		var over atomic.Bool
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for !over.Load() {
					runtime.Gosched() // without preemption no other goroutine would run
					a.Send()
				}
			})
		}
		untilParked(t, l, 0)
		require.NoError(t, l.Close())
		if err := receive(t, ended); err != nil {
			assert.ErrorIs(t, err, ev.ErrClosed)
		}
		writes := l.Stats().FDWrites
		quiet := recycledDescriptors(t)
		l.Stop()
		time.Sleep(5 * time.Millisecond)
		over.Store(true)
		senders.Wait()
		quiet()
		assert.LessOrEqual(t, l.Stats().FDWrites, writes+1, "but for one sender that was on its way")
	})
}

func TestOneDescriptorPerLoopHoweverManyWatchers(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc/self/fd")
	}
	for _, backend := range ev.SupportedBackends() {
		before := openDescriptors()
		for range 200 {
			l, err := ev.New(ev.WithBackend(backend))
			require.NoError(t, err)
			for range 10 {
				ev.NewAsync(l, func(*ev.Async) {}).Start()
			}
			require.LessOrEqual(t, openDescriptors(), before+1)
			require.NoError(t, l.RunNoWait())
			require.NoError(t, l.Close())
		}
		assert.LessOrEqual(t, openDescriptors(), before)
	}
}

func TestTheLoopKeepsAnActiveAsyncAlive(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		collected := make(chan struct{})
		func() {
			a := ev.NewAsync(l, func(*ev.Async) {})
			runtime.AddCleanup(a, func(struct{}) { close(collected) }, struct{}{})
			a.Start()
		}()
		for range 3 {
			runtime.GC()
		}
		select {
		case <-collected:
			assert.Fail(t, "an active watcher was collected")
		default:
		}
		assert.Equal(t, 1, l.Active())
	})
}

func TestOneIterationCollectsOnlyWhatWasSent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const watchers = 100_000
		calls := make([]int, watchers)
		asyncs := make([]*ev.Async, watchers)
		for i := range asyncs {
			asyncs[i] = ev.NewAsync(l, func(*ev.Async) { calls[i]++ })
			asyncs[i].Start()
		}
		asyncs[70_000].Send()
		nowait(t, l)
		assert.EqualValues(t, 1, l.Stats().Collected)
		for _, a := range asyncs {
			a.Send()
		}
		nowait(t, l)
		assert.EqualValues(t, watchers+1, l.Stats().Callbacks)
		assert.Equal(t, 2, calls[70_000])
		assert.Equal(t, 1, calls[0])
	})
}
