package evmeter_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// inBubble runs test with a loop in virtual time: work that sleeps for a second
// takes one exactly.
func inBubble(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan), ev.WithName("main"))
		require.NoError(t, err)
		defer l.Close()
		test(t, l)
	})
}

func run(t *testing.T, l *ev.Loop) {
	t.Helper()
	require.NoError(t, l.Run(context.Background()))
}

func timer(l *ev.Loop, after, work time.Duration, name string, opts ...ev.Option) *ev.Timer {
	l.Update()
	w := ev.NewTimer(l, after, 0, func(*ev.Timer) { time.Sleep(work) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func TestBusyIsTheTimeInRunThatTheLoopDoesNotSleep(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		time.Sleep(time.Second) // outside Run
		timer(l, 2*time.Second, 3*time.Second, "work")
		run(t, l)
		time.Sleep(4 * time.Second)
		r := m.Read()
		assert.Equal(t, 3*time.Second, r.Busy)
		assert.Equal(t, 10*time.Second, r.Observed)
		assert.False(t, r.Running)
		assert.Same(t, m, evmeter.On(l))
		assert.Same(t, l, m.Loop())
	})
}

func TestALoopThatIsParkedWhenMeasuringBeginsIsBusyWhenItWakes(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(a *ev.Async) { time.Sleep(3 * time.Second); a.Stop() })
		a.Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		synctest.Wait()
		require.True(t, l.Parked())
		m := evmeter.On(l)
		time.Sleep(time.Second)
		a.Send()
		time.Sleep(2 * time.Second)
		assert.Equal(t, 2*time.Second, m.Read().Busy, "in the callback")
		require.NoError(t, <-done)
		time.Sleep(time.Second)
		assert.Equal(t, 3*time.Second, m.Read().Busy)
	})
}

// The loop calls release when it has looked for observers, and does not sleep yet.
func TestAParkThatBeginsAsMeasuringDoesIsSleep(t *testing.T) {
	for _, looked := range []bool{true, false} {
		inBubble(t, func(t *testing.T, l *ev.Loop) {
			var m *evmeter.Meter
			l.SetRelease(func(l *ev.Loop) { m = evmeter.On(l) }, func(*ev.Loop) {})
			timer(l, 10*time.Second, 2*time.Second, "work")
			done := make(chan error)
			go func() { done <- l.Run(context.Background()) }()
			synctest.Wait()
			if looked {
				time.Sleep(5 * time.Second)
				assert.Zero(t, m.Read().Busy)
			}
			require.NoError(t, <-done)
			assert.Equal(t, 2*time.Second, m.Read().Busy)
		})
	}
}

func TestAnInvokeOutsideRunIsNotBusy(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(time.Second) }).Feed(ev.TimerEvent)
		l.Invoke()
		r := m.Read()
		assert.Zero(t, r.Busy)
		assert.EqualValues(t, 1, r.Callback.Count)
	})
}

func TestCallsAreCountedByKindNamePriorityAndFunction(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, 0, time.Second, "a")
		timer(l, 0, 5*time.Second, "a")
		timer(l, 0, 10*time.Second, "a", ev.Priority(1))
		timer(l, 0, 2*time.Second, "b")
		require.NoError(t, l.Post(func() {}))
		run(t, l)
		r := m.Read()
		type row struct {
			kind, name string
			priority   int
			calls      uint64
			total, max time.Duration
		}
		var rows []row
		for _, s := range r.Sources {
			rows = append(rows, row{s.Kind, s.Name, s.Priority, s.Calls, s.Total, s.Max})
			assert.Regexp(t, `meter_test\.go:\d+$`, s.Position)
		}
		assert.Equal(t, []row{
			{"Timer", "a", 1, 1, 10 * time.Second, 10 * time.Second},
			{"Timer", "a", 0, 2, 6 * time.Second, 5 * time.Second},
			{"Timer", "b", 0, 1, 2 * time.Second, 2 * time.Second},
			{"Post", "", 0, 1, 0, 0},
		}, rows)
		assert.EqualValues(t, 5, r.Callback.Count)
		assert.Equal(t, 18*time.Second, r.Callback.Sum)
	})
}

