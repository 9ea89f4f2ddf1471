package ev_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

// asked calls Ask on goroutines of their own. It waits until the loop has the
// questions.
func asked(t *testing.T, l *ev.Loop, ctx context.Context, fns ...func()) <-chan error {
	t.Helper()
	answers := make(chan error, len(fns))
	for _, fn := range fns {
		go func() { answers <- look.Ask(ctx, l, fn) }()
	}
	require.Eventually(t, func() bool { return ev.Asked(l) == len(fns) }, time.Minute, time.Millisecond)
	return answers
}

func TestAQuestionKeepsNoLoopAliveAndIsAnsweredInTheNextRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		iterations := make(map[uint64]int)
		note := func() { iterations[l.Iteration()]++ }
		answers := asked(t, l, context.Background(), note, note, note)
		assert.False(t, l.Alive())
		assert.Zero(t, l.Pending())
		require.NoError(t, l.Post(func() {}))
		assert.True(t, l.Alive(), "a Post does, though the request was made already")
		for range 3 {
			require.NoError(t, l.RunNoWait())
			assert.False(t, l.Alive())
		}
		for range 3 {
			require.NoError(t, <-answers)
		}
		assert.Equal(t, map[uint64]int{1: 1, 2: 1, 3: 1}, iterations, "one in each")
		assert.NoError(t, l.Verify())
	})
}

func TestAQuestionDoesNotKeepARunGoing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		answered := 0
		answers := asked(t, l, context.Background(), func() { answered++ }, func() { answered++ })
		require.NoError(t, l.Run(context.Background()))
		assert.Equal(t, 1, answered, "the Run was over after an iteration")
		require.NoError(t, l.Run(context.Background()))
		assert.Equal(t, 2, answered)
		require.NoError(t, <-answers)
		require.NoError(t, <-answers)
	})
}

func TestAParkedLoopWakesForAQuestionThatNoToolIsToldOf(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		told := 0
		note := func(ev.Callback, time.Time) { told++ }
		l.Observe(&ev.Observer{Begin: note, End: note, Pass: func(l *ev.Loop, _ time.Time) { told += l.Pending() + l.PendingAt(0) }})
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		for range 10 {
			asked := false
			require.NoError(t, look.Ask(context.Background(), l, func() { asked = true }))
			assert.True(t, asked)
		}
		l.Stop()
		require.NoError(t, <-done)
		assert.Zero(t, told)
	})
}

func TestAQuestionThatIsGivenUpOnIsNotAnswered(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		answers := asked(t, l, ctx, func() { assert.Fail(t, "answered") })
		cancel()
		assert.ErrorIs(t, <-answers, context.Canceled)
		assert.Zero(t, ev.Asked(l))
		assert.ErrorIs(t, look.Ask(ctx, l, func() {}), context.Canceled)
		require.NoError(t, l.RunNoWait())
	})
}

func TestAQuestionThatIsBeingAnsweredIsWaitedFor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		answered := false
		answers := asked(t, l, ctx, func() {
			cancel()
			time.Sleep(10 * time.Millisecond) // an Ask that does not wait would show by now
			answered = true
		})
		require.NoError(t, l.RunNoWait())
		assert.NoError(t, <-answers)
		assert.True(t, answered)
	})
}

// A post makes the same request.
func TestWithoutAQuestionThereIsNothingToAnswer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.Post(func() {}))
		require.NoError(t, l.RunNoWait())
		assert.EqualValues(t, 1, l.Stats().Callbacks)
	})
}

func TestAQuestionToALoopThatClosesIsRefused(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		answers := asked(t, l, context.Background(), func() { assert.Fail(t, "answered") })
		require.NoError(t, l.Close())
		assert.ErrorIs(t, <-answers, ev.ErrClosed)
		assert.ErrorIs(t, look.Ask(context.Background(), l, func() {}), ev.ErrClosed)
	})
}

func TestAQuestionOnTheLoopsOwnGoroutinePanics(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.Post(func() {
			assert.PanicsWithValue(t, "ev: a question to the loop on its own goroutine would wait for itself for ever",
				func() { _ = look.Ask(context.Background(), l, func() {}) })
		}))
		require.NoError(t, l.Run(context.Background()))
		assert.Panics(t, func() { _ = look.Ask(context.Background(), new(ev.Loop), func() {}) })
	})
}

// Goroutines ask and post to a loop whose Runs end again and again. Each question is
// answered once, unless its context ended.
func TestNoQuestionIsLost(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const askers, each = 4, 200
		var others sync.WaitGroup
		answered := make([]int, askers)
		for i := range askers {
			others.Go(func() {
				for n := range each {
					if n%3 == 0 {
						assert.NoError(t, l.Post(runtime.Gosched))
					}
					assert.NoError(t, look.Ask(context.Background(), l, func() { answered[i]++ }))
				}
			})
		}
		over := make(chan struct{})
		go func() { others.Wait(); close(over) }()
		for running := true; running; {
			require.NoError(t, l.Run(context.Background()))
			require.NoError(t, l.Verify())
			select {
			case <-over:
				running = false
			default:
				runtime.Gosched()
			}
		}
		assert.Equal(t, []int{each, each, each, each}, answered)
	})
}

