package ev_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// end says how a function on a goroutine of its own ended.
type end struct {
	panicked any
	stack    string // where it panicked
	exited   bool   // the goroutine ended by runtime.Goexit
}

// endOf runs fn on a goroutine of its own.
func endOf(t testing.TB, fn func()) (e end) {
	t.Helper()
	done := make(chan struct{})
	e.exited = true
	go func() {
		defer close(done)
		func() {
			defer func() {
				if e.panicked = recover(); e.panicked != nil {
					e.stack = string(debug.Stack())
				}
			}()
			fn()
		}()
		e.exited = false
	}()
	receive(t, done)
	return e
}

// full starts a watcher of each kind that holds a resource of the system.
func full(t *testing.T, l *ev.Loop) {
	t.Helper()
	farOff(t, l)
	ev.NewAsync(l, func(*ev.Async) {}).Start()
	ev.NewPeriodic(l, 0, time.Hour, func(*ev.Periodic) {}).Start()
	ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {}).Start()
	if !onWasm {
		require.NoError(t, ev.NewSignal(l, syscall.SIGINT, func(*ev.Signal) {}).Start())
	}
	require.NoError(t, ev.NewStat(l, t.TempDir(), time.Hour, func(*ev.Stat) {}).Start())
	if l.Backend() == ev.BackendChan {
		return
	}
	c, _ := connPair(t)
	require.NoError(t, ev.NewConnIO(l, c, ev.Read, func(*ev.IO, ev.Events) {}).Start())
}

// gone requires that the loop holds nothing.
func gone(t *testing.T, l *ev.Loop) {
	t.Helper()
	assert.NoError(t, l.Close())
	assert.ErrorIs(t, l.RunNoWait(), ev.ErrClosed)
	assert.ErrorIs(t, l.Post(func() {}), ev.ErrClosed)
	_, err := ev.Call(t.Context(), l, func() (int, error) { return 0, nil })
	assert.ErrorIs(t, err, ev.ErrClosed)
	assert.Zero(t, l.Active())
	assert.Zero(t, l.Depth())
	assert.False(t, l.Running())
	assert.False(t, l.Alive())
	assert.NoError(t, l.Verify())
	assert.False(t, listed(l.ID()))
}

func blowUp(v any) { panic(v) }

// act runs an action of a Cleanup, by its name.
func act(what string) {
	switch what {
	case "return":
	case "exit":
		runtime.Goexit()
	default:
		blowUp(what)
	}
}

// closings are the ways to close a loop so that this goroutine tears it down.
var closings = map[string]func(l *ev.Loop){
	"Close": func(l *ev.Loop) { l.Close() },
	"Run": func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) { l.Close() })
		l.Run(context.Background())
	},
	"RunNoWait": func(l *ev.Loop) {
		l.Post(func() { l.Close() })
		l.RunNoWait()
	},
	"a nested Run": func(l *ev.Loop) {
		dueNow(l, func(*ev.Timer) {
			dueNow(l, func(*ev.Timer) { l.Close() })
			l.RunOnce(context.Background())
		})
		l.Run(context.Background())
	},
	"a Run that another goroutine ends": func(l *ev.Loop) {
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
		dueNow(l, func(*ev.Timer) { go l.Close() })
		l.Run(context.Background())
	},
	"the Run of a host": func(l *ev.Loop) {
		host, err := ev.New()
		if err != nil {
			panic(err)
		}
		defer host.Close()
		e := ev.NewEmbed(host, l, nil)
		_ = e.Start()
		dueNow(host, func(*ev.Timer) { l.Close() })
		host.Run(context.Background())
	},
	"Stop of an Embed": func(l *ev.Loop) {
		host, err := ev.New()
		if err != nil {
			panic(err)
		}
		defer host.Close()
		e := ev.NewEmbed(host, l, nil)
		_ = e.Start()
		dueNow(host, func(*ev.Timer) { l.Close(); e.Stop() })
		host.Run(context.Background())
	},
	"Close of an embedded loop and its host": func(l *ev.Loop) {
		host, err := ev.New()
		if err != nil {
			panic(err)
		}
		_ = ev.NewEmbed(host, l, nil).Start()
		dueNow(host, func(*ev.Timer) { l.Close(); host.Close() })
		host.Run(context.Background())
	},
	"Close of a host and its embedded loop in the embedded loop": func(l *ev.Loop) {
		host, err := ev.New()
		if err != nil {
			panic(err)
		}
		_ = ev.NewEmbed(host, l, nil).Start()
		dueNow(l, func(*ev.Timer) { host.Close(); l.Close() })
		host.Run(context.Background())
	},
}

