package ev_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// diary is an observer that writes down its calls.
type diary struct{ lines []string }

func (d *diary) note(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) observer() *ev.Observer {
	return &ev.Observer{
		Enter:  func(time.Time) { d.note("enter") },
		Leave:  func(time.Time) { d.note("leave") },
		Begin:  func(c ev.Callback, _ time.Time) { d.note("begin %s", c) },
		End:    func(c ev.Callback, _ time.Time) { d.note("end %s", c) },
		Pass:   func(l *ev.Loop, _ time.Time) { d.note("pass of %d", l.Pending()) },
		Due:    func(w ev.Watcher, _, _ time.Time) { d.note("due %s", w.Name()) },
		Park:   func(time.Time) { d.note("park") },
		Unpark: func(time.Time, time.Duration) { d.note("unpark") },
	}
}

func TestAnObserverIsToldWhatTheLoopDoes(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var d diary
		defer l.Observe(d.observer())()
		a := ev.NewAsync(l, func(a *ev.Async) { d.note("async"); a.Stop() }, ev.Name("a"), ev.Priority(1))
		a.Start()
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { d.note("timer"); a.Send() }, ev.Name("t")).Start()
		parkFirst(t, l)
		run(t, l)
		assert.Equal(t, []string{
			"enter", "park", "unpark", "due t",
			"pass of 1", "begin Timer t", "timer", "end Timer t",
			"pass of 1", "begin Async a", "async", "end Async a", "leave",
		}, withoutSpuriousParks(d.lines))
	})
}

// withoutSpuriousParks removes the lines of wake-ups that came early or for nothing.
func withoutSpuriousParks(lines []string) []string {
	for i := 0; i+3 < len(lines); {
		if slices.Equal(lines[i:i+4], []string{"park", "unpark", "park", "unpark"}) {
			lines = slices.Delete(lines, i, i+2)
		} else {
			i++
		}
	}
	return lines
}

func TestTimesToldToAnObserverAreInOrder(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		start := l.Now() // the timer counts from here
		var at []time.Time
		var due, noticed time.Time
		defer l.Observe(&ev.Observer{
			Begin:  func(_ ev.Callback, now time.Time) { at = append(at, now) },
			End:    func(_ ev.Callback, now time.Time) { at = append(at, now) },
			Park:   func(now time.Time) { at = append(at, now) },
			Unpark: func(now time.Time, _ time.Duration) { at = append(at, now) },
			Due:    func(_ ev.Watcher, d, now time.Time) { due, noticed = d, now },
		})()
		ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		at = append(at, time.Now())
		assert.True(t, slices.IsSortedFunc(at, time.Time.Compare), "%v", at)
		assert.False(t, due.After(noticed))
		assert.Equal(t, 20*time.Millisecond, due.Sub(start))
	})
}

func TestUnparkTellsHowLongAgoTheLoopWasWoken(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var woken []time.Duration
		defer l.Observe(&ev.Observer{
			Unpark: func(_ time.Time, d time.Duration) { woken = append(woken, d) },
		})()
		a := ev.NewAsync(l, func(a *ev.Async) { a.Stop() })
		a.Start()
		go func() {
			untilParked(t, l, 0)
			a.Send()
		}()
		run(t, l)
		require.NotEmpty(t, woken)
		assert.GreaterOrEqual(t, woken[len(woken)-1], time.Duration(0), "%v", woken)

		woken = nil
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) {}).Start()
		parkFirst(t, l)
		run(t, l)
		require.NotEmpty(t, woken)
		assert.Negative(t, woken[len(woken)-1], "a timer ended it: %v", woken)
	})
}

func TestEndIsToldOfACallbackThatPanicsOrGoesAway(t *testing.T) {
	l := newLoop(t)
	var d diary
	defer l.Observe(d.observer())()
	require.NoError(t, l.Post(func() { panic("boom") }))
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	require.NoError(t, l.Post(func() { runtime.Goexit() }))
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.Run(context.Background()) })
	wg.Wait()
	var kinds []string
	for _, line := range d.lines {
		if word, _, _ := strings.Cut(line, " "); word == "begin" || word == "end" {
			kinds = append(kinds, word)
		}
	}
	assert.Equal(t, []string{"begin", "end", "begin", "end"}, kinds)
}

