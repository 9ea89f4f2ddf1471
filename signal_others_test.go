//go:build unix

package ev_test

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Other code in the process uses a signal that a Signal watches. These tests are about
// os/signal, which does not depend on the backend.

// interferences are calls of os/signal that may precede the start of a watcher.
var interferences = map[string]func(sig os.Signal){
	"nothing":          func(os.Signal) {},
	"Ignore":           func(sig os.Signal) { signal.Ignore(sig) },
	"Reset":            func(sig os.Signal) { signal.Reset(sig) },
	"Ignore and Reset": func(sig os.Signal) { signal.Ignore(sig); signal.Reset(sig) },
	"Reset and Ignore": func(sig os.Signal) { signal.Reset(sig); signal.Ignore(sig) },
	"Ignore of all":    func(os.Signal) { signal.Ignore() },
	"Reset of all":     func(os.Signal) { signal.Reset() },
}

// restore undoes all interferences when the test ends. A Reset would leave an ignored
// signal ignored.
func restore(t testing.TB) {
	t.Cleanup(func() {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch)
		signal.Stop(ch)
	})
}

// counter starts a Signal that counts its callbacks.
func counter(t testing.TB, l *ev.Loop, sig os.Signal) (s *ev.Signal, calls *int) {
	t.Helper()
	calls = new(int)
	s = ev.NewSignal(l, sig, func(*ev.Signal) { *calls++ })
	require.NoError(t, s.Start())
	return s, calls
}

func TestASignalStartedAfterIgnoreOrResetIsCalledAndSoAreTheEarlierOnes(t *testing.T) {
	for name, interfere := range interferences {
		for _, earlier := range []struct{ here, there int }{{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 2}} {
			t.Run(name, func(t *testing.T) {
				restore(t)
				here, there := newLoop(t), newLoop(t)
				var calls []*int
				var loops []*ev.Loop
				watch := func(l *ev.Loop) {
					_, c := counter(t, l, syscall.SIGUSR2)
					calls, loops = append(calls, c), append(loops, l)
				}
				for range earlier.here {
					watch(here)
				}
				for range earlier.there {
					watch(there)
				}
				interfere(syscall.SIGUSR2)
				watch(here)
				for n := 1; n <= 2; n++ {
					raise(t, syscall.SIGUSR2)
					for i, c := range calls {
						until(t, loops[i], func() bool { return *c >= n })
					}
				}
			})
		}
	}
}

func TestASignalStartedAgainAfterIgnoreOrResetIsCalled(t *testing.T) {
	for name, interfere := range interferences {
		t.Run(name, func(t *testing.T) {
			restore(t)
			l := newLoop(t)
			other, calls := counter(t, l, syscall.SIGUSR2)
			s, again := counter(t, l, syscall.SIGUSR2)
			s.Stop()
			interfere(syscall.SIGUSR2)
			require.NoError(t, s.Start())
			raise(t, syscall.SIGUSR2)
			until(t, l, func() bool { return *calls == 1 && *again == 1 })
			other.Stop()
			interfere(syscall.SIGUSR2)
			s.Stop()
			require.NoError(t, s.Start())
			raise(t, syscall.SIGUSR2)
			until(t, l, func() bool { return *again == 2 })
		})
	}
}

// The documentation of Signal says so. A test cannot wait for a call that must not
// come: another channel receives the signals, and os/signal notifies both together.
func TestAnIgnoreOrResetEndsTheSubscriptionsOfActiveWatchersUntilTheNextStart(t *testing.T) {
	for _, name := range []string{"Ignore", "Reset"} {
		t.Run(name, func(t *testing.T) {
			restore(t)
			l, m := newLoop(t), newLoop(t)
			s, calls := counter(t, l, syscall.SIGUSR2)
			interferences[name](syscall.SIGUSR2)
			ch := make(chan os.Signal, 1)
			signal.Notify(ch, syscall.SIGUSR2)
			defer signal.Stop(ch)
			for range 3 {
				raise(t, syscall.SIGUSR2)
				receive(t, ch)
				nowait(t, l)
			}
			assert.Zero(t, *calls)
			assert.True(t, s.Active())
			ev.FeedSignal(syscall.SIGUSR2)
			nowait(t, l)
			assert.Equal(t, 1, *calls)

			late, lateCalls := counter(t, m, syscall.SIGUSR2)
			raise(t, syscall.SIGUSR2)
			until(t, m, func() bool { return *lateCalls == 1 })
			until(t, l, func() bool { return *calls == 2 })
			late.Stop()
			raise(t, syscall.SIGUSR2)
			until(t, l, func() bool { return *calls == 3 })
		})
	}
}

func TestTheLastStopIgnoresASignalThatWasIgnoredAtAStart(t *testing.T) {
	const sig = syscall.SIGUSR2
	for name, c := range map[string]struct {
		before, between, after string
		ignored                bool
	}{
		"never ignored":                 {"nothing", "nothing", "nothing", false},
		"before the first Start":        {"Ignore", "nothing", "nothing", true},
		"between two Starts":            {"nothing", "Ignore", "nothing", true},
		"after the last Start":          {"nothing", "nothing", "Ignore", true},
		"reset between two Starts":      {"nothing", "Reset", "nothing", false},
		"reset after the last Start":    {"nothing", "nothing", "Reset", false},
		"ignored, then reset in vain":   {"Ignore and Reset", "nothing", "nothing", true},
		"ignored at both":               {"Ignore", "Ignore", "nothing", true},
		"ignored, reset between":        {"Ignore", "Reset", "nothing", true},
		"reset between, ignored at end": {"nothing", "Reset", "Ignore", true},
	} {
		for _, loops := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				restore(t)
				l := newLoop(t)
				m := l
				if loops == 2 {
					m = newLoop(t)
				}
				interferences[c.before](sig)
				a, _ := counter(t, l, sig)
				interferences[c.between](sig)
				b, calls := counter(t, m, sig)
				assert.False(t, signal.Ignored(sig))
				a.Stop()
				assert.False(t, signal.Ignored(sig), "one watches still")
				raise(t, sig)
				until(t, m, func() bool { return *calls == 1 })
				interferences[c.after](sig)
				b.Stop()
				assert.Equal(t, c.ignored, signal.Ignored(sig))
				raise(t, sig) // ends no process
			})
		}
	}
}

