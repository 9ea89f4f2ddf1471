package ev_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAPanicInAnEmbeddedLoopLeavesTheHostsRun(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) { panic("embedded") })
		j.due(embedded, "the rest")
		assert.PanicsWithValue(t, "embedded", func() { host.Run(t.Context()) })
		assert.Zero(t, embedded.Depth())
		assert.Zero(t, host.Depth())
		assert.NoError(t, embedded.Verify())
		once(t, host)
		assert.Equal(t, []string{"the rest"}, j.takeAll())
	})
}

func TestTheHostsPanicHandlerGetsThePanicOfAnEmbeddedLoop(t *testing.T) {
	var kind string
	handler := ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) { kind = fmt.Sprintf("%T: %v", w, v) })
	onEveryLoop(t, func(t *testing.T, host *ev.Loop) {
		kind = ""
		embedded := newLoop(t)
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) { panic("embedded") })
		once(t, host)
		assert.Equal(t, "*ev.Embed: embedded", kind)
	}, handler)
}

func TestGoexitInAnEmbeddedLoopLeavesBothLoopsUsable(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) { runtime.Goexit() })
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			host.Run(t.Context())
		}()
		receive(t, gone)
		j.due(embedded, "next")
		once(t, host)
		assert.Equal(t, []string{"next"}, j.takeAll())
	})
}

func TestAClosedEmbeddedLoopStopsItsEmbed(t *testing.T) {
	closers := map[string]func(t *testing.T, host, embedded *ev.Loop){
		"in a callback of the embedded loop": func(t *testing.T, _, embedded *ev.Loop) {
			dueNow(embedded, func(*ev.Timer) { assert.NoError(t, embedded.Close()) })
		},
		"in a callback of the host": func(t *testing.T, host, embedded *ev.Loop) {
			dueNow(host, func(*ev.Timer) { assert.NoError(t, embedded.Close()) })
		},
		"on another goroutine": func(t *testing.T, _, embedded *ev.Loop) {
			go func() {
				for embedded.Stats().Parks == 0 {
					runtime.Gosched()
				}
				assert.NoError(t, embedded.Close())
			}()
		},
		"before": func(t *testing.T, _, embedded *ev.Loop) { assert.NoError(t, embedded.Close()) },
	}
	for name, arrange := range closers {
		t.Run(name, func(t *testing.T) {
			onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
				cleaned := 0 // no lock: only the host's goroutine uses it
				e := embed(t, host, embedded)
				ev.NewCleanup(embedded, func(*ev.Cleanup) { cleaned++ }).Start()
				farOff(t, embedded)
				arrange(t, host, embedded)
				run(t, host)
				assert.False(t, e.Active())
				assert.Equal(t, 1, cleaned)
				assert.Zero(t, embedded.Active())
				assert.ErrorIs(t, embedded.RunNoWait(), ev.ErrClosed)
			})
		})
	}
}

func TestAClosedHostLetsGoOfItsEmbeddedLoop(t *testing.T) {
	closers := map[string]func(t *testing.T, host, embedded *ev.Loop){
		"in a callback of the embedded loop": func(t *testing.T, host, embedded *ev.Loop) {
			dueNow(embedded, func(*ev.Timer) { assert.NoError(t, host.Close()) })
		},
		"on another goroutine": func(t *testing.T, host, embedded *ev.Loop) {
			go func() {
				for embedded.Stats().Parks == 0 {
					runtime.Gosched()
				}
				assert.NoError(t, host.Close())
			}()
		},
		"before": func(t *testing.T, host, _ *ev.Loop) { assert.NoError(t, host.Close()) },
	}
	for name, arrange := range closers {
		t.Run(name, func(t *testing.T) {
			onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
				var j journal
				e := embed(t, host, embedded)
				arrange(t, host, embedded)
				assert.ErrorIs(t, receive(t, goRun(host)), ev.ErrClosed)
				assert.False(t, e.Active())
				j.due(embedded, "on its own")
				run(t, embedded)
				assert.Equal(t, []string{"on its own"}, j.takeAll())
			})
		})
	}
}