func TestCallbacksOfANestedRunAreToldInsideTheOuterOne(t *testing.T) {
	l := newLoop(t)
	var d diary
	inner := ev.NewAsync(l, func(a *ev.Async) { a.Stop() }, ev.Name("inner"))
	outer := ev.NewAsync(l, func(a *ev.Async) { a.Stop(); inner.Send(); nowait(t, l) }, ev.Name("outer"))
	inner.Start()
	outer.Start()
	outer.Send()
	stop := l.Observe(&ev.Observer{Begin: d.observer().Begin, End: d.observer().End})
	run(t, l)
	assert.Equal(t, []string{"begin Async outer", "begin Async inner", "end Async inner", "end Async outer"}, d.lines)

	stop()
	stop() // a second call has no effect
	outer.Start()
	outer.Send()
	inner.Start()
	run(t, l)
	assert.Len(t, d.lines, 4, "nothing is told after stop")
}

func TestObserversComeAndGoWhileTheLoopRuns(t *testing.T) {
	l := newLoop(t)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	start(t, l)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				depth, wrong := 0, 0 // used on the loop's goroutine
				stop := l.Observe(&ev.Observer{
					Begin: func(ev.Callback, time.Time) { depth++ },
					End: func(ev.Callback, time.Time) {
						if depth--; depth != 0 {
							wrong++
						}
					},
				})
				a.Send()
				runtime.Gosched()
				stop()
				onLoop(t, l, func() { // no earlier callback is in progress now
					assert.Zero(t, wrong)
					assert.Zero(t, depth)
				})
			}
		})
	}
	wg.Wait()
}

func TestObserveOfNothingPanics(t *testing.T) {
	l := newLoop(t)
	assert.PanicsWithValue(t, "ev: Loop.Observe: nil observer", func() { l.Observe(nil) })
}

func TestACallbackSaysWhatItIs(t *testing.T) {
	l := newLoop(t)
	named := ev.CallbackOf(ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name("flush")))
	assert.Equal(t, "Timer", named.Kind())
	assert.Equal(t, "flush", named.Name())
	assert.Equal(t, "Timer flush", named.String())
	assert.Regexp(t, `observe_test\.go:\d+$`, named.Position())

	unnamed := ev.CallbackOf(ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {}))
	assert.Equal(t, "Queue", unnamed.Kind())
	assert.Regexp(t, `^Queue observe_test\.go:\d+$`, unnamed.String())
	assert.NotEqual(t, named.PC(), unnamed.PC())

	assert.Equal(t, "unknown", ev.Callback{}.Position())
}

func TestPostedFunctionsAreToldApart(t *testing.T) {
	l := newLoop(t)
	var kinds []string
	defer l.Observe(&ev.Observer{Begin: func(c ev.Callback, _ time.Time) {
		assert.Nil(t, c.Watcher)
		assert.Regexp(t, `observe_test\.go:\d+$`, c.Position())
		kinds = append(kinds, c.Kind())
	}})()
	require.NoError(t, l.Post(func() {
		ev.Go(l, func() (int, error) { return 1, nil }, func(int, error) {
			go func() { _, _ = ev.Call(context.Background(), l, func() (int, error) { l.Unref(); return 2, nil }) }()
		})
		l.Ref()
	}))
	run(t, l)
	assert.Equal(t, []string{"Post", "Go", "Call"}, kinds)
}

func TestEachObserveHasAStopOfItsOwn(t *testing.T) {
	l := newLoop(t)
	told := 0
	o := &ev.Observer{Begin: func(ev.Callback, time.Time) { told++ }}
	first, second := l.Observe(o), l.Observe(o)
	first()
	first()
	require.NoError(t, l.Post(func() {}))
	run(t, l)
	assert.Equal(t, 1, told)
	second()
	require.NoError(t, l.Post(func() {}))
	run(t, l)
	assert.Equal(t, 1, told)
}