// A walk yields each watcher that Watchers yields once, in parts or at once.
func TestAWalkInPartsSeesWhatWatchersSees(t *testing.T) {
	const hidden = 3 // at most: the loop's own watchers for the Periodics and the Stat
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for i := range 10 {
			ev.NewPrepare(l, func(*ev.Prepare) {}, ev.Name(fmt.Sprint("prepare ", i))).Start()
			w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint("timer ", i)))
			w.Start()
			w.Keep(i%2 == 0)
			ev.NewPeriodic(l, 0, time.Hour, func(*ev.Periodic) {}, ev.Name(fmt.Sprint("periodic ", i))).Start()
		}
		// Where the system does not report changes of files, this Stat has an alarm in
		// the heap of the timers.
		require.NoError(t, ev.NewStat(l, filepath.Join(t.TempDir(), "none"), time.Hour, func(*ev.Stat) {}).Start())
		want, keepers := make(map[ev.Watcher]int), 0
		for w := range l.Watchers() {
			want[w]++
		}
		for range l.Keepers() {
			keepers++
		}
		for _, n := range []int{1, 3, 10, 30, 31, 32, 1000} {
			got, keeping, parts := make(map[ev.Watcher]int), 0, 0
			for at := (look.Cursor{}); !at.Done; parts++ {
				handled := 0
				at = look.Part(l, at, n, func(w any, keeps bool) {
					handled++
					got[w.(ev.Watcher)]++
					if keeps {
						keeping++
					}
				})
				assert.LessOrEqual(t, handled, n)
			}
			assert.Equal(t, want, got, "in parts of %d", n)
			assert.Equal(t, keepers, keeping)
			assert.LessOrEqual(t, parts, (31+hidden)/n+2)
		}
		for w := range l.Watchers() {
			w.Stop()
		}
	})
}

// Everything may change between two parts. The walk still ends, and does not yield
// watchers that are not active.
func TestAWalkGoesOnWhileWatchersComeAndGo(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var timers []*ev.Timer
		for range 100 {
			w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
			w.Start()
			timers = append(timers, w)
			ev.NewPrepare(l, func(*ev.Prepare) {}).Start()
		}
		parts := 0
		for at := (look.Cursor{}); !at.Done; parts++ {
			at = look.Part(l, at, 7, func(w any, _ bool) { assert.True(t, w.(ev.Watcher).Active()) })
			switch parts {
			case 3:
				for range 100 {
					ev.NewCheck(l, func(*ev.Check) {}).Start()
				}
			case 10, 20:
				for w := range l.Watchers() {
					w.Stop()
				}
			case 11:
				timers[0].Start()
			}
		}
		assert.LessOrEqual(t, parts, 300/7+2)
	})
}

// told returns what a task does, in words, as a tool finds it.
func told(l *ev.Loop, task *ev.Task) string {
	s := look.TaskOf(task)
	words := s.Method
	if s.Runs {
		words = "runs"
	}
	if s.FD >= 0 {
		words += fmt.Sprint(" ", s.Read, " ", s.Write)
	}
	if of, ok := s.Of.(ev.Watcher); ok {
		words += " " + of.Name()
	}
	if s.Over {
		words += " over"
	}
	if !s.Until.IsZero() {
		words += fmt.Sprint(" until ", s.Until.Sub(s.Since).Round(time.Hour))
	}
	return words
}

func TestAToolSeesWhatATaskWaitsFor(t *testing.T) {
	want := map[string]string{
		"Sleep": "Sleep until 1h0m0s", "Yield": "Yield over", "Join": "Join ", "Await": "Await", "Cond": "Cond.Wait",
		"Mailbox": "Mailbox.Receive", "Group": "Group.Wait", "Within": "Sleep until 1h0m0s",
	}
	for name, words := range want {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				task := ev.Spawn(l, func(task *ev.Task) error {
					assert.Equal(t, "runs", told(l, task))
					assert.Zero(t, look.TaskStack(task, make([]uintptr, 8)))
					return waits[name](t, task)
				})
				assert.Equal(t, look.Task{FD: -1}, look.TaskOf(task), "it is to begin")
				assert.Zero(t, look.TaskStack(task, make([]uintptr, 8)))
				nowait(t, l)
				nowait(t, l)
				assert.Equal(t, words, told(l, task))
				s := look.TaskOf(task)
				assert.NotZero(t, s.Goroutine)
				assert.WithinDuration(t, l.Now(), s.Since, patience)
				task.Stop()
			})
		})
	}
}

func TestAToolSeesWhichTaskIsJoined(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		slow := ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.Name("slow"))
		task := ev.Spawn(l, func(task *ev.Task) error { return task.Join(slow) })
		nowait(t, l)
		assert.Equal(t, "Join slow", told(l, task))
		slow.Stop()
		assert.Equal(t, "Join slow over", told(l, task))
		run(t, l)
	})
}

// stackOf returns the names of the functions on the stack of a task that waits.
func stackOf(task *ev.Task) (names []string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:look.TaskStack(task, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		names = append(names, f.Function)
	}
	return names
}

func deepDown(task *ev.Task) error { return task.Sleep(time.Hour) }

// The task does not go on when a tool asks for its stack.
func TestAToolSeesTheStackOfATaskThatWaits(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		task := ev.Spawn(l, func(task *ev.Task) error { return deepDown(task) })
		nowait(t, l)
		steps := l.Stats().Callbacks
		for range 3 {
			names := stackOf(task)
			assert.Contains(t, names, "github.com/goevlib/ev.(*Task).Sleep")
			assert.Contains(t, names, "github.com/goevlib/ev_test.deepDown")
			assert.Equal(t, 2, look.TaskStack(task, make([]uintptr, 2)))
		}
		nowait(t, l)
		assert.Equal(t, steps, l.Stats().Callbacks)
		assert.True(t, task.Active())
		ev.Spawn(l, func(*ev.Task) error { // on another task's stack
			assert.Contains(t, stackOf(task), "github.com/goevlib/ev_test.deepDown")
			return nil
		})
		nowait(t, l)
		task.Stop()
		assert.Equal(t, context.Canceled, task.Err())
		assert.Zero(t, look.TaskStack(task, make([]uintptr, 8)), "it has ended")
	})
}
