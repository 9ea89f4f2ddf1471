package faults

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// In these tests callbacks misbehave. Each action is tried in every kind of callback.

// callbacks has a function for each kind. It arranges one call of do in a callback,
// after the watcher was stopped. hooks_cleanup_test.go has the same actions for
// Cleanup, which is called when the loop is closed.
var callbacks = map[string]func(t *testing.T, l *ev.Loop, do func()){
	"Async": func(_ *testing.T, l *ev.Loop, do func()) {
		a := ev.NewAsync(l, func(a *ev.Async) { a.Stop(); do() })
		a.Start()
		a.Send()
	},
	"Queue": func(t *testing.T, l *ev.Loop, do func()) {
		q := ev.NewQueue(l, 0, func(q *ev.Queue[int], _ []int) { q.Stop(); do() })
		q.Start()
		require.NoError(t, q.Send(1))
	},
	"Timer": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.NewTimer(l, 0, time.Hour, func(w *ev.Timer) { w.Stop(); do() }).Start()
	},
	"Periodic": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.NewPeriodic(l, 0, time.Millisecond, func(w *ev.Periodic) { w.Stop(); do() }).Start()
	},
	"Scheduler": func(_ *testing.T, l *ev.Loop, do func()) {
		next := func(_ *ev.Scheduler, now time.Time) time.Time { return now.Add(time.Millisecond) }
		ev.NewScheduler(l, next, func(w *ev.Scheduler) { w.Stop(); do() }).Start()
	},
	"IO": func(t *testing.T, l *ev.Loop, do func()) {
		_, w := pipe(t)
		require.NoError(t, ev.NewIO(l, w, ev.Write, func(w *ev.IO, _ ev.Events) { w.Stop(); do() }).Start())
	},
	"Signal": func(t *testing.T, l *ev.Loop, do func()) {
		require.NoError(t, ev.NewSignal(l, syscall.SIGUSR2, func(w *ev.Signal) { w.Stop(); do() }).Start())
		ev.FeedSignal(syscall.SIGUSR2)
	},
	"Child": func(t *testing.T, l *ev.Loop, do func()) {
		cmd := exec.Command("true")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { assert.NoError(t, cmd.Wait()) })
		require.NoError(t, ev.NewChild(l, cmd.Process.Pid, func(w *ev.Child) { w.Stop(); do() }).Start())
	},
	"Stat": func(t *testing.T, l *ev.Loop, do func()) {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, ev.NewStat(l, path, 0, func(w *ev.Stat) { w.Stop(); do() }).Start())
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	},
	"Idle": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.NewIdle(l, func(w *ev.Idle) { w.Stop(); do() }).Start()
	},
	"Prepare": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.NewPrepare(l, func(w *ev.Prepare) { w.Stop(); do() }).Start()
	},
	"Check": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.NewCheck(l, func(w *ev.Check) { w.Stop(); do() }).Start()
	},
	"Embed": func(t *testing.T, l *ev.Loop, do func()) {
		embedded := newLoop(t)
		require.NoError(t, ev.NewEmbed(l, embedded, func(w *ev.Embed) { w.Stop(); do() }).Start())
		a := ev.NewAsync(embedded, func(*ev.Async) {})
		a.Start()
		a.Send()
	},
	"Post": func(t *testing.T, l *ev.Loop, do func()) { require.NoError(t, l.Post(do)) },
	"Call": func(t *testing.T, l *ev.Loop, do func()) {
		l.Ref() // until the question comes
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = ev.Call(context.Background(), l, func() (int, error) { l.Unref(); do(); return 0, nil })
		}()
		t.Cleanup(func() { <-answered })
	},
	"Go": func(_ *testing.T, l *ev.Loop, do func()) {
		ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { do() })
	},
}

