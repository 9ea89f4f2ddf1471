package ev_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestATaskBeginsInTheNextIterationAndEndsTheRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []string
		boom := errors.New("boom")
		a := ev.NewAsync(l, func(a *ev.Async) {
			order = append(order, "async")
			a.Stop()
		})
		a.Start()
		a.Send()
		task := ev.Spawn(l, func(task *ev.Task) error {
			order = append(order, "begin")
			assert.True(t, task.Active())
			assert.Same(t, task, l.Task())
			require.NoError(t, task.Yield())
			order = append(order, "end")
			return boom
		})
		assert.True(t, task.Active())
		assert.False(t, task.Done())
		assert.Empty(t, order)
		run(t, l)
		assert.Equal(t, []string{"async", "begin", "end"}, order)
		assert.True(t, task.Done())
		assert.False(t, task.Active())
		assert.Equal(t, boom, task.Err())
		assert.Nil(t, l.Task())
	})
}

func TestAnEndedTaskRunsAnew(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		n := 0
		task := ev.NewTask(l, func(task *ev.Task) error {
			n++
			return task.Yield()
		})
		for want := 1; want <= 3; want++ {
			task.Start()
			task.Start()
			assert.False(t, task.Done())
			run(t, l)
			assert.Equal(t, want, n)
			assert.True(t, task.Done())
			assert.NoError(t, task.Err())
		}
		task.SetCallback(func(*ev.Task) error { n = 100; return nil })
		task.Start()
		run(t, l)
		assert.Equal(t, 100, n)
	})
}

func TestTasksTakeTurnsByPriorityThenInOrder(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []int
		step := func(n int) func(*ev.Task) error {
			return func(task *ev.Task) error {
				for range 2 {
					order = append(order, n)
					if err := task.Yield(); err != nil {
						return err
					}
				}
				return nil
			}
		}
		ev.Spawn(l, step(1))
		ev.Spawn(l, step(2), ev.Priority(1))
		ev.Spawn(l, step(3))
		run(t, l)
		assert.Equal(t, []int{2, 1, 3, 2, 1, 3}, order)
	})
}

func TestSleepIsNeverEarlyAndInTheOrderOfTheEnds(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []int
		for _, ms := range []int{6, 2, 4} {
			ev.Spawn(l, func(task *ev.Task) error {
				began := time.Now()
				err := task.Sleep(time.Duration(ms) * time.Millisecond)
				assert.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(began), time.Duration(ms)*time.Millisecond)
				order = append(order, ms)
				return err
			})
		}
		run(t, l)
		assert.Len(t, order, 3)
	})
}

func TestTasksDoNotStarveTimers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ended := false
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { ended = true }).Start()
		c := ev.NewCond(l)
		ping := func(task *ev.Task) error {
			for !ended {
				c.Signal()
				if err := c.Wait(task); err != nil {
					return err
				}
			}
			c.Signal()
			return nil
		}
		ev.Spawn(l, ping)
		ev.Spawn(l, ping)
		run(t, l)
		assert.True(t, ended)
	})
}

func TestAMailboxThatIsNeverEmptyDoesNotStarveTimers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ended := false
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { ended = true }).Start()
		m := ev.NewMailbox[int](l, 0)
		task := ev.Spawn(l, func(task *ev.Task) error {
			for began := time.Now(); !ended && time.Since(began) < patience; {
				require.NoError(t, m.Send(1))
				if _, err := m.Receive(task); err != nil {
					return err
				}
			}
			return nil
		})
		run(t, l)
		assert.True(t, ended)
		assert.NoError(t, task.Err())
	})
}

// waits are all ways to wait for what does not come.
var waits = map[string]func(*testing.T, *ev.Task) error{
	"Sleep": func(_ *testing.T, task *ev.Task) error { return task.Sleep(time.Hour) },
	"Yield": func(_ *testing.T, task *ev.Task) error {
		for {
			if err := task.Yield(); err != nil {
				return err
			}
		}
	},
	"Join": func(_ *testing.T, task *ev.Task) error {
		return task.Join(ev.NewTask(task.Loop(), func(*ev.Task) error { return nil }))
	},
	"Await": func(_ *testing.T, task *ev.Task) error {
		_, err := ev.Await(task, func(ctx context.Context) (int, error) { <-ctx.Done(); return 1, nil })
		return err
	},
	"Cond": func(_ *testing.T, task *ev.Task) error { return ev.NewCond(task.Loop()).Wait(task) },
	"Mailbox": func(_ *testing.T, task *ev.Task) error {
		_, err := ev.NewMailbox[int](task.Loop(), 0).Receive(task)
		return err
	},
	"Group": func(_ *testing.T, task *ev.Task) error {
		g := ev.NewGroup(task)
		g.Go(func(task *ev.Task) error { return task.Sleep(time.Hour) })
		return g.Wait()
	},
	"Within": func(_ *testing.T, task *ev.Task) error {
		return task.Within(time.Hour, func() error { return task.Sleep(2 * time.Hour) })
	},
}

