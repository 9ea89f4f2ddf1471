package ev_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/trace"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// every makes an observer. Each of its functions calls fn with its own name.
func every(fn func(name string)) *ev.Observer {
	return &ev.Observer{
		Enter:  func(time.Time) { fn("Enter") },
		Leave:  func(time.Time) { fn("Leave") },
		Begin:  func(ev.Callback, time.Time) { fn("Begin") },
		End:    func(ev.Callback, time.Time) { fn("End") },
		Pass:   func(*ev.Loop, time.Time) { fn("Pass") },
		Due:    func(ev.Watcher, time.Time, time.Time) { fn("Due") },
		Park:   func(time.Time) { fn("Park") },
		Unpark: func(time.Time, time.Duration) { fn("Unpark") },
	}
}

var observed = []string{"Enter", "Leave", "Begin", "End", "Pass", "Due", "Park", "Unpark"}

// counterpart is the function that belongs to a beginning.
var counterpart = map[string]string{"Enter": "Leave", "Begin": "End", "Park": "Unpark"}

// pairs has the beginnings without an end that an observer was called for.
type pairs struct{ open []string }

func (p *pairs) note(t *testing.T, name string) {
	if end := counterpart[name]; end != "" {
		p.open = append(p.open, end)
		return
	}
	if slices.Contains([]string{"Leave", "End", "Unpark"}, name) {
		if assert.NotEmpty(t, p.open, name) {
			assert.Equal(t, p.open[len(p.open)-1], name)
			p.open = p.open[:len(p.open)-1]
		}
	}
}

// ways are the ways in which an observer may not return.
var ways = map[string]func(){"panics": func() { panic("boom") }, "exits": runtime.Goexit}

// survive runs the loop on a goroutine of its own, which the observer may end, and
// returns how it ended.
func survive(t *testing.T, l *ev.Loop) (v any, returned bool) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { v = recover() }()
		assert.NoError(t, l.Run(context.Background()))
		returned = true
	}()
	receive(t, ended)
	return v, returned
}

// surroundings are options that surround a callback too.
func surroundings() map[string][]ev.LoopOption {
	quiet := ev.WithLogger(slog.New(slog.DiscardHandler))
	handler := ev.WithPanicHandler(func(ev.Watcher, any, []byte) {})
	return map[string][]ev.LoopOption{
		"nothing": nil,
		"handler": {handler, quiet},
		"labels":  {ev.WithProfileLabels(), ev.WithSlowCallback(1), quiet},
		"all":     {handler, ev.WithProfileLabels(), ev.WithSlowCallback(1), quiet},
	}
}

func TestAnObserverThatLeavesTakesNothingWithIt(t *testing.T) {
	if !trace.IsEnabled() {
		require.NoError(t, trace.Start(io.Discard))
		defer trace.Stop()
	}
	for around, opts := range surroundings() {
		for _, name := range observed {
			for way, leave := range ways {
				for _, n := range []int{1, 2, 65, 1000} {
					for _, at := range []int{1, 2, n} { // the number of the call that does not return
						if at > n || at > 1 && name != "Begin" && name != "End" && name != "Due" {
							continue
						}
						t.Run(fmt.Sprintf("%s %s, the %d. of %d, %s", name, way, at, n, around), func(t *testing.T) {
							for wait := time.Millisecond; !leavesOnce(t, newLoop(t, opts...), name, leave, n, at, wait); wait *= 2 {
								require.Contains(t, []string{"Park", "Unpark"}, name, "a loop that is late does not park")
								require.Less(t, wait, patience)
							}
						})
					}
				}
			}
		}
	}
}

// leavesOnce has n timers due and three observers. The second one leaves in its call
// number at. It reports whether there was that call.
func leavesOnce(t *testing.T, l *ev.Loop, name string, leave func(), n, at int, wait time.Duration) bool {
	look := func() {
		if n <= 65 {
			assert.NoError(t, l.Verify())
		}
	}
	var before, after pairs
	left, calls := 0, 0
	for _, o := range []*ev.Observer{
		every(func(name string) { before.note(t, name); look() }),
		every(func(now string) {
			if now != name {
				return
			}
			if calls++; calls == at {
				left++
				leave()
			}
		}),
		every(func(name string) { after.note(t, name); look() }),
	} {
		defer l.Observe(o)()
	}
	var got, want []int
	var timers []*ev.Timer
	for i := range n {
		w := ev.NewTimer(l, wait, 0, func(*ev.Timer) { got = append(got, i); look() })
		w.Start()
		timers, want = append(timers, w), append(want, i)
	}
	for runs := 0; len(got) < n && runs < 3; runs++ {
		survive(t, l)
		assert.NoError(t, l.Verify())
		assert.Zero(t, l.Depth())
		assert.Empty(t, before.open)
		assert.Empty(t, after.open)
		assert.Equal(t, n-len(got), l.Pending()+l.Active(), "every timer is called, pending, or due still")
	}
	assert.LessOrEqual(t, left, 1)
	assert.Equal(t, want, got, "each once, in their order")
	for _, w := range timers {
		assert.False(t, w.Active() || w.Pending())
	}
	return left == 1
}