func TestEveryCleanupRunsAndEverythingIsFreed(t *testing.T) {
	for _, tc := range []struct {
		acts     [3]string
		panicked any
		exited   bool
	}{
		{[3]string{"return", "return", "return"}, nil, false},
		{[3]string{"first", "return", "return"}, "first", false},
		{[3]string{"return", "return", "last"}, "last", false},
		{[3]string{"first", "second", "third"}, "first", false},
		{[3]string{"exit", "return", "return"}, nil, true},
		{[3]string{"exit", "exit", "exit"}, nil, true},
		{[3]string{"exit", "second", "third"}, "second", true},
		{[3]string{"first", "exit", "third"}, "first", true},
		{[3]string{"first", "second", "exit"}, "first", true},
	} {
		for name, closing := range closings {
			t.Run(fmt.Sprintf("%v/%s", tc.acts, name), func(t *testing.T) {
				for _, backend := range ev.SupportedBackends() {
					var j journal
					before := openDescriptors()
					l, err := ev.New(ev.WithBackend(backend))
					require.NoError(t, err)
					t.Run(backend.String(), func(t *testing.T) {
						full(t, l)
						for i, what := range tc.acts {
							ev.NewCleanup(l, func(*ev.Cleanup) { j.note(fmt.Sprint(i)); act(what) }).Start()
						}
						e := endOf(t, func() { closing(l) })
						assert.Equal(t, []string{"0", "1", "2"}, j.takeAll())
						assert.Equal(t, tc.panicked, e.panicked)
						assert.Equal(t, tc.exited, e.exited)
						if tc.panicked == tc.acts[0] {
							assert.Contains(t, e.stack, "ev_test.blowUp", "the panic has its stack still")
						}
						gone(t, l)
					})
					assert.LessOrEqual(t, openDescriptors(), before)
				}
			})
		}
	}
}

func TestAPanicWithNilInACleanup(t *testing.T) {
	var j journal
	l, err := ev.New()
	require.NoError(t, err)
	ev.NewCleanup(l, func(*ev.Cleanup) { panic(nil) }).Start() //nolint
	ev.NewCleanup(l, func(*ev.Cleanup) { j.note("second"); panic("second") }).Start()
	e := endOf(t, func() { l.Close() })
	assert.IsType(t, new(runtime.PanicNilError), e.panicked)
	assert.Equal(t, []string{"second"}, j.takeAll())
	gone(t, l)
}

// Every loop of a chain has Cleanups that panic, and an ordinary one.
func TestCleanupsOfAChainPanic(t *testing.T) {
	for name, closing := range map[string]struct {
		close func(t *testing.T, loops []*ev.Loop)
		first string // the first loop that is torn down
	}{
		"all in a callback of the outermost": {func(t *testing.T, loops []*ev.Loop) {
			dueNow(loops[0], func(*ev.Timer) { closeAll(t, loops) })
		}, "1"},
		"all in a callback of the innermost": {func(t *testing.T, loops []*ev.Loop) {
			dueNow(loops[3], func(*ev.Timer) { closeAll(t, loops) })
		}, "3"},
		"all on another goroutine": {func(t *testing.T, loops []*ev.Loop) {
			dueNow(loops[0], func(*ev.Timer) {
				done := make(chan struct{})
				go func() { closeAll(t, loops); close(done) }()
				receive(t, done)
			})
		}, "1"},
		"all but the outermost while it waits": {func(t *testing.T, loops []*ev.Loop) {
			var once sync.Once
			loops[0].SetRelease(func(*ev.Loop) {
				once.Do(func() {
					done := make(chan struct{})
					go func() { closeAll(t, loops[1:]); close(done) }()
					receive(t, done)
				})
			}, func(*ev.Loop) {})
		}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			var j journal
			before := openDescriptors()
			loops := make([]*ev.Loop, 4)
			for i := range loops {
				l, err := ev.New()
				require.NoError(t, err)
				loops[i] = l
				ev.NewAsync(l, func(*ev.Async) {}).Start()
				for _, what := range []string{"return", fmt.Sprint(i), "return", "too late", "return"} {
					ev.NewCleanup(l, func(*ev.Cleanup) { j.note(fmt.Sprint(i)); act(what) }).Start()
				}
				if i > 0 {
					embed(t, loops[i-1], l)
				}
			}
			closing.close(t, loops)
			e := endOf(t, func() { loops[0].Run(context.Background()) })
			assert.False(t, e.exited)
			assert.Equal(t, closing.first, e.panicked)
			assert.NoError(t, loops[0].Verify())
			for _, l := range loops[1:] {
				gone(t, l)
			}
			endOf(t, func() { loops[0].Close() })
			assert.LessOrEqual(t, openDescriptors(), before)
			called := make(map[string]int)
			for _, loop := range j.takeAll() {
				called[loop]++
			}
			assert.Equal(t, map[string]int{"0": 5, "1": 5, "2": 5, "3": 5}, called)
			gone(t, loops[0])
		})
	}
}