// unlogged keeps the panics of tasks, which no handler gets, out of the output.
func unlogged() ev.LoopOption { return ev.WithLogger(slog.New(slog.DiscardHandler)) }

func onEveryWait(t *testing.T, test func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error)) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				test(t, l, func(task *ev.Task) error { return wait(t, task) })
			}, unlogged())
		})
	}
}

func TestStopEndsEveryWaitAndTheFunction(t *testing.T) {
	onEveryWait(t, func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error) {
		var order []string
		task := ev.Spawn(l, func(task *ev.Task) error {
			defer func() { order = append(order, "deferred") }()
			err := wait(task)
			assert.Equal(t, context.Canceled, err)
			assert.Equal(t, context.Canceled, task.Sleep(time.Hour))
			assert.Equal(t, context.Canceled, task.Yield())
			assert.Equal(t, context.Canceled, ev.NewCond(l).Wait(task))
			order = append(order, "cancelled")
			return err
		})
		nowait(t, l)
		nowait(t, l)
		assert.True(t, task.Active())
		require.NoError(t, l.Verify())
		task.Stop()
		assert.Equal(t, []string{"cancelled", "deferred"}, order)
		assert.True(t, task.Done())
		assert.Equal(t, context.Canceled, task.Err())
		assert.False(t, task.Active())
		assert.False(t, task.Pending())
		task.Stop()
		assert.Len(t, order, 2)
		run(t, l)
	})
}

func TestCloseEndsEveryWaitBeforeTheCleanups(t *testing.T) {
	onEveryWait(t, func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error) {
		var order []string
		ev.NewCleanup(l, func(*ev.Cleanup) { order = append(order, "cleanup") }).Start()
		task := ev.Spawn(l, func(task *ev.Task) error {
			err := wait(task)
			order = append(order, "ended")
			return err
		})
		nowait(t, l)
		nowait(t, l)
		require.NoError(t, l.Close())
		assert.Equal(t, []string{"ended", "cleanup"}, order)
		assert.Equal(t, ev.ErrClosed, task.Err())
	})
}

func TestTheDeadlineEndsEveryWait(t *testing.T) {
	onEveryWait(t, func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error) {
		ev.Spawn(l, func(task *ev.Task) error {
			began := time.Now()
			err := task.Within(2*time.Millisecond, func() error { return wait(task) })
			assert.Equal(t, context.DeadlineExceeded, err)
			assert.GreaterOrEqual(t, time.Since(began), 2*time.Millisecond)
			assert.NoError(t, task.Yield())
			return nil
		})
		run(t, l)
	})
}

func TestAPanicInEveryWaitedForStepMeetsTheLoopsPolicy(t *testing.T) {
	onEveryWait(t, func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error) {
		task := ev.Spawn(l, func(task *ev.Task) error {
			_ = wait(task)
			panic("boom")
		})
		nowait(t, l)
		nowait(t, l)
		assert.PanicsWithValue(t, "boom", task.Stop)
		var p *ev.PanicError
		require.ErrorAs(t, task.Err(), &p)
		assert.Equal(t, "boom", p.Value)
		assert.Contains(t, string(p.Stack), "TestAPanicInEveryWaitedForStepMeetsTheLoopsPolicy")
		require.NoError(t, l.Verify())
		run(t, l)
	})
}

func TestGoexitInEveryWaitedForStepEndsTheTask(t *testing.T) {
	onEveryWait(t, func(t *testing.T, l *ev.Loop, wait func(*ev.Task) error) {
		task := ev.Spawn(l, func(task *ev.Task) error {
			_ = wait(task)
			runtime.Goexit()
			return nil
		})
		nowait(t, l)
		nowait(t, l)
		var wg sync.WaitGroup
		wg.Add(1)
		ended, stop := true, task.Stop
		go func() {
			defer wg.Done()
			stop()
			ended = false
		}()
		wg.Wait()
		assert.True(t, ended, "the Goexit went on")
		assert.True(t, task.Done())
		assert.Error(t, task.Err())
		require.NoError(t, l.Verify())
		run(t, l)
	})
}

