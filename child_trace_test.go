//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTraceReportsStopsAndContinues(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		plain := watchChild(t, l, c.pid(), func(w *ev.Child) {
			assert.True(t, w.Status().Exited(), "without Trace, the exit alone")
			w.Stop()
		}, ev.Trace(false))
		var seen []string
		w := ev.NewChild(l, c.pid(), func(w *ev.Child) {
			assert.Equal(t, c.pid(), w.RPid())
			switch s := w.Status(); {
			case s.Stopped():
				seen = append(seen, "stopped by "+s.StopSignal().String())
				assert.NoError(t, c.Process.Signal(syscall.SIGCONT))
			case s.Continued():
				seen = append(seen, "continued")
				if len(seen) < 4 {
					assert.NoError(t, c.Process.Signal(syscall.SIGSTOP))
				} else {
					c.tell(t, "exit 3")
				}
			case s.Exited():
				seen = append(seen, "exited")
				w.Stop()
			}
		}, ev.Trace(true))
		if err := w.Start(); errors.Is(err, errors.ErrUnsupported) {
			plain.Stop()
			t.Skip(err)
		}
		require.NoError(t, c.Process.Signal(syscall.SIGSTOP))
		run(t, l)
		assert.Equal(t, []string{
			"stopped by stopped (signal)", "continued", "stopped by stopped (signal)", "continued", "exited",
		}, seen)
		assert.Equal(t, 3, c.status(t).ExitStatus(), "it was not reaped")
	})
}

func TestTraceReportsAStopFromBeforeStart(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		w := ev.NewChild(l, c.pid(), func(w *ev.Child) {
			if w.Status().Stopped() {
				w.Stop()
			}
		}, ev.Trace(true))
		if err := w.Start(); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		w.Stop()
		require.NoError(t, c.Process.Signal(syscall.SIGSTOP))
		require.NoError(t, w.Start())
		run(t, l)
		assert.Equal(t, syscall.SIGSTOP, w.Status().StopSignal())

		w.SetCallback(func(w *ev.Child) { assert.True(t, w.Status().Signaled()); w.Stop() })
		require.NoError(t, w.Start())
		require.NoError(t, c.Process.Kill())
		run(t, l)
	})
}
