//go:build unix

package ev_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// aKind makes and starts a watcher that is called back at once.
type aKind func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error)

// everyKind are the watchers that other goroutines may start and stop while the lock is
// released. The race detector checks it. IO, Stat, Periodic and the Notifier watch a
// descriptor, and the first of them opens the poller's set.
var everyKind = map[string]aKind{
	"Async": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewAsync(l, func(*ev.Async) { called() })
		w.Start()
		w.Send()
		return w, nil
	},
	"Async with a Notifier": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewAsync(l, func(*ev.Async) { called() })
		w.Start()
		file, err := w.Notifier()
		if err != nil {
			return w, err
		}
		t.Cleanup(func() { file.Close() })
		_, err = file.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		return w, err
	},
	"Queue": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewQueue(l, 1, func(*ev.Queue[int], []int) { called() })
		w.Start()
		return w, w.Send(1)
	},
	"Timer": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		l.Update() // the loop may have waited for a long time
		w := ev.NewTimer(l, time.Millisecond, time.Hour, func(*ev.Timer) { called() })
		w.Start()
		return w, nil
	},
	"Periodic": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewPeriodic(l, 0, time.Millisecond, func(*ev.Periodic) { called() })
		w.Start()
		return w, nil
	},
	"Scheduler": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		next := func(_ *ev.Scheduler, now time.Time) time.Time { return now.Add(time.Millisecond) }
		w := ev.NewScheduler(l, next, func(*ev.Scheduler) { called() })
		w.Start()
		return w, nil
	},
	"IO": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		a, _ := socketpair(t)
		w := ev.NewIO(l, a, ev.Write, func(*ev.IO, ev.Events) { called() })
		return w, w.Start()
	},
	"IO of a connection": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		a, _ := connPair(t)
		w := ev.NewConnIO(l, a, ev.Write, func(*ev.IO, ev.Events) { called() })
		return w, w.Start()
	},
	"IO of a regular file": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		file, err := os.Open(executable(t))
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		w := ev.NewConnIO(l, file, ev.Read, func(*ev.IO, ev.Events) { called() })
		return w, w.Start()
	},
	"Signal": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) { called() })
		err := w.Start()
		ev.FeedSignal(syscall.SIGUSR1)
		return w, err
	},
	"Child": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		child := exec.Command("true")
		require.NoError(t, child.Start())
		t.Cleanup(func() { _ = child.Wait() })
		w := ev.NewChild(l, child.Process.Pid, func(*ev.Child) { called() })
		return w, w.Start()
	},
	"Stat": func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		path := filepath.Join(t.TempDir(), "new")
		w := ev.NewStat(l, path, time.Millisecond, func(*ev.Stat) { called() })
		err := w.Start()
		assert.NoError(t, os.WriteFile(path, nil, 0o600))
		return w, err
	},
	"Idle": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewIdle(l, func(*ev.Idle) { called() })
		w.Start()
		return w, nil
	},
	"Prepare": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewPrepare(l, func(*ev.Prepare) { called() })
		w.Start()
		return w, nil
	},
	"Check": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewCheck(l, func(*ev.Check) { called() })
		w.Start()
		return w, nil
	},
	"Cleanup": func(_ *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewCleanup(l, func(*ev.Cleanup) {})
		w.Start()
		called() // it waits for Close
		return w, nil
	},
}

func TestOthersMayStartAndStopEveryKindWhileTheLockIsReleased(t *testing.T) {
	for kind, begin := range everyKind {
		t.Run(kind, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				var mu sync.Mutex
				l.SetRelease(func(*ev.Loop) { mu.Unlock() }, func(*ev.Loop) { mu.Lock() })
				poke := ev.NewAsync(l, func(*ev.Async) {})
				poke.Start()
				tick := ev.NewTimer(l, 0, 2*time.Millisecond, func(*ev.Timer) {}) // parks on the set, for the timerfd in it
				tick.Start()
				ended := make(chan error, 1)
				go func() {
					mu.Lock()
					defer mu.Unlock()
					ended <- l.Run(t.Context())
				}()
				untilParked(t, l, 0)
				// locked calls fn while the loop waits or is about to wait. There is no
				// happens-before edge from fn to the loop's reads after it has
				// published that it waits.
				locked := func(fn func()) {
					mu.Lock()
					defer mu.Unlock()
					fn()
					poke.Send()
				}
				for range 2 {
					called := make(chan struct{}, 1)
					var w ev.Watcher
					var err error
					locked(func() {
						w, err = begin(t, l, func() {
							select {
							case called <- struct{}{}:
							default:
							}
						})
					})
					if errors.Is(err, errors.ErrUnsupported) {
						break
					}
					require.NoError(t, err)
					receive(t, called)
					locked(w.Stop)
					locked(func() {
						assert.False(t, w.Active())
						assert.NoError(t, l.Verify())
					})
				}
				locked(poke.Stop)
				locked(tick.Stop)
				locked(l.Stop)
				require.NoError(t, receive(t, ended))
				mu.Lock()
				defer mu.Unlock()
				l.SetRelease(nil, nil)
			})
		})
	}
}