func TestTheTenSlowestCallsAreKeptTheSlowestFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		for i := range 20 {
			timer(l, 0, time.Duration(i*7%20)*time.Second, "")
		}
		run(t, l)
		var took []time.Duration
		for _, c := range m.Read().Slowest {
			took = append(took, c.Took/time.Second)
		}
		assert.Equal(t, []time.Duration{19, 18, 17, 16, 15, 14, 13, 12, 11, 10}, took)
	})
}

func TestLagIsFromWhenATimerWasDueUntilItsCallbackBegins(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, time.Second, 3*time.Second, "in time")
		timer(l, time.Second, 0, "after the other") // noticed in time, but called late
		timer(l, 2*time.Second, 0, "due meanwhile")
		run(t, l)
		lag := m.Read().Lag
		assert.EqualValues(t, 3, lag.Count)
		assert.Equal(t, 5*time.Second, lag.Sum)
		assert.Equal(t, 3*time.Second, lag.Max)
	})
}

func TestATimerThatWasStoppedAfterItExpiredIsNotLateWhenItIsFedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		var victim *ev.Timer
		ev.NewTimer(l, time.Second, 0, func(*ev.Timer) { victim.Stop() }, ev.Priority(1)).Start()
		victim = ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {})
		victim.Start()
		later := ev.NewTimer(l, time.Minute, 0, func(*ev.Timer) { victim.Feed(ev.TimerEvent) })
		later.Start()
		run(t, l)
		r := m.Read()
		assert.EqualValues(t, 3, r.Callback.Count)
		assert.EqualValues(t, 2, r.Lag.Count)
		assert.Zero(t, r.Lag.Max)
	})
}

func TestAStuckLoopShowsInWhichCallbackAndForHowLong(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		free := make(chan struct{})
		stuck := ev.NewTimer(l, 0, 0, func(*ev.Timer) { <-free }, ev.Name("stuck"))
		stuck.Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Minute)
		r := m.Read()
		require.Len(t, r.InProgress, 1)
		assert.Equal(t, "stuck", r.InProgress[0].Source.Name)
		assert.Equal(t, time.Minute, r.InProgress[0].Took)
		assert.True(t, r.Running)
		assert.False(t, r.Parked)
		assert.Equal(t, time.Minute, r.Busy)
		assert.Equal(t, time.Second, r.History[len(r.History)-1].Busy)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := evmeter.Inspect(ctx, l)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, evmeter.Stack(l), "TestAStuckLoopShowsInWhichCallback")
		close(free)
		require.NoError(t, <-done)
		assert.Empty(t, m.Read().InProgress)
	})
}

func TestHistoryHasASecondForEachSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, 1500*time.Millisecond, time.Second, "work")
		run(t, l)
		time.Sleep(time.Second)
		h := m.Read().History
		require.Len(t, h, 3)
		assert.Equal(t, []time.Duration{0, 500 * time.Millisecond, 500 * time.Millisecond}, []time.Duration{h[0].Busy, h[1].Busy, h[2].Busy})
		assert.EqualValues(t, 1, h[2].Callbacks)
		assert.Equal(t, time.Second, h[2].Slowest)
		assert.EqualValues(t, 1, h[0].Iterations, "it began before it slept")
		assert.EqualValues(t, 1, h[0].Parks)
		assert.Zero(t, h[2].Parks, "leaving Run is no park")

		time.Sleep(time.Hour)
		h = m.Read().History
		assert.Len(t, h, int(evmeter.Window/time.Second)-1)
		for _, s := range h {
			assert.Zero(t, s.Busy)
		}
	})
}

func TestMeasuringEndsWhenNobodyReads(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		tick := ev.NewTimer(l, time.Second, time.Second, func(*ev.Timer) {}, ev.Name("tick"))
		tick.Start()
		go func() { _ = l.Run(context.Background()) }()
		time.Sleep(4 * evmeter.Linger)
		synctest.Wait()
		calls := m.Read().Sources[0].Calls
		assert.InDelta(t, float64(evmeter.Linger/time.Second), float64(calls), 1, "then it was left alone")
		assert.InDelta(t, float64(evmeter.Linger), float64(m.Read().Observed), float64(2*time.Second))
		time.Sleep(10*time.Second + time.Millisecond)
		assert.EqualValues(t, calls+10, m.Read().Sources[0].Calls, "Read goes on")
		l.Stop()
		synctest.Wait()
	})
}