func closeAll(t *testing.T, loops []*ev.Loop) {
	for _, l := range loops {
		assert.NoError(t, l.Close())
	}
}

func TestThePanicOfACallbackComesBeforeThoseOfTheCleanups(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		cleaned := 0
		for _, l := range []*ev.Loop{host, embedded} {
			ev.NewCleanup(l, func(*ev.Cleanup) { cleaned++; panic("cleanup") }).Start()
		}
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) {
			host.Close()
			embedded.Close()
			blowUp("callback")
		})
		e := endOf(t, func() { host.Run(context.Background()) })
		assert.Equal(t, "callback", e.panicked)
		assert.Contains(t, e.stack, "ev_test.blowUp")
		assert.Equal(t, 2, cleaned)
		gone(t, host)
		gone(t, embedded)
	})
}

func TestAGoexitOfACallbackThatClosed(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		cleaned := 0
		for _, l := range []*ev.Loop{host, embedded} {
			ev.NewCleanup(l, func(*ev.Cleanup) { cleaned++ }).Start()
		}
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) { host.Close(); embedded.Close(); runtime.Goexit() })
		e := endOf(t, func() { host.Run(context.Background()) })
		assert.True(t, e.exited)
		assert.Equal(t, 2, cleaned)
		gone(t, host)
		gone(t, embedded)
	})
}

func TestThePanicHandlerGetsThePanicOfEachCleanup(t *testing.T) {
	for name, closing := range closings {
		t.Run(name, func(t *testing.T) {
			var j journal
			l, err := ev.New(ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) { j.note(fmt.Sprintf("%s: %v", w.Name(), v)) }))
			require.NoError(t, err)
			for i := range 3 {
				ev.NewCleanup(l, func(*ev.Cleanup) { panic(i) }, ev.Name("cleanup")).Start()
			}
			assert.Equal(t, end{}, endOf(t, func() { closing(l) }))
			assert.Equal(t, []string{"cleanup: 0", "cleanup: 1", "cleanup: 2"}, j.takeAll())
			gone(t, l)
		})
	}
}

// A panic in a Cleanup of an embedded loop is for the host a panic in the sweep.
func TestTheHostsPanicHandlerGetsThoseOfAnEmbeddedLoopsCleanups(t *testing.T) {
	for _, with := range []int{0, 1} { // the loop of the chain that has the handler
		var j journal
		handler := ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) { j.note(fmt.Sprintf("%s: %v", w.Name(), v)) })
		options := [3][]ev.LoopOption{}
		options[with] = append(options[with], handler)
		var loops [3]*ev.Loop
		for i := range loops {
			loops[i] = newLoop(t, options[i]...)
			if i > 0 {
				require.NoError(t, ev.NewEmbed(loops[i-1], loops[i], nil, ev.Name(fmt.Sprint("embed ", i))).Start())
			}
		}
		ev.NewCleanup(loops[2], func(*ev.Cleanup) { panic("cleanup") }).Start()
		dueNow(loops[0], func(*ev.Timer) { loops[2].Close() })
		nowait(t, loops[0])
		assert.Equal(t, []string{"embed 2: cleanup"}, j.takeAll())
		gone(t, loops[2])
	}
}

func TestAPanicHandlerThatPanicsAboutACleanup(t *testing.T) {
	var j journal
	l, err := ev.New(ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { panic(fmt.Sprint("handler: ", v)) }))
	require.NoError(t, err)
	for i := range 3 {
		ev.NewCleanup(l, func(*ev.Cleanup) { j.note("called"); panic(i) }).Start()
	}
	assert.Equal(t, "handler: 0", endOf(t, func() { l.Close() }).panicked)
	assert.Len(t, j, 3)
	gone(t, l)
}