func TestAWakeIsToldToObserversThatComeDuringThePark(t *testing.T) {
	l := newLoop(t)
	woken := make(chan time.Duration, 100)
	o := &ev.Observer{Unpark: func(_ time.Time, d time.Duration) { woken <- d }}
	defer l.Observe(o)()
	a := ev.NewAsync(l, func(*ev.Async) { l.Stop() })
	a.Start()
	go func() {
		untilParked(t, l, 0)
		defer l.Observe(&ev.Observer{})()
		a.Send()
	}()
	run(t, l)
	assert.GreaterOrEqual(t, receive(t, woken), time.Duration(0))
}

func TestAnObserverThatPanicsLeavesTheLoopUsable(t *testing.T) {
	l := newLoop(t)
	for _, o := range []*ev.Observer{
		{Enter: func(time.Time) { panic("boom") }},
		{Leave: func(time.Time) { panic("boom") }},
	} {
		stop := l.Observe(o)
		assert.PanicsWithValue(t, "boom", func() { _ = l.RunNoWait() })
		assert.False(t, l.Running())
		stop()
	}
	require.NoError(t, l.Post(func() {}))
	run(t, l)
}

func TestObserversSeeTheLoopUnderTheUsersLock(t *testing.T) {
	l := newLoop(t)
	var mu sync.Mutex
	l.SetRelease(func(*ev.Loop) { mu.Unlock() }, func(*ev.Loop) { mu.Lock() })
	look := func(time.Time) { assert.False(t, mu.TryLock(), "the loop is not ours to look at") }
	defer l.Observe(&ev.Observer{Park: look, Unpark: func(at time.Time, _ time.Duration) { look(at) }})()
	ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) {}).Start()
	mu.Lock()
	defer mu.Unlock()
	run(t, l)
}

func TestOnlyTimersAreToldDue(t *testing.T) {
	l := newLoop(t)
	due := 0
	defer l.Observe(&ev.Observer{Due: func(w ev.Watcher, _, _ time.Time) {
		assert.IsType(t, new(ev.Timer), w)
		due++
	}})()
	s := ev.NewStat(l, t.TempDir(), time.Millisecond, func(*ev.Stat) {})
	require.NoError(t, s.Start())
	s.Keep(false)
	for range 100 {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {}).Start() // many: then they are taken at once
	}
	ev.NewTimer(l, 20*time.Millisecond, 0, func(*ev.Timer) {}).Start()
	run(t, l)
	s.Stop()
	assert.Equal(t, 101, due)
}

func TestWhatIsLoggedIsNotTheCallbacksTime(t *testing.T) {
	l := newLoop(t, ev.WithPanicHandler(func(ev.Watcher, any, []byte) { time.Sleep(100 * time.Millisecond) }))
	var ended time.Time
	defer l.Observe(&ev.Observer{End: func(_ ev.Callback, at time.Time) { ended = at }})()
	require.NoError(t, l.Post(func() { panic("boom") }))
	run(t, l)
	assert.GreaterOrEqual(t, time.Since(ended), 100*time.Millisecond)
}

func TestCallbacksOfTheSameTextHaveTheSameKey(t *testing.T) {
	l := newLoop(t)
	fn, other := func(*ev.Timer) {}, func(*ev.Timer) {}
	key := func(fn func(*ev.Timer), name string) ev.CallbackKey {
		return ev.CallbackOf(ev.NewTimer(l, 0, 0, fn, ev.Name(name))).Key()
	}
	assert.Equal(t, key(fn, "a"), key(fn, "a"))
	assert.NotEqual(t, key(fn, "a"), key(fn, "b"))
	assert.NotEqual(t, key(fn, "a"), key(other, "a"))
}