func TestAPanicLeavesRunAndTheHandlerGetsTheStackOfTheTask(t *testing.T) {
	l := newLoop(t, unlogged())
	task := ev.Spawn(l, func(task *ev.Task) error {
		_ = task.Yield()
		panic("boom")
	})
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	assert.True(t, task.Done())
	run(t, l)

	var got ev.Watcher
	var trace string
	l = newLoop(t, ev.WithPanicHandler(func(w ev.Watcher, v any, stack []byte) {
		assert.Equal(t, "boom", v)
		got, trace = w, string(stack)
	}))
	task = ev.Spawn(l, func(task *ev.Task) error {
		_ = task.Yield()
		panicInATask()
		return nil
	})
	run(t, l)
	assert.Same(t, task, got)
	assert.Contains(t, trace, "panicInATask")
}

func panicInATask() { panic("boom") }

func TestATaskThatStopsItselfIsOnlyMarked(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		task := ev.Spawn(l, func(task *ev.Task) error {
			task.Stop()
			assert.True(t, task.Active())
			assert.Error(t, task.Context().Err())
			assert.Equal(t, context.Canceled, task.Sleep(time.Hour))
			return nil
		})
		run(t, l)
		assert.True(t, task.Done())
		assert.NoError(t, task.Err())
	})
}

func TestTasksThatStopEachOther(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var a, b *ev.Task
		a = ev.Spawn(l, func(task *ev.Task) error {
			defer b.Stop()
			return task.Sleep(time.Hour)
		})
		b = ev.Spawn(l, func(task *ev.Task) error {
			_ = task.Yield()
			a.Stop()
			assert.True(t, a.Done())
			return task.Sleep(time.Hour)
		})
		run(t, l)
		assert.Equal(t, context.Canceled, a.Err())
		assert.Equal(t, context.Canceled, b.Err())
	})
}

func TestATaskStoppedBeforeItBeginsIsNotCalled(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		task := ev.Spawn(l, func(*ev.Task) error { panic("called") })
		task.Stop()
		run(t, l)
		assert.True(t, task.Done())
		assert.Equal(t, context.Canceled, task.Err())
	})
}

func TestOnlyItsOwnFunctionMayWaitOnATask(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const message = "ev: Task.Sleep: only the function of the task itself may wait on it"
		var a *ev.Task
		a = ev.Spawn(l, func(task *ev.Task) error {
			ev.NewTimer(l, 0, 0, func(*ev.Timer) {
				assert.Nil(t, l.Task())
				assert.PanicsWithValue(t, message, func() { _ = a.Sleep(1) })
			}).Start()
			require.NoError(t, l.RunOnce(context.Background())) // a nested Run
			assert.Same(t, a, l.Task())
			return task.Sleep(time.Millisecond)
		})
		ev.Spawn(l, func(*ev.Task) error {
			assert.PanicsWithValue(t, message, func() { _ = a.Sleep(1) })
			return nil
		})
		assert.PanicsWithValue(t, message, func() { _ = a.Sleep(1) })
		run(t, l)
		assert.NoError(t, a.Err())
	})
}

func TestThePanicOfAWaitNamesItsMethod(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c, m := ev.NewCond(l), ev.NewMailbox[int](l, 0)
		owner := ev.Spawn(l, func(task *ev.Task) error { return task.Yield() })
		g := ev.NewGroup(owner)
		calls := map[string]func(){
			"Cond.Wait":       func() { _ = c.Wait(owner) },
			"Mailbox.Receive": func() { _, _ = m.Receive(owner) },
			"Group.Wait":      func() { _ = g.Wait() },
		}
		for name, call := range calls {
			assert.PanicsWithValue(t, "ev: "+name+": only the function of the task itself may wait on it", call)
		}
		calls["Cond.Signal"] = c.Signal
		calls["Cond.Broadcast"] = c.Broadcast
		calls["Mailbox.TryReceive"] = func() { m.TryReceive() }
		calls["Group.Go"] = func() { g.Go(func(*ev.Task) error { return nil }) }
		calls["Task.Join"] = func() { _ = owner.Join(ev.NewTask(l, func(*ev.Task) error { return nil })) }
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			for name, call := range calls {
				panicked := make(chan any)
				go func() {
					defer func() { panicked <- recover() }()
					call()
				}()
				assert.Contains(t, <-panicked, "ev: "+name+": called by goroutine")
			}
		}).Start()
		run(t, l)
	})
}

