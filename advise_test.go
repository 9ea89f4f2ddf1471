package ev_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// remarks is the log of what EV_DEBUG=1 remarks on.
type remarks struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *remarks) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// take returns what was logged since the last call.
func (r *remarks) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.text.Reset()
	return r.text.String()
}

// advised makes a loop with EV_DEBUG=1, and its log.
func advised(t *testing.T, opts ...ev.LoopOption) (*ev.Loop, *remarks) {
	t.Helper()
	t.Setenv("EV_DEBUG", "1")
	log := new(remarks)
	opts = append(opts, ev.WithName("main"), ev.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	return newLoop(t, opts...), log
}

func TestDebuggingRemarksOnARunWithNothingToDo(t *testing.T) {
	l, log := advised(t)
	require.NoError(t, l.Run(context.Background()))
	assert.Regexp(t, `Run returns at once.*loop=main`, log.take())

	require.NoError(t, l.RunNoWait())
	require.NoError(t, l.Post(func() {}))
	require.NoError(t, l.Run(context.Background()))
	ev.NewAsync(l, func(*ev.Async) {}).Feed(ev.Custom)
	require.NoError(t, l.Run(context.Background()))
	ev.NewTimer(l, 0, 0, func(*ev.Timer) { _ = l.Run(context.Background()) }).Start() // the inner one has nothing to do
	require.NoError(t, l.Run(context.Background()))
	assert.Empty(t, log.take())
}

func TestDebuggingRemarksOnAStopBeforeRun(t *testing.T) {
	l, log := advised(t)
	l.Stop()
	assert.Regexp(t, `Stop before Run has no effect: cancel the context`, log.take())
	require.NoError(t, l.RunNoWait())
	l.Stop() // as a deferred one would be
	l.StopAll()
	assert.Empty(t, log.take())
}

func TestDebuggingRemarksOnAnErrorOfStart(t *testing.T) {
	l, log := advised(t)
	w := ev.NewStat(l, "a\x00b", 0, func(*ev.Stat) {}, ev.Name("conf"))
	require.Error(t, w.Start())
	assert.Regexp(t, `Start has failed.*watcher=conf.*ev: Stat.Start: .*advise_test.go:`, log.take())
	other := newLoop(t)
	require.NoError(t, other.Close())
	require.ErrorIs(t, ev.NewEmbed(l, other, nil).Start(), ev.ErrClosed)
	require.NoError(t, ev.NewStat(l, filepath.Join(t.TempDir(), "missing"), 0, func(*ev.Stat) {}).Start())
	assert.Empty(t, log.take())
}

func TestDebuggingRemarksOnASendToALoopThatNobodyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := advised(t, ev.WithBackend(ev.BackendChan))
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		a.Send()
		time.Sleep(time.Minute)
		assert.Empty(t, log.take(), "the Run may still come")
		require.NoError(t, l.RunNoWait())
		time.Sleep(time.Minute)
		a.Send()
		require.NoError(t, l.Post(func() {}))
		assert.Regexp(t, `\A.* nobody runs: call Run.*\n\z`, log.take(), "once")

		require.NoError(t, l.RunNoWait())
		host := newLoop(t, ev.WithBackend(ev.BackendChan))
		e := ev.NewEmbed(host, l, nil)
		require.NoError(t, e.Start())
		time.Sleep(time.Minute)
		a.Send() // its host may be waiting
		e.Stop()
		require.NoError(t, l.RunNoWait())
		require.NoError(t, l.Post(func() { time.Sleep(time.Minute); a.Send() }))
		require.NoError(t, l.RunNoWait())
		assert.NotContains(t, log.take(), "nobody runs")
	})
}

func TestDebuggingRemarksOnACallbackThatHoldsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := advised(t, ev.WithBackend(ev.BackendChan))
		slow := func() { time.Sleep(time.Second) }
		require.NoError(t, l.Post(slow))
		require.NoError(t, l.RunNoWait())
		assert.Regexp(t, `holds the loop.*callback="Post advise_test.go:.*stack=".*TestDebuggingRemarksOnACallback`, log.take())
		require.NoError(t, l.Post(func() { time.Sleep(10 * time.Millisecond) }))
		require.NoError(t, l.Post(func() { // its Run takes long, and makes callbacks
			ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {}).Start()
			assert.NoError(t, l.Run(context.Background()))
		}))
		require.NoError(t, l.RunNoWait())
		ev.Spawn(l, func(task *ev.Task) error { // it waits, and holds nothing
			return task.Sleep(time.Second)
		})
		require.NoError(t, l.Run(context.Background()))
		time.Sleep(time.Second)
		assert.Empty(t, log.take())
		ev.Spawn(l, func(task *ev.Task) error {
			assert.NoError(t, task.Sleep(time.Second))
			slow()
			return nil
		})
		require.NoError(t, l.Run(context.Background()))
		assert.Regexp(t, `holds the loop.*callback="Task advise_test.go:.*stack=".*TestDebuggingRemarksOnACallback`, log.take())
	})
}

func TestDebuggingRemarksOnAWatcherThatWasNeverStarted(t *testing.T) {
	l, log := advised(t)
	func() {
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("forgotten"))
		used := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("used"))
		used.Start()
		used.Stop()
		ev.NewAsync(l, func(*ev.Async) {}, ev.Name("fed")).Feed(ev.Custom)
		require.NoError(t, l.RunNoWait())
	}()
	var found string
	require.Eventually(t, func() bool {
		runtime.GC()
		found += log.take()
		return found != ""
	}, patience, time.Millisecond)
	runtime.GC()
	time.Sleep(10 * time.Millisecond) // the cleanups of the others would run now
	found += log.take()
	assert.Regexp(t, `\A.*never started.*watcher="Timer forgotten made at .*advise_test.go:\d+".*\n\z`, found)
	runtime.KeepAlive(l)
}