// beginsThat is an observer whose Begin leaves if it is called for a watcher of this
// kind or name.
func beginsThat(l *ev.Loop, leave func(), bad string) (left *int, stop func()) {
	left = new(int)
	return left, l.Observe(&ev.Observer{Begin: func(c ev.Callback, _ time.Time) {
		if c.Kind() == bad || c.Name() == bad {
			*left++
			leave()
		}
	}})
}

func TestACallbackWhoseBeginDidNotReturnIsStillDue(t *testing.T) {
	for way, leave := range ways {
		for kind, make := range map[string]func(t *testing.T, l *ev.Loop, called func()){
			"Async": func(t *testing.T, l *ev.Loop, called func()) {
				w := ev.NewAsync(l, func(w *ev.Async) { called(); w.Stop() })
				w.Start()
				w.Send()
			},
			"Timer": func(t *testing.T, l *ev.Loop, called func()) {
				ev.NewTimer(l, 0, 0, func(*ev.Timer) { called() }).Start()
			},
			"Queue": func(t *testing.T, l *ev.Loop, called func()) {
				q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
					assert.Equal(t, []int{7}, batch)
					called()
					q.Stop()
				})
				q.Start()
				require.NoError(t, q.Send(7))
			},
			"Post": func(t *testing.T, l *ev.Loop, called func()) { require.NoError(t, l.Post(called)) },
			"Call": func(t *testing.T, l *ev.Loop, called func()) {
				l.Ref()
				go func() {
					n, err := ev.Call(context.Background(), l, func() (int, error) { l.Unref(); called(); return 8, nil })
					assert.NoError(t, err)
					assert.Equal(t, 8, n)
				}()
			},
			"Go": func(t *testing.T, l *ev.Loop, called func()) {
				ev.Go(l, func() (int, error) { return 9, nil }, func(n int, err error) { called() })
			},
		} {
			t.Run(kind+" "+way, func(t *testing.T) {
				l := newLoop(t)
				left, stop := beginsThat(l, leave, kind)
				calls := 0
				make(t, l, func() { calls++ })
				for tries := 1; tries <= 3; tries++ {
					_, returned := survive(t, l)
					assert.False(t, returned)
					assert.Equal(t, tries, *left)
					assert.Equal(t, 1, l.Pending())
					assert.NoError(t, l.Verify())
				}
				stop()
				run(t, l)
				assert.Equal(t, 1, calls)
				assert.Zero(t, l.Pending())
			})
		}
	}
}

func TestACallbackWhoseBeginDidNotReturnKeepsItsPlaceAndItsEvents(t *testing.T) {
	for way, leave := range ways {
		l := newLoop(t)
		_, stop := beginsThat(l, leave, "a")
		var order []string
		a := ev.NewAsync(l, func(w *ev.Async) { order = append(order, "a "+w.Events().String()) }, ev.Name("a"))
		b := ev.NewAsync(l, func(*ev.Async) { order = append(order, "b") })
		urgent := ev.NewAsync(l, func(*ev.Async) { order = append(order, "urgent") }, ev.Priority(1))
		a.Feed(ev.Read)
		b.Feed(ev.Custom)
		survive(t, l)
		assert.True(t, a.Pending() && b.Pending())
		a.Feed(ev.Write)
		urgent.Feed(ev.Custom)
		stop()
		run(t, l)
		assert.Equal(t, []string{"urgent", "a " + (ev.Read | ev.Write).String(), "b"}, order, way)

		_, stop = beginsThat(l, leave, "a")
		a.Feed(ev.Read)
		survive(t, l)
		a.Stop()
		stop()
		assert.False(t, a.Pending())
		run(t, l)
		assert.Len(t, order, 3, "Stop is final")

		a.Feed(ev.Custom) // it can be pending again
		run(t, l)
		assert.Len(t, order, 4)
	}
}

