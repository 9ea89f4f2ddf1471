package ev_test

import (
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// A Child with Trace needs SIGCHLD. In these tests other parts of the program use
// SIGCHLD too.

// tracer starts a Child that counts the stops and the continues of a process.
func tracer(t testing.TB, l *ev.Loop, c *child) (w *ev.Child, changes *int) {
	t.Helper()
	changes = new(int)
	return watchChild(t, l, c.pid(), func(w *ev.Child) {
		if w.Status().Stopped() || w.Status().Continued() {
			*changes++
		}
	}, ev.Trace(true)), changes
}

// toggles stops and continues a process, and checks that the tracer is called both
// times.
func toggles(t testing.TB, w *ev.Child, c *child, changes *int) {
	t.Helper()
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		before := *changes
		require.NoError(t, c.Process.Signal(sig))
		until(t, w.Loop(), func() bool { return *changes > before })
	}
}

// unsubscribed waits until the goroutines of the stopped Childs have ended. Their
// subscriptions end with them.
func unsubscribed(t testing.TB, before leak.Held) {
	t.Helper()
	require.NoError(t, leak.Since(before, patience))
}

func TestAChildTracedAfterIgnoreOrResetIsToldOfStopsAndSoAreTheEarlierOnes(t *testing.T) {
	for name, interfere := range interferences {
		for _, earlier := range []string{"nobody", "a Signal", "a Child"} {
			t.Run(name+" and before "+earlier, func(t *testing.T) {
				restore(t)
				l, m, c, d := newLoop(t), newLoop(t), spawn(t), spawn(t)
				before := leak.Look()
				check := func() {}
				var first ev.Watcher = ev.NewAsync(m, func(*ev.Async) {})
				switch earlier {
				case "a Signal":
					s, calls := counter(t, m, syscall.SIGCHLD)
					first, check = s, func() { until(t, m, func() bool { return *calls > 0 }) }
				case "a Child":
					w, changes := tracer(t, m, d)
					first, check = w, func() { toggles(t, w, d, changes) }
				}
				interfere(syscall.SIGCHLD)
				w, changes := tracer(t, l, c)
				toggles(t, w, c, changes)
				check()
				w.Stop()
				check()
				first.Stop()
				unsubscribed(t, before)
			})
		}
	}
}

func TestTheLastSignalThatStopsTakesNoSIGCHLDFromAChild(t *testing.T) {
	restore(t)
	l, c := newLoop(t), spawn(t)
	before := leak.Look()
	signal.Ignore(syscall.SIGCHLD)
	s, _ := counter(t, l, syscall.SIGCHLD)
	w, changes := tracer(t, l, c)
	s.Stop() // the Child still watches the signal
	assert.False(t, signal.Ignored(syscall.SIGCHLD))
	toggles(t, w, c, changes)
	w.Stop()
	unsubscribed(t, before)
	assert.True(t, signal.Ignored(syscall.SIGCHLD), "as it was")
}

func TestSIGCHLDIsIgnoredAgainAfterTheLastChild(t *testing.T) {
	restore(t)
	l, c := newLoop(t), spawn(t)
	before := leak.Look()
	signal.Ignore(syscall.SIGCHLD)
	a, _ := tracer(t, l, c)
	b, changes := tracer(t, l, c)
	a.Stop()
	require.NoError(t, a.Start())
	a.Stop()
	toggles(t, b, c, changes)
	b.Stop()
	unsubscribed(t, before)
	assert.True(t, signal.Ignored(syscall.SIGCHLD))
}

func TestDroppedLoopsWithChildsAreCollected(t *testing.T) {
	c, exited := spawn(t), spawn(t)
	exited.tell(t, "exit 1")
	exited.zombie(t)
	for name, prepare := range map[string]func(l *ev.Loop){
		"one":                func(l *ev.Loop) { watchChild(t, l, c.pid(), unwatched(t)) },
		"traced":             func(l *ev.Loop) { watchChild(t, l, c.pid(), unwatched(t), ev.Trace(true)) },
		"stopped":            func(l *ev.Loop) { watchChild(t, l, c.pid(), unwatched(t)).Stop() },
		"of an exit":         func(l *ev.Loop) { watchChild(t, l, exited.pid(), unwatched(t)) },
		"of an exit, called": func(l *ev.Loop) { watchChild(t, l, exited.pid(), func(*ev.Child) {}); nowait(t, l) },
		"with a SIGCHLD too": func(l *ev.Loop) {
			watchChild(t, l, c.pid(), unwatched(t), ev.Trace(true))
			counter(t, l, syscall.SIGCHLD)
		},
	} {
		t.Run(name, func(t *testing.T) { dropLoops(t, 100, prepare) })
	}
}

func TestALoopThatIsReachedThroughItsChildAloneKeepsIt(t *testing.T) {
	c := spawn(t)
	w, changes := func() (*ev.Child, *int) { return tracer(t, newLoopUnbound(t), c) }()
	for range 3 {
		collectGarbage()
		toggles(t, w, c, changes)
	}
	require.NoError(t, w.Loop().Close())
}

func TestALoopThatOnlyItsRunRefersToKeepsItsChild(t *testing.T) {
	c := spawn(t)
	ended := make(chan error, 1)
	go func() {
		l := newLoopUnbound(t)
		defer l.Close()
		watchChild(t, l, c.pid(), (*ev.Child).Stop)
		ended <- l.Run(t.Context())
	}()
	collectGarbage()
	c.tell(t, "exit 0")
	assert.NoError(t, receive(t, ended))
}

func TestAChildStartedWhileTheLoopIsClosedIsActiveOrSaysErrClosed(t *testing.T) {
	c := spawn(t)
	for range 200 {
		l := newLoopUnbound(t)
		closes := ev.NewAsync(l, func(*ev.Async) {
			w := ev.NewChild(l, c.pid(), unwatched(t))
			go func() { _ = l.Close() }()
			err := w.Start()
			for ; err == nil && w.Active(); err = w.Start() {
				w.Stop()
			}
			assert.Equal(t, ev.ErrClosed, err, "it is not active")
			assert.False(t, w.Active())
			assert.Equal(t, ev.ErrClosed, ev.NewChild(l, -1, unwatched(t)).Start(), "whatever else is wrong")
		})
		closes.Start()
		closes.Send()
		require.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
	}
}