// If an observer prevents the pass, the Cleanups are called all the same.
func TestCleanupsRunThoughAnObserverPanics(t *testing.T) {
	for _, what := range []string{"observer", "exit"} {
		var j journal
		l, err := ev.New()
		require.NoError(t, err)
		l.Observe(&ev.Observer{Pass: func(*ev.Loop, time.Time) { act(what) }})
		for i := range 3 {
			ev.NewCleanup(l, func(*ev.Cleanup) { j.note(fmt.Sprint(i)); act([]string{"return", "panic", "exit"}[i]) }).Start()
		}
		endOf(t, func() { l.Close() })
		assert.Equal(t, []string{"0", "1", "2"}, j.takeAll())
		gone(t, l)
	}
}

func TestWhatACleanupMayDo(t *testing.T) {
	for name, closing := range closings {
		t.Run(name, func(t *testing.T) {
			l, err := ev.New()
			require.NoError(t, err)
			late := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "a callback after the Cleanups") })
			full(t, l)
			embedded := newLoop(t)
			e := embed(t, l, embedded)
			closed, closedGuest := newLoop(t), 0
			ev.NewCleanup(closed, func(*ev.Cleanup) { closedGuest++ }).Start()
			embed(t, l, closed)
			var other *ev.Cleanup
			ev.NewCleanup(l, func(*ev.Cleanup) {
				assert.Zero(t, l.Depth())
				assert.NoError(t, l.Close())
				assert.ErrorIs(t, l.Run(context.Background()), ev.ErrClosed)
				assert.ErrorIs(t, l.RunNoWait(), ev.ErrClosed)
				assert.ErrorIs(t, l.Post(func() {}), ev.ErrClosed)
				l.Stop()
				l.Invoke()
				late.Start()
				late.Feed(ev.Custom)
				late.Send()
				assert.False(t, late.Active())
				ev.NewTimer(l, 0, 0, func(*ev.Timer) {}).Start()
				ev.NewCleanup(l, func(*ev.Cleanup) { assert.Fail(t, "a Cleanup that was started in one") }).Start()
				assert.Error(t, ev.NewSignal(l, syscall.SIGINT, func(*ev.Signal) {}).Start())
				assert.ErrorIs(t, ev.NewEmbed(l, newLoop(t), nil).Start(), ev.ErrClosed)
				e.Stop()
				nowait(t, embedded)
				assert.NoError(t, closed.Close())
				other.Stop()
			}).Start()
			other = ev.NewCleanup(l, func(*ev.Cleanup) { assert.Fail(t, "a Cleanup that was stopped") })
			other.Start()
			assert.Equal(t, end{}, endOf(t, func() { closing(l) }))
			assert.Equal(t, 1, closedGuest)
			gone(t, l)
			gone(t, closed)
			nowait(t, embedded)
		})
	}
}

// A Cleanup of an embedded loop, called as its host's Run ends, may run the host once more.
func TestACleanupOfAnEmbeddedLoopRunsTheHost(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		ev.NewCleanup(embedded, func(*ev.Cleanup) {
			j.note("cleanup")
			j.due(host, "nested")
			assert.NoError(t, host.RunNoWait())
		}).Start()
		dueNow(host, func(*ev.Timer) {
			assert.NoError(t, embedded.Close())
			host.Stop()
		})
		run(t, host)
		assert.Equal(t, []string{"cleanup", "nested"}, j.takeAll())
		assert.False(t, host.Running())
	})
}

// If a panic leaves the host in the middle of its poll, the embedded loops have their
// descriptors back.
func TestAnEmbeddedLoopClosedWhileItIsOutAndTheHostPanics(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		cleaned := 0
		e := embed(t, host, embedded)
		ev.NewCleanup(embedded, func(*ev.Cleanup) { cleaned++; panic("cleanup") }).Start()
		host.SetRelease(func(*ev.Loop) {
			done := make(chan error)
			go func() { done <- embedded.Close() }()
			assert.NoError(t, receive(t, done))
			assert.Zero(t, cleaned)
		}, func(*ev.Loop) { blowUp("acquire") })
		got := endOf(t, func() { host.Run(context.Background()) })
		host.SetRelease(nil, nil)
		assert.Equal(t, "acquire", got.panicked)
		assert.Contains(t, got.stack, "ev_test.blowUp")
		assert.Equal(t, 1, cleaned)
		assert.False(t, e.Active())
		gone(t, embedded)
		nowait(t, host)
	})
}