func TestWithAHandlerAnObserversPanicIsReported(t *testing.T) {
	for _, name := range observed {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			handler, reports := reported()
			l := newLoop(t, handler, ev.WithName("mine"), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			told := 0
			var other pairs
			defer l.Observe(every(func(now string) {
				if now == name {
					told++
					explode()
				}
			}))()
			defer l.Observe(every(func(name string) { other.note(t, name) }))()
			calls := 0
			for wait := time.Millisecond; told == 0; wait *= 2 { // a loop that is late does not park
				calls = 0
				for range 100 {
					ev.NewTimer(l, wait, 0, func(*ev.Timer) { calls++ }).Start()
				}
				run(t, l)
			}
			assert.Equal(t, 100, calls, "the callbacks are made")
			assert.Empty(t, other.open)
			require.Len(t, *reports, told)
			for _, r := range *reports {
				assert.Nil(t, r.w, "it is no watcher's panic")
				assert.Equal(t, "boom", r.v)
				assert.Contains(t, r.stack, "ev_test.explode(")
			}
			assert.Contains(t, log.String(), "ev: panic in an observer")
			assert.Contains(t, log.String(), "loop=mine")
		})
	}
}

func TestWithoutAHandlerAnObserversPanicLeavesRun(t *testing.T) {
	for _, name := range observed {
		l := newLoop(t)
		stop := l.Observe(every(func(now string) {
			if now == name {
				panic(name)
			}
		}))
		w := ev.NewTimer(l, time.Millisecond, time.Hour, func(w *ev.Timer) { w.Stop() })
		w.Start()
		v, returned := survive(t, l)
		for wait := time.Millisecond; returned; wait *= 2 { // a loop that is late does not park
			require.NoError(t, w.Set(wait, time.Hour))
			w.Start()
			v, returned = survive(t, l)
		}
		assert.Equal(t, name, v)
		assert.False(t, returned)
		stop()
		run(t, l)
		assert.False(t, w.Active(), name)
	}
}

func TestAllObserversAreCalledEvenIfOthersDoNotReturn(t *testing.T) {
	for way, leave := range ways {
		l := newLoop(t)
		ends := 0
		for i := range 5 {
			defer l.Observe(&ev.Observer{End: func(ev.Callback, time.Time) {
				if ends++; i%2 == 0 {
					leave()
				}
			}})()
		}
		require.NoError(t, l.Post(func() {}))
		survive(t, l)
		assert.Equal(t, 5, ends, way)
	}
}

func TestACleanupIsCalledThoughItsBeginPanics(t *testing.T) {
	for way, leave := range ways {
		l, err := ev.New()
		require.NoError(t, err)
		l.Observe(&ev.Observer{Begin: func(ev.Callback, time.Time) { leave() }})
		called := 0
		ev.NewCleanup(l, func(*ev.Cleanup) { called++ }).Start()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer func() { _ = recover() }()
			_ = l.Close()
		}()
		receive(t, ended)
		assert.Equal(t, 1, called, way)
		assert.NoError(t, l.Verify())
	}
}

// An observer may use all methods for inspection. The loop is in a consistent state
// when it calls user code.
func TestAnObserverMayLookAtEveryWatcherAtAnyTime(t *testing.T) {
	for _, n := range []int{1, 64, 65, 100, 300} {
		if n > 1 && n != 65 && os.Getenv("EV_DEBUG") == "1" {
			continue // every method checks the owner, which takes too long
		}
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			var timers []*ev.Timer
			looks, sound := 0, true
			lookAt := func(m *ev.Loop) {
				looks++
				sound = sound && assert.NoError(t, m.Verify())
				active := 0
				for w := range m.Watchers() {
					active++
					sound = sound && w.Active()
					_ = ev.CallbackOf(w).Key()
				}
				sound = sound && active == m.Active()
				for _, w := range timers {
					sound = sound && w.Remaining() < 2*time.Hour
					if w.Active() || w.Pending() {
						_ = w.Events()
					}
				}
				_, _, _ = m.Pending(), m.Alive(), m.Now()
			}
			look := func(*ev.Loop) { lookAt(l) }
			defer l.Observe(every(func(string) { lookAt(l) }))()
			l.SetInvoke(func(l *ev.Loop) { lookAt(l); l.Invoke(); lookAt(l) })
			p := ev.NewScheduler(l, func(_ *ev.Scheduler, now time.Time) time.Time {
				lookAt(l)
				return now.Add(time.Hour)
			}, func(*ev.Scheduler) {})
			p.Start()
			p.Keep(false)
			calls := 0
			for i := range n {
				repeat := time.Duration(i%2) * time.Hour
				w := ev.NewTimer(l, time.Millisecond, repeat, func(w *ev.Timer) { calls++; w.Stop(); look(l) })
				w.Start()
				timers = append(timers, w)
			}
			run(t, l)
			l.SetInvoke(nil)
			assert.Equal(t, n, calls)
			assert.True(t, sound)
			assert.Greater(t, looks, 3*n)
			p.Stop()
		})
	}
}