// inEachCallback runs the test in a callback of each kind. The loop has one more
// watcher, which was sent too.
func inEachCallback(t *testing.T, test func(t *testing.T, l *ev.Loop, arrange func(do func()), witnessed *int)) {
	settle(t)
	for kind, arrange := range callbacks {
		t.Run(kind, func(t *testing.T) {
			l, err := ev.New(ev.WithBackend(ev.BackendEpoll))
			require.NoError(t, err)
			defer func() {
				assert.NoError(t, l.Verify())
				assert.NoError(t, l.Close())
			}()
			witnessed := 0
			witness := ev.NewAsync(l, func(w *ev.Async) { witnessed++; w.Stop() }, ev.Priority(ev.MinPriority))
			witness.Start()
			witness.Send()
			test(t, l, func(do func()) { arrange(t, l, do) }, &witnessed)
		})
	}
}

func TestWhatIsSentWhileACallbackBlocksArrivesAfter(t *testing.T) {
	inEachCallback(t, func(t *testing.T, l *ev.Loop, arrange func(func()), witnessed *int) {
		const size = 1000
		posted, queued, sent := 0, 0, 0
		q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
			if queued += len(batch); queued == size {
				q.Stop()
			}
		})
		q.Start()
		a := ev.NewAsync(l, func(a *ev.Async) { sent++; a.Stop() })
		a.Start()
		arrange(func() {
			blocked := make(chan struct{})
			go func() { // none of these waits for the callback
				defer close(blocked)
				for i := range size {
					assert.NoError(t, l.Post(func() { posted++ }))
					assert.NoError(t, q.Send(i))
					a.Send()
				}
			}()
			<-blocked
		})
		run(t, l)
		assert.Equal(t, []int{size, size, 1, 1}, []int{posted, queued, sent, *witnessed})
		lives(t, l)
	})
}

func TestThePanicOfACallbackLeavesRunAndNothingElseIsLost(t *testing.T) {
	inEachCallback(t, func(t *testing.T, l *ev.Loop, arrange func(func()), witnessed *int) {
		arrange(func() { panic(t.Name()) })
		assert.PanicsWithValue(t, t.Name(), func() { run(t, l) })
		run(t, l)
		assert.Equal(t, 1, *witnessed)
		lives(t, l)
	})
}

func TestTheGoexitOfACallbackEndsTheGoroutineAndNothingElseIsLost(t *testing.T) {
	inEachCallback(t, func(t *testing.T, l *ev.Loop, arrange func(func()), witnessed *int) {
		arrange(runtime.Goexit)
		ended := make(chan bool)
		go func() {
			returned := false
			defer func() { ended <- returned }()
			_ = l.Run(context.Background())
			returned = true
		}()
		assert.False(t, <-ended)
		run(t, l)
		assert.Equal(t, 1, *witnessed)
		lives(t, l)
	})
}

func TestACallbackThatClosesTheLoopIsTheLastOne(t *testing.T) {
	inEachCallback(t, func(t *testing.T, l *ev.Loop, arrange func(func()), witnessed *int) {
		closed := false
		arrange(func() {
			assert.NoError(t, l.Close())
			assert.ErrorIs(t, l.Post(func() {}), ev.ErrClosed)
			closed = true
		})
		late := ev.NewCheck(l, func(*ev.Check) { assert.False(t, closed) }, ev.Priority(ev.MinPriority))
		late.Start()
		require.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
		assert.True(t, closed)
		assert.LessOrEqual(t, *witnessed, 1)
		assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
		assert.Zero(t, l.Active())
	})
}

func TestACallbackThatRunsTheLoopAgainSeesItsPeersCalled(t *testing.T) {
	inEachCallback(t, func(t *testing.T, l *ev.Loop, arrange func(func()), witnessed *int) {
		depth, nested := 0, 0
		arrange(func() {
			depth = l.Depth()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { nested = l.Depth(); l.Stop() }).Start()
			run(t, l)
			assert.Equal(t, 1, *witnessed)
		})
		run(t, l)
		assert.Equal(t, []int{1, 2, 1}, []int{depth, nested, *witnessed})
		lives(t, l)
	})
}