func TestANestedRunInATaskRunsOtherTasks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		other := ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Millisecond) })
		outer := ev.Spawn(l, func(task *ev.Task) error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for !other.Done() {
				if err := l.RunOnce(ctx); err != nil {
					return err
				}
			}
			return l.Run(timeoutSoon(t))
		})
		run(t, l)
		assert.Equal(t, context.DeadlineExceeded, outer.Err())
	})
}

// timeoutSoon is for a Run that would not end: the task in it keeps it going.
func timeoutSoon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestContextIsDoneAtTheEndOfEachRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var inside context.Context
		task := ev.NewTask(l, func(task *ev.Task) error {
			inside = task.Context()
			return task.Sleep(time.Hour)
		})
		task.Start()
		nowait(t, l)
		assert.NoError(t, inside.Err())
		assert.Same(t, inside, task.Context())
		task.Stop()
		assert.Equal(t, context.Canceled, inside.Err())
		task.Start()
		nowait(t, l)
		assert.NoError(t, inside.Err())
		require.NoError(t, l.Close())
		assert.Equal(t, ev.ErrClosed, context.Cause(inside))
		task.Start()
		assert.False(t, task.Active())
	})
}

func TestAwaitTakesWhatTheWorkReturns(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		boom := errors.New("boom")
		ev.Spawn(l, func(task *ev.Task) error {
			v, err := ev.Await(task, func(context.Context) (int, error) { return 7, boom })
			assert.Equal(t, 7, v)
			assert.Equal(t, boom, err)
			_, err = ev.Await(task, func(context.Context) (int, error) { panic("in work") })
			var p *ev.PanicError
			assert.ErrorAs(t, err, &p)
			_, err = ev.Await(task, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
			assert.Error(t, err)
			return task.Within(time.Hour, func() error {
				_, err := ev.Await(task, func(ctx context.Context) (int, error) {
					_, has := ctx.Deadline()
					assert.True(t, has)
					return 0, nil
				})
				return err
			})
		})
		run(t, l)
	})
}

func TestJoinReturnsTheErrorOfTheOther(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		boom, got := errors.New("boom"), 0
		other := ev.NewTask(l, func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			return boom
		})
		for range 3 {
			ev.Spawn(l, func(task *ev.Task) error {
				assert.Equal(t, boom, task.Join(other))
				assert.Equal(t, boom, task.Join(other)) // ended already
				got++
				return nil
			})
		}
		nowait(t, l)
		other.Start()
		run(t, l)
		assert.Equal(t, 3, got)
	})
}

func TestJoinReturnsTheErrorOfTheRunThatItWaitedFor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		first, runs := errors.New("of the first run"), 0
		other := ev.NewTask(l, func(*ev.Task) error {
			if runs++; runs == 1 {
				return first
			}
			return nil
		}, ev.Priority(1))
		var got []error
		for range 2 {
			ev.Spawn(l, func(task *ev.Task) error {
				got = append(got, task.Join(other))
				assert.Equal(t, 2, runs, "the other has run again already")
				return nil
			})
		}
		nowait(t, l)
		other.Start()
		nowait(t, l)
		other.Start()
		run(t, l)
		assert.Equal(t, []error{first, first}, got)
	})
}

func TestWithinNestsAndTheEarliestCounts(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.Spawn(l, func(task *ev.Task) error {
			err := task.Within(time.Millisecond, func() error {
				err := task.Within(time.Hour, func() error { return task.Sleep(time.Hour) })
				assert.Equal(t, context.DeadlineExceeded, err)
				return task.Yield()
			})
			assert.Equal(t, context.DeadlineExceeded, err)
			err = task.Within(time.Hour, func() error {
				assert.Equal(t, context.DeadlineExceeded, task.Within(time.Millisecond, func() error { return task.Sleep(time.Hour) }))
				return task.Sleep(time.Millisecond)
			})
			assert.NoError(t, err)
			assert.Equal(t, context.DeadlineExceeded, task.Within(-1, task.Yield))
			return nil
		})
		run(t, l)
	})
}