func TestAPanicInTheCleanupOfAnEmbeddedLoopLeavesTheHostUsable(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		other := newLoop(t)
		e, o := embed(t, host, embedded), embed(t, host, other)
		ev.NewCleanup(embedded, func(*ev.Cleanup) { panic("cleanup") }).Start()
		go func() {
			for embedded.Stats().Parks == 0 {
				runtime.Gosched()
			}
			assert.NoError(t, embedded.Close())
		}()
		assert.PanicsWithValue(t, "cleanup", func() { host.Run(t.Context()) })
		assert.False(t, e.Active())
		assert.True(t, o.Active())
		fired := false
		dueNow(other, func(*ev.Timer) { fired = true })
		once(t, host)
		assert.True(t, fired)
	})
}

func TestACloseThatRacesWithTheHostIsNeverLost(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			before := openDescriptors()
			for i := range 200 {
				host, embedded := newLoop(t, ev.WithBackend(backend)), newLoop(t, ev.WithBackend(backend))
				embed(t, host, embedded)
				noise := ev.NewAsync(host, func(*ev.Async) {})
				noise.Start()
				noise.Keep(false)
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					for range i % 10 {
						noise.Send()
						runtime.Gosched()
					}
					assert.NoError(t, embedded.Close())
				}()
				run(t, host) // ends with its last watcher
				receive(t, closed)
				require.NoError(t, host.Close())
			}
			assert.LessOrEqual(t, openDescriptors(), before)
		})
	}
}

func TestAHostThatNestsItsRunInACallbackOfTheEmbeddedLoop(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		var j journal
		embed(t, host, embedded)
		dueNow(embedded, func(*ev.Timer) {
			j.due(embedded, "inner")
			assert.NoError(t, host.RunOnce(t.Context()))
			assert.Equal(t, 1, embedded.Depth())
			j.note("outer")
		})
		once(t, host)
		assert.Equal(t, []string{"inner", "outer"}, j.takeAll())
	})
}

func TestCancellationEndsAHostThatWaitsForAnEmbeddedLoop(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, host.Run(ctx), context.DeadlineExceeded)
		assert.NoError(t, host.Verify())
		assert.NoError(t, embedded.Verify())
	})
}

func TestTheUsersFunctionsAreNotCalledWhileAnotherGoroutineHasTheEmbeddedLoop(t *testing.T) { // ev_set_loop_release_cb
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		embed(t, host, embedded)
		calls := 0 // no lock: only the host's goroutine uses it
		embedded.SetRelease(func(*ev.Loop) { calls++ }, func(*ev.Loop) { calls++ })
		embedded.SetInvoke(func(l *ev.Loop) { calls++; l.Invoke() })
		ev.NewTimer(embedded, 0, time.Millisecond, func(w *ev.Timer) {
			if embedded.Iteration() == 5 {
				host.Stop()
			}
		}).Start()
		run(t, host)
		assert.NotZero(t, calls)
	})
}

// The race detector checks that the host still owns the embedded loop in a callback.
func TestAnEmbeddedLoopClosedWhileTheHostIsBusyIsTakenDownByTheHost(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, host *ev.Loop) {
		for range 50 {
			embedded := newLoop(t)
			timer := ev.NewTimer(embedded, time.Hour, 0, func(*ev.Timer) {})
			cleaned := false // used on the host's goroutine
			ev.NewCleanup(embedded, func(*ev.Cleanup) { cleaned = true }).Start()
			e := ev.NewEmbed(host, embedded, nil)
			require.NoError(t, e.Start())
			closed := make(chan struct{})
			turns := 0
			ev.NewTimer(host, 0, 1, func(w *ev.Timer) {
				if turns++; turns == 3 {
					go func() { assert.NoError(t, embedded.Close()); close(closed) }()
				}
				timer.Start()
				timer.Stop()
				if cleaned {
					w.Stop()
				}
			}).Start()
			run(t, host)
			receive(t, closed)
			assert.False(t, e.Active())
		}
	})
}