func TestALoopThatIsClosedOrDroppedLeavesASignalAsItWas(t *testing.T) {
	restore(t)
	signal.Ignore(syscall.SIGUSR2)
	l := newLoop(t)
	_, calls := counter(t, l, syscall.SIGUSR2)
	closed := newLoop(t)
	counter(t, closed, syscall.SIGUSR2)
	require.NoError(t, closed.Close())
	dropLoops(t, 20, func(l *ev.Loop) { counter(t, l, syscall.SIGUSR2) })
	assert.False(t, signal.Ignored(syscall.SIGUSR2))
	raise(t, syscall.SIGUSR2)
	until(t, l, func() bool { return *calls == 1 })
	require.NoError(t, l.Close())
	assert.True(t, signal.Ignored(syscall.SIGUSR2))
}

func TestDroppedLoopsWithSignalsAreCollected(t *testing.T) {
	for name, prepare := range map[string]func(l *ev.Loop){
		"one": func(l *ev.Loop) { counter(t, l, syscall.SIGUSR1) },
		"two of one, one other": func(l *ev.Loop) {
			counter(t, l, syscall.SIGUSR1)
			counter(t, l, syscall.SIGUSR1)
			counter(t, l, syscall.SIGUSR2)
		},
		"stopped":  func(l *ev.Loop) { s, _ := counter(t, l, syscall.SIGUSR1); s.Stop() },
		"received": func(l *ev.Loop) { counter(t, l, syscall.SIGUSR1); raise(t, syscall.SIGUSR1) },
		"fed":      func(l *ev.Loop) { counter(t, l, syscall.SIGUSR1); ev.FeedSignal(syscall.SIGUSR1) },
	} {
		t.Run(name, func(t *testing.T) { dropLoops(t, 100, prepare) })
	}
	dropLoops(t, 100, func(l *ev.Loop) { counter(t, l, syscall.SIGUSR1) }, ev.WithBackend(ev.BackendChan))
}

func TestALoopThatIsReachedThroughItsSignalAloneKeepsIt(t *testing.T) {
	s, calls := func() (*ev.Signal, *int) { return counter(t, newLoopUnbound(t), syscall.SIGUSR1) }()
	for n := 1; n <= 3; n++ {
		collectGarbage()
		raise(t, syscall.SIGUSR1)
		until(t, s.Loop(), func() bool { return *calls == n })
	}
	require.NoError(t, s.Loop().Close())
}

func TestALoopThatOnlyItsRunRefersToKeepsItsSignals(t *testing.T) {
	const signals = 3
	called, ended := make(chan int), make(chan error, 1)
	func() {
		l := newLoopUnbound(t)
		calls := 0
		s := ev.NewSignal(l, syscall.SIGUSR1, func(s *ev.Signal) {
			if calls++; calls == signals {
				s.Stop()
			}
			called <- calls
		})
		require.NoError(t, s.Start())
		go func() {
			err := l.Run(t.Context())
			_ = l.Close()
			ended <- err
		}()
	}()
	for n := 1; n <= signals; n++ {
		collectGarbage()
		raise(t, syscall.SIGUSR1)
		assert.Equal(t, n, receive(t, called))
	}
	assert.NoError(t, receive(t, ended))
}

// newLoopUnbound makes a loop that the test does not close: a cleanup of the test would
// keep the loop alive.
func newLoopUnbound(t testing.TB) *ev.Loop {
	t.Helper()
	l, err := ev.New()
	require.NoError(t, err)
	return l
}

// collectGarbage collects garbage and waits for cleanups.
func collectGarbage() {
	for range 3 {
		runtime.GC()
		runtime.Gosched()
	}
}

// Close may come between any two steps of Start: the goroutines run freely.
func TestASignalStartedWhileTheLoopIsClosedIsActiveOrSaysErrClosed(t *testing.T) {
	for range 2000 {
		l := newLoopUnbound(t)
		closes := ev.NewAsync(l, func(*ev.Async) {
			counter(t, l, syscall.SIGUSR1) // makes the others' Start and Stop short
			s := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {})
			go func() { _ = l.Close() }()
			err := s.Start()
			for n := 0; err == nil && s.Active(); err = s.Start() {
				s.Stop()
				if n++; n%1000 == 0 {
					runtime.Gosched()
				}
			}
			assert.Equal(t, ev.ErrClosed, err, "it is not active")
			assert.False(t, s.Active())
			s = ev.NewSignal(l, syscall.SIGKILL, func(*ev.Signal) {})
			assert.Equal(t, ev.ErrClosed, s.Start(), "whatever else is wrong")
		})
		closes.Start()
		closes.Send()
		require.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
	}
}