func TestFeedAndInvokeDoNotEndAWait(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		steps := 0
		task := ev.Spawn(l, func(task *ev.Task) error {
			steps++
			err := task.Sleep(time.Hour)
			steps++
			return err
		})
		nowait(t, l)
		task.Feed(ev.Custom)
		nowait(t, l)
		task.Invoke(ev.Custom)
		assert.Equal(t, 1, steps)
		assert.False(t, task.Done())
		task.Stop()
		assert.Equal(t, 2, steps)
	})
}

func TestRunTaskRunsUntilItsFunctionReturns(t *testing.T) {
	boom := errors.New("boom")
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			var left *ev.Task
			err := ev.RunTask(context.Background(), func(task *ev.Task) error {
				left = ev.Spawn(task.Loop(), func(task *ev.Task) error { return task.Sleep(time.Hour) })
				_ = task.Sleep(time.Millisecond)
				return boom
			}, ev.WithBackend(backend))
			assert.Equal(t, boom, err)
			assert.Equal(t, ev.ErrClosed, left.Err())

			err = ev.RunTask(timeoutSoon(t), func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.WithBackend(backend))
			assert.Equal(t, context.DeadlineExceeded, err)
			err = ev.RunTask(context.Background(), func(task *ev.Task) error {
				task.Keep(false)
				task.Loop().Stop()
				_ = task.Sleep(time.Millisecond)
				return boom
			}, ev.WithBackend(backend))
			assert.Equal(t, boom, err, "neither Keep nor Stop ends it")
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			err = ev.RunTask(gone, func(*ev.Task) error { panic("called") }, ev.WithBackend(backend))
			assert.Equal(t, context.Canceled, err)
		})
	}
	assert.PanicsWithValue(t, "boom", func() {
		_ = ev.RunTask(context.Background(), func(*ev.Task) error { panic("boom") }, unlogged())
	})
	assert.PanicsWithValue(t, "ev: RunTask: nil function", func() { _ = ev.RunTask(context.Background(), nil) })
	var none context.Context
	assert.PanicsWithValue(t, "ev: RunTask: nil context", func() { _ = ev.RunTask(none, func(*ev.Task) error { return nil }) })
}

func TestAKeptOutTaskDoesNotKeepRunGoing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		task := ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) })
		task.Keep(false)
		nowait(t, l)
		run(t, l)
		assert.True(t, task.Active())
		assert.Equal(t, 1, l.Active())
		task.Stop()
	})
}

func TestTheGoroutineOfATaskStandsForTheLoops(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		task := ev.Spawn(l, func(task *ev.Task) error {
			inside := l.GoroutineID()
			assert.NotZero(t, inside)
			ev.NewTimer(l, 0, 0, func(*ev.Timer) { assert.NotEqual(t, inside, l.GoroutineID()) }).Start()
			_ = task.Data()
			if err := task.Sleep(time.Millisecond); err != nil {
				return err
			}
			done, stop := make(chan any), task.Stop
			go func() {
				defer func() { done <- recover() }()
				stop()
			}()
			assert.Contains(t, <-done, "called by goroutine")
			return l.RunNoWait()
		})
		run(t, l)
		assert.NoError(t, task.Err())
	})
}

func TestStepsDoNotAllocate(t *testing.T) {
	skipWithDebug(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := ev.NewCond(l)
		m := ev.NewMailbox[int](l, 0)
		warm := 0
		for _, step := range []func(task *ev.Task) error{
			(*ev.Task).Yield,
			func(task *ev.Task) error { return task.Sleep(1) },
			func(task *ev.Task) error { warm++; c.Signal(); return c.Wait(task) },
			func(task *ev.Task) error { _, err := m.Receive(task); return err },
		} {
			ev.Spawn(l, func(task *ev.Task) error {
				for {
					if err := step(task); err != nil {
						return err
					}
				}
			}).Keep(false)
		}
		beat := ev.NewTimer(l, 0, 1, func(*ev.Timer) { c.Signal(); _ = m.Send(1) })
		beat.Start()
		n := 0
		check := ev.NewCheck(l, func(c *ev.Check) {
			if n++; n == 1000 {
				l.Stop()
				n = 0
			}
		})
		check.Start()
		require.NoError(t, l.Run(context.Background()))
		if raceEnabled {
			return
		}
		allocs := testing.AllocsPerRun(3, func() { _ = l.Run(context.Background()) })
		assert.Less(t, allocs, 100.0, "for 1000 iterations")
		assert.Positive(t, warm)
	})
}