func TestPendingIsCountedByPriority(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		for range 3 {
			timer(l, 0, 0, "", ev.Priority(-1))
		}
		timer(l, 0, 0, "", ev.Priority(2))
		run(t, l)
		timer(l, time.Second, 0, "")
		run(t, l)
		p := m.Read().Pending
		assert.Equal(t, [evmeter.Levels]evmeter.Depth{{}, {Last: 0, Max: 3}, {Last: 1, Max: 1}, {}, {Last: 0, Max: 1}}, p)
	})
}

func TestAWakeupIsMeasuredFromTheSend(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		a := ev.NewAsync(l, func(a *ev.Async) { a.Stop() })
		a.Start()
		go func() { time.Sleep(time.Second); a.Send() }()
		run(t, l)
		assert.EqualValues(t, 1, m.Read().Wakeup.Count, "a wake-up by a timer does not count")
	})
}

func TestNestedCallbacksAreTheInnermostLast(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		var names []string
		inner := ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {
			for _, c := range m.Read().InProgress {
				names = append(names, c.Source.Name)
			}
		}, ev.Name("inner"))
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { inner.Start(); run(t, l) }, ev.Name("outer")).Start()
		run(t, l)
		assert.Equal(t, []string{"outer", "inner"}, names)
		assert.Empty(t, m.Read().InProgress)
	})
}

func TestACallbackInANestedRunIsNotTheCurrentOne(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		current := func() string {
			if c := m.Read().Current(); c != nil {
				return c.Source.Name
			}
			return "none"
		}
		var seen []string
		see := func(where string) { seen = append(seen, where+": "+current()) }
		l.Observe(&ev.Observer{Pass: func(l *ev.Loop, _ time.Time) { see(fmt.Sprint("pass at depth ", l.Depth())) }})
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			see("before")
			ev.NewTimer(l, time.Second, 0, func(*ev.Timer) { see("inside") }, ev.Name("inner")).Start()
			run(t, l)
			see("after")
		}, ev.Name("outer")).Start()
		go func() {
			time.Sleep(time.Second / 2)
			r := m.Read()
			assert.True(t, r.Parked)
			assert.Nil(t, r.Current())
			if assert.Len(t, r.InProgress, 1) {
				assert.True(t, r.InProgress[0].Nested)
			}
		}()
		run(t, l)
		assert.Equal(t, []string{
			"pass at depth 1: none", "before: outer", "pass at depth 2: none", "inside: inner", "after: outer",
		}, seen)
	})
}

func TestManyNamesAreCountedTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		for i := range evmeter.MaxSources + 50 {
			timer(l, 0, 0, fmt.Sprint("connection ", i))
		}
		run(t, l)
		sources := m.Read().Sources
		assert.Len(t, sources, evmeter.MaxSources+1)
		i := slices.IndexFunc(sources, func(s evmeter.Source) bool { return s.Kind == "others" })
		require.NotEqual(t, -1, i)
		assert.EqualValues(t, 50, sources[i].Calls)
	})
}

func TestInspectSaysWhatKeepsTheLoopAlive(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	for range 3 {
		timer(l, time.Hour, 0, "idle")
	}
	ev.NewAsync(l, func(*ev.Async) {}, ev.Name("door"), ev.Priority(2)).Start()
	weak := ev.NewAsync(l, func(*ev.Async) {}, ev.Name("weak"))
	weak.Start()
	weak.Keep(false)
	l.Ref()
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	in, err := evmeter.Inspect(context.Background(), l)
	require.NoError(t, err)
	assert.Equal(t, 1, in.Refs)
	assert.Equal(t, 1, in.Depth)
	assert.NotZero(t, in.Iteration)
	assert.Positive(t, in.Took)
	for i := range in.Active {
		assert.Contains(t, in.Active[i].Position, "meter_test.go:")
		in.Active[i].Position = ""
	}
	assert.Equal(t, []evmeter.Active{
		{Kind: "Timer", Name: "idle", Count: 3, Keeping: 3},
		{Kind: "Async", Name: "door", Priority: 2, Count: 1, Keeping: 1},
		{Kind: "Async", Name: "weak", Count: 1},
	}, in.Active)
	assert.True(t, strings.HasPrefix(evmeter.Stack(l), "goroutine "))
	l.Stop()
	require.NoError(t, <-done)
	assert.Empty(t, evmeter.Stack(l))
	require.NoError(t, l.Close())
	_, err = evmeter.Inspect(context.Background(), l)
	assert.ErrorIs(t, err, ev.ErrClosed)
}

