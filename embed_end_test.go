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

func TestAPanicInAGuestLeavesTheHostsRun(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		var j journal
		embed(t, host, guest)
		dueNow(guest, func(*ev.Timer) { panic("guest") })
		j.due(guest, "the rest")
		assert.PanicsWithValue(t, "guest", func() { host.Run(t.Context()) })
		assert.Zero(t, guest.Depth())
		assert.Zero(t, host.Depth())
		assert.NoError(t, guest.Verify())
		once(t, host)
		assert.Equal(t, []string{"the rest"}, j.takeAll())
	})
}

func TestTheHostsPanicHandlerGetsThePanicOfAGuest(t *testing.T) {
	var kind string
	handler := ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) { kind = fmt.Sprintf("%T: %v", w, v) })
	onEveryLoop(t, func(t *testing.T, host *ev.Loop) {
		kind = ""
		guest := newLoop(t)
		embed(t, host, guest)
		dueNow(guest, func(*ev.Timer) { panic("guest") })
		once(t, host)
		assert.Equal(t, "*ev.Embed: guest", kind)
	}, handler)
}

func TestGoexitInAGuestLeavesBothLoopsUsable(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		var j journal
		embed(t, host, guest)
		dueNow(guest, func(*ev.Timer) { runtime.Goexit() })
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			host.Run(t.Context())
		}()
		receive(t, gone)
		j.due(guest, "next")
		once(t, host)
		assert.Equal(t, []string{"next"}, j.takeAll())
	})
}

func TestAClosedGuestStopsItsEmbed(t *testing.T) {
	closers := map[string]func(t *testing.T, host, guest *ev.Loop){
		"in a callback of the guest": func(t *testing.T, _, guest *ev.Loop) {
			dueNow(guest, func(*ev.Timer) { assert.NoError(t, guest.Close()) })
		},
		"in a callback of the host": func(t *testing.T, host, guest *ev.Loop) {
			dueNow(host, func(*ev.Timer) { assert.NoError(t, guest.Close()) })
		},
		"on another goroutine": func(t *testing.T, _, guest *ev.Loop) {
			go func() {
				for guest.Stats().Parks == 0 {
					runtime.Gosched()
				}
				assert.NoError(t, guest.Close())
			}()
		},
		"before": func(t *testing.T, _, guest *ev.Loop) { assert.NoError(t, guest.Close()) },
	}
	for name, arrange := range closers {
		t.Run(name, func(t *testing.T) {
			onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
				cleaned := 0 // no lock: only the host's goroutine uses it
				e := embed(t, host, guest)
				ev.NewCleanup(guest, func(*ev.Cleanup) { cleaned++ }).Start()
				farOff(t, guest)
				arrange(t, host, guest)
				run(t, host)
				assert.False(t, e.Active())
				assert.Equal(t, 1, cleaned)
				assert.Zero(t, guest.Active())
				assert.ErrorIs(t, guest.RunNoWait(), ev.ErrClosed)
			})
		})
	}
}

func TestAClosedHostLetsGoOfItsGuest(t *testing.T) {
	closers := map[string]func(t *testing.T, host, guest *ev.Loop){
		"in a callback of the guest": func(t *testing.T, host, guest *ev.Loop) {
			dueNow(guest, func(*ev.Timer) { assert.NoError(t, host.Close()) })
		},
		"on another goroutine": func(t *testing.T, host, guest *ev.Loop) {
			go func() {
				for guest.Stats().Parks == 0 {
					runtime.Gosched()
				}
				assert.NoError(t, host.Close())
			}()
		},
		"before": func(t *testing.T, host, _ *ev.Loop) { assert.NoError(t, host.Close()) },
	}
	for name, arrange := range closers {
		t.Run(name, func(t *testing.T) {
			onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
				var j journal
				e := embed(t, host, guest)
				arrange(t, host, guest)
				assert.ErrorIs(t, receive(t, goRun(host)), ev.ErrClosed)
				assert.False(t, e.Active())
				j.due(guest, "on its own")
				run(t, guest)
				assert.Equal(t, []string{"on its own"}, j.takeAll())
			})
		})
	}
}

func TestAPanicInTheCleanupOfAGuestLeavesTheHostUsable(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		other := newLoop(t)
		e, o := embed(t, host, guest), embed(t, host, other)
		ev.NewCleanup(guest, func(*ev.Cleanup) { panic("cleanup") }).Start()
		go func() {
			for guest.Stats().Parks == 0 {
				runtime.Gosched()
			}
			assert.NoError(t, guest.Close())
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
				host, guest := newLoop(t, ev.WithBackend(backend)), newLoop(t, ev.WithBackend(backend))
				embed(t, host, guest)
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
					assert.NoError(t, guest.Close())
				}()
				run(t, host) // ends with its last watcher
				receive(t, closed)
				require.NoError(t, host.Close())
			}
			assert.Equal(t, before, openDescriptors())
		})
	}
}

func TestAHostThatNestsItsRunInACallbackOfTheGuest(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		var j journal
		embed(t, host, guest)
		dueNow(guest, func(*ev.Timer) {
			j.due(guest, "inner")
			assert.NoError(t, host.RunOnce(t.Context()))
			assert.Equal(t, 1, guest.Depth())
			j.note("outer")
		})
		once(t, host)
		assert.Equal(t, []string{"inner", "outer"}, j.takeAll())
	})
}

func TestCancellationEndsAHostThatWaitsForAGuest(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		embed(t, host, guest)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, host.Run(ctx), context.DeadlineExceeded)
		assert.NoError(t, host.Verify())
		assert.NoError(t, guest.Verify())
	})
}

func TestTheUsersFunctionsAreNotCalledWhileAnotherGoroutineHasTheGuest(t *testing.T) { // ev_set_loop_release_cb
	onEveryPair(t, func(t *testing.T, host, guest *ev.Loop) {
		embed(t, host, guest)
		calls := 0 // no lock: only the host's goroutine uses it
		guest.SetRelease(func(*ev.Loop) { calls++ }, func(*ev.Loop) { calls++ })
		guest.SetInvoke(func(l *ev.Loop) { calls++; l.Invoke() })
		ev.NewTimer(guest, 0, time.Millisecond, func(w *ev.Timer) {
			if guest.Iteration() == 5 {
				host.Stop()
			}
		}).Start()
		run(t, host)
		assert.NotZero(t, calls)
	})
}

// The race detector checks that the host still owns the embedded loop in a callback.
func TestAGuestClosedWhileTheHostIsBusyIsTakenDownByTheHost(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, host *ev.Loop) {
		for range 50 {
			guest := newLoop(t)
			timer := ev.NewTimer(guest, time.Hour, 0, func(*ev.Timer) {})
			cleaned := false // used on the host's goroutine
			ev.NewCleanup(guest, func(*ev.Cleanup) { cleaned = true }).Start()
			e := ev.NewEmbed(host, guest, nil)
			require.NoError(t, e.Start())
			closed := make(chan struct{})
			turns := 0
			ev.NewTimer(host, 0, 1, func(w *ev.Timer) {
				if turns++; turns == 3 {
					go func() { assert.NoError(t, guest.Close()); close(closed) }()
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