func TestAnObserverMayLookAtAHostThatParks(t *testing.T) {
	host, embedded := newLoop(t), newLoop(t)
	e := ev.NewEmbed(host, embedded, nil)
	require.NoError(t, e.Start())
	looked := map[string]int{}
	defer host.Observe(every(func(name string) {
		looked[name]++
		assert.NoError(t, host.Verify(), name)
	}))()
	for wait := time.Millisecond; looked["Unpark"] == 0; wait *= 2 { // a loop that is late does not park
		require.NoError(t, e.Start())
		ev.NewTimer(embedded, wait, 0, func(*ev.Timer) { e.Stop() }).Start()
		run(t, host)
	}
	assert.Positive(t, looked["Park"])
}

func TestAnObserverThatLeavesWhileAnEmbeddedLoopIsLentDoesNotKeepIt(t *testing.T) {
	for _, name := range []string{"Park", "Unpark"} {
		for way, leave := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				host, embedded := newLoop(t), newLoop(t)
				e := ev.NewEmbed(host, embedded, nil)
				require.NoError(t, e.Start())
				stop := host.Observe(every(func(now string) {
					if now == name {
						leave()
					}
				}))
				called := false
				end := ev.NewTimer(embedded, time.Millisecond, 0, func(*ev.Timer) { called = true; e.Stop() })
				end.Start()
				_, returned := survive(t, host)
				for wait := time.Millisecond; returned; wait *= 2 { // a loop that is late does not park
					require.NoError(t, end.Set(wait, 0))
					end.Start()
					called = false
					require.NoError(t, e.Start())
					_, returned = survive(t, host)
				}
				assert.NoError(t, host.Verify())
				assert.NoError(t, embedded.Verify())
				stop()
				run(t, host)
				assert.True(t, called)
			})
		}
	}
}

type loggerThat struct {
	slog.Handler
	does func()
}

func (h loggerThat) Handle(context.Context, slog.Record) error { h.does(); return nil }

func TestALoggerThatPanicsHidesNoPanicFromTheHandler(t *testing.T) {
	for way, leave := range ways {
		handler, reports := reported()
		l := newLoop(t, handler, ev.WithSlowCallback(1),
			ev.WithLogger(slog.New(loggerThat{slog.NewTextHandler(io.Discard, nil), leave})))
		var p pairs
		defer l.Observe(every(func(name string) { p.note(t, name) }))()
		calls := 0
		dueNow(l, func(*ev.Timer) { calls++; explode() })
		dueNow(l, func(*ev.Timer) { calls++ })
		survive(t, l)
		assert.Len(t, *reports, 1, way)
		assert.Empty(t, p.open)
		assert.NoError(t, l.Verify())
		for range 3 {
			survive(t, l)
		}
		assert.Equal(t, 2, calls)
	}
}

func TestFunctionsOfTheUserThatLeaveInTheMiddleLoseNothing(t *testing.T) {
	for way, leave := range ways {
		for _, where := range []string{"release", "acquire", "invoke", "next"} {
			t.Run(where+" "+way, func(t *testing.T) {
				l := newLoop(t)
				left := false
				at := func(now string) {
					if now == where && !left {
						left = true
						leave()
					}
				}
				l.SetRelease(func(*ev.Loop) { at("release") }, func(*ev.Loop) { at("acquire") })
				l.SetInvoke(func(l *ev.Loop) { at("invoke"); l.Invoke() })
				asked := 0
				s := ev.NewScheduler(l, func(_ *ev.Scheduler, now time.Time) time.Time {
					if asked++; asked > 1 {
						at("next")
					}
					return now.Add(time.Millisecond)
				}, func(*ev.Scheduler) {})
				s.Start()
				calls := 0
				for range 100 {
					ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) {
						if calls++; calls == 100 {
							s.Stop()
						}
					}).Start()
				}
				for range 4 {
					survive(t, l)
					assert.NoError(t, l.Verify())
				}
				assert.True(t, left)
				assert.Equal(t, 100, calls)
				s.Stop()
			})
		}
	}
}