func TestReadersAndTheLoopDoNotDisturbEachOther(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	calls := uint64(0)
	a := ev.NewAsync(l, func(*ev.Async) { calls++ }, ev.Name("a"))
	a.Start()
	m := evmeter.On(l)
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := uint64(0)
			for range 200 {
				r := evmeter.On(l).Read()
				assert.LessOrEqual(t, r.Busy, r.Observed)
				assert.GreaterOrEqual(t, r.Callback.Count, last)
				last = r.Callback.Count
				a.Send()
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	require.NoError(t, l.Post(l.Stop)) // after the last Send
	require.NoError(t, <-done)
	r := m.Read()
	assert.NotZero(t, calls)
	assert.Equal(t, calls+1, r.Callback.Count, "and the Post")
	assert.Empty(t, r.InProgress)
	require.Len(t, r.Sources, 2)
	assert.Equal(t, r.Callback.Count, r.Sources[0].Calls+r.Sources[1].Calls)
}

func TestANilLoopIsNamed(t *testing.T) {
	assert.PanicsWithValue(t, "evmeter: On: nil loop", func() { evmeter.On(nil) })
	assert.PanicsWithValue(t, "evmeter: Stack: nil loop", func() { evmeter.Stack(nil) })
	assert.PanicsWithValue(t, "evmeter: Inspect: nil loop", func() { _, _ = evmeter.Inspect(context.Background(), nil) })
}

// slowest are those of the last seconds.
func slowest(r evmeter.Reading) (all []time.Duration) {
	for _, s := range r.History {
		all = append(all, s.Slowest)
	}
	return all
}

func TestACallbackInProgressCountsForAsLongAsItHasRun(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, 500*time.Millisecond, 3*time.Second, "slow")
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(2100 * time.Millisecond)
		half := time.Second / 2
		assert.Equal(t, []time.Duration{half, 3 * half}, slowest(m.Read()))
		require.NoError(t, <-done)
		time.Sleep(time.Second)
		assert.Equal(t, []time.Duration{half, 3 * half, 5 * half, 6 * half}, slowest(m.Read()))
	})
}

func TestACallbackThatNobodyReadOfCountsTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		const long = evmeter.Window + time.Minute // longer than the history, and measured to its end
		m := evmeter.On(l)
		timer(l, 0, long+time.Second/2, "for long")
		run(t, l)
		all := slowest(m.Read())
		require.Len(t, all, int(evmeter.Window/time.Second)-1)
		assert.Equal(t, long, all[len(all)-1])
		assert.Equal(t, long-time.Second, all[len(all)-2])
		time.Sleep(time.Second)
		all = slowest(m.Read())
		assert.Equal(t, long+time.Second/2, all[len(all)-1], "where it ended")
		assert.Equal(t, long, all[len(all)-2])
	})
}

// A modal callback does not hold up the loop while its Run goes on.
func TestACallbackInItsNestedRunIsNotSlowYet(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			timer(l, 3500*time.Millisecond, 0, "inner")
			run(t, l)
		}, ev.Name("modal")).Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(2100 * time.Millisecond)
		assert.Equal(t, []time.Duration{0, 0}, slowest(m.Read()))
		require.NoError(t, <-done)
		time.Sleep(time.Second)
		assert.Equal(t, []time.Duration{0, 0, 0, 3500 * time.Millisecond}, slowest(m.Read()))
	})
}
