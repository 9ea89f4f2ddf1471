package ev_test

import (
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestNothingButTheTaskItselfMayWaitInItsNestedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const message = "ev: Task.Yield: only the function of the task itself may wait on it"
		seen := map[string]int{}
		ev.Spawn(l, func(task *ev.Task) error {
			try := func(name string) {
				seen[name]++
				assert.Nil(t, l.Task(), name)
				assert.PanicsWithValue(t, message, func() { _ = task.Yield() }, name)
			}
			l.SetInvoke(func(l *ev.Loop) { try("SetInvoke"); l.Invoke() })
			l.SetRelease(func(*ev.Loop) { try("release") }, func(*ev.Loop) { try("acquire") })
			stop := l.Observe(&ev.Observer{
				Enter: func(time.Time) { try("Enter") }, Leave: func(time.Time) { try("Leave") },
				Pass:  func(*ev.Loop, time.Time) { try("Pass") },
				Begin: func(ev.Callback, time.Time) { try("Begin") },
			})
			defer stop()
			dueNow(l, func(*ev.Timer) { try("Timer") })
			assert.NoError(t, l.RunNoWait())
			l.SetInvoke(nil)
			l.SetRelease(func(*ev.Loop) {}, func(*ev.Loop) {})
			assert.Same(t, task, l.Task())
			return nil
		})
		run(t, l)
		assert.Len(t, seen, 8)
	})
}

func TestSweepInATaskIsNotTheTask(t *testing.T) {
	l, other := newLoop(t), newLoop(t)
	e := ev.NewEmbed(l, other, func(*ev.Embed) {})
	require.NoError(t, e.Start())
	called := false
	ev.Spawn(l, func(task *ev.Task) error {
		dueNow(other, func(*ev.Timer) {
			called = true
			assert.Nil(t, l.Task())
			assert.Panics(t, func() { _ = task.Yield() })
		})
		assert.NoError(t, e.Sweep())
		assert.Same(t, task, l.Task())
		e.Stop()
		return nil
	})
	run(t, l)
	assert.True(t, called)
}

func TestTasksOfAHostAndOfAnEmbeddedLoopStopEachOther(t *testing.T) {
	l, other := newLoop(t), newLoop(t)
	e := ev.NewEmbed(l, other, nil)
	require.NoError(t, e.Start())
	var order []string
	begun := 0
	inner := ev.Spawn(other, func(task *ev.Task) error {
		begun++
		defer func() { order = append(order, "inner") }()
		return task.Sleep(time.Hour)
	})
	outer := ev.Spawn(l, func(task *ev.Task) error {
		defer func() { order = append(order, "outer") }()
		_ = task.Sleep(2 * time.Millisecond)
		inner.Stop()
		assert.True(t, inner.Done())
		inner.Start()
		return task.Sleep(time.Hour)
	})
	ev.NewTimer(other, 5*time.Millisecond, 0, func(w *ev.Timer) {
		if begun < 2 { // the task of the host has not started it again, or it has not run since
			require.NoError(t, w.Set(time.Millisecond, 0))
			w.Start()
			return
		}
		outer.Stop()
		assert.Equal(t, context.Canceled, outer.Err())
		assert.NoError(t, other.Close())
	}).Start()
	run(t, l)
	assert.Equal(t, []string{"inner", "outer", "inner"}, order)
	assert.Equal(t, ev.ErrClosed, inner.Err())
}

func TestSuspendDelaysSleepAndWithin(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const away = 60 * time.Millisecond
		ev.Spawn(l, func(task *ev.Task) error {
			began := time.Now()
			err := task.Within(50*time.Millisecond, func() error {
				l.Suspend()
				time.Sleep(away) // the program is stopped
				l.Resume()
				assert.NoError(t, task.Yield(), "the deadline is later now")
				return task.Sleep(time.Hour)
			})
			assert.Equal(t, context.DeadlineExceeded, err)
			assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond+away)
			assert.Equal(t, context.DeadlineExceeded, task.Within(0, task.Yield))
			return nil
		})
		run(t, l)
	})
}

func TestACloseDoesNotTakeAnItemFromThoseWhoWait(t *testing.T) {
	l := newLoop(t)
	m := ev.NewMailbox[int](l, 0)
	var got []int
	receiver := func() *ev.Task {
		return ev.Spawn(l, func(task *ev.Task) error {
			v, err := m.Receive(task)
			if err == nil {
				got = append(got, v)
			}
			return err
		})
	}
	a, b, c := receiver(), receiver(), receiver()
	nowait(t, l)
	require.NoError(t, m.Send(7))
	m.Close()
	a.Stop()
	run(t, l)
	assert.Equal(t, []int{7}, got)
	assert.NoError(t, b.Err())
	assert.Equal(t, io.EOF, c.Err())
	assert.Equal(t, 0, m.Len())
}

// TestAMailboxUnderAStorm has receivers that are stopped and restarted at random, and
// receivers with deadlines. Every item is received once, or is still there at the end.
func TestAMailboxUnderAStorm(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, each, receivers = 8, 300, 16
		m := ev.NewMailbox[int](l, 0)
		rnd := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
		got := make([]int, senders*each)
		total := 0
		var tasks []*ev.Task
		for n := range receivers {
			w := ev.NewTask(l, func(task *ev.Task) error {
				for {
					var v int
					err := task.Within(time.Duration(1+n)*100*time.Microsecond, func() (err error) {
						v, err = m.Receive(task)
						return err
					})
					switch err {
					case nil:
						got[v]++
						total++
					case context.DeadlineExceeded:
						if err := task.Yield(); err != nil {
							return err
						}
					default:
						return err
					}
				}
			}, ev.Priority(n%3))
			w.Keep(false)
			w.Start()
			tasks = append(tasks, w)
		}
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for n := range each {
					assert.NoError(t, m.Send(s*each+n))
					if n%16 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		sent := make(chan struct{})
		go func() { wg.Wait(); close(sent) }()
		storm := ev.Spawn(l, func(task *ev.Task) error {
			for {
				for range 3 {
					w := tasks[rnd.IntN(len(tasks))]
					w.Stop()
					assert.False(t, w.Active())
					if rnd.IntN(4) > 0 || w == tasks[0] {
						w.Start()
					}
				}
				w := tasks[rnd.IntN(len(tasks))]
				w.Start()
				select {
				case <-sent:
					return nil
				default:
				}
				if err := task.Yield(); err != nil {
					return err
				}
			}
		}, ev.Priority(-1))
		run(t, l)
		require.NoError(t, storm.Err())
		for _, w := range tasks { // with items promised
			w.Stop()
		}
		for v, ok := m.TryReceive(); ok; v, ok = m.TryReceive() {
			got[v]++
			total++
		}
		assert.Equal(t, senders*each, total)
		assert.Equal(t, 0, m.Len())
		for v, n := range got {
			if n != 1 {
				assert.Equal(t, 1, n, v)
			}
		}
	})
}

// TestEverySignalComesToOneTask gives as many signals as there are tasks that nobody stops,
// besides tasks that are stopped, and that have deadlines, at random.
func TestEverySignalComesToOneTask(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const steady, others, rounds = 5, 12, 60
		c := ev.NewCond(l)
		rnd := rand.New(rand.NewPCG(2, 3))
		came, waiting := 0, 0
		for range steady {
			ev.Spawn(l, func(task *ev.Task) error {
				for {
					waiting++
					err := c.Wait(task)
					waiting--
					if err != nil {
						return err
					}
					came++
				}
			}, ev.Priority(rnd.IntN(3))).Keep(false)
		}
		var stopped []*ev.Task
		for range others {
			stopped = append(stopped, ev.NewTask(l, func(task *ev.Task) error {
				return task.Within(time.Duration(rnd.IntN(200))*time.Microsecond, func() error {
					err := c.Wait(task)
					if err == nil {
						came++
					}
					return err
				})
			}, ev.Priority(rnd.IntN(3))))
		}
		ev.Spawn(l, func(task *ev.Task) error {
			for range rounds {
				for _, w := range stopped {
					w.Start()
				}
				for waiting < steady {
					_ = task.Yield()
				}
				_ = task.Yield()
				came = 0
				for range steady {
					c.Signal()
					for range rnd.IntN(5) {
						stopped[rnd.IntN(others)].Stop()
					}
					if rnd.IntN(3) == 0 {
						_ = task.Yield()
					}
				}
				for _, w := range stopped {
					w.Stop()
				}
				_ = task.Yield()
				_ = task.Yield()
				assert.Equal(t, steady, came)
			}
			return nil
		}, ev.Priority(-2))
		run(t, l)
	})
}

func TestAContextAskedForBetweenTwoRunsIsDoneAtLast(t *testing.T) {
	l := newLoop(t)
	task := ev.NewTask(l, func(*ev.Task) error { return nil })
	var all []context.Context
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for last := context.Context(nil); ; {
			if ctx := task.Context(); ctx != last {
				all = append(all, ctx)
				last = ctx
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for range 20000 {
		task.Start()
		task.Stop()
	}
	close(stop)
	<-ended
	for _, ctx := range all {
		assert.Error(t, ctx.Err())
	}
}

func TestACallbackOfAnInvokeInATaskIsNotTheTask(t *testing.T) {
	l := newLoop(t)
	called := false
	ev.Spawn(l, func(task *ev.Task) error {
		ev.NewAsync(l, func(*ev.Async) {
			called = true
			assert.Nil(t, l.Task())
			assert.Panics(t, func() { _ = task.Yield() })
		}).Feed(ev.Custom)
		l.Invoke()
		assert.Same(t, task, l.Task())
		return nil
	})
	run(t, l)
	assert.True(t, called)
}

// TestManyTasksWaitAndEnd has as many tasks as a large server has connections, beside as many
// other watchers, and closes the loop on the half of them.
func TestManyTasksWaitAndEnd(t *testing.T) {
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 5_000
	}
	l := newLoop(t)
	heap := func() (heap, stacks uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, m.StackInuse
	}
	for range n {
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		a.Keep(false)
	}
	c := ev.NewCond(l)
	woken, closed := 0, 0
	fn := func(task *ev.Task) error {
		for {
			if err := c.Wait(task); err != nil {
				closed++
				return err
			}
			if woken++; woken%2 == 0 {
				return nil
			}
		}
	}
	before, stacks := heap()
	for range n {
		ev.Spawn(l, fn).Keep(false)
	}
	nowait(t, l)
	after, grown := heap()
	t.Logf("%d tasks that wait: %d B of heap and %d B of stack each", n, (after-before)/uint64(n), (grown-stacks)/uint64(n))
	assert.Equal(t, 2*n, l.Active())
	c.Broadcast()
	nowait(t, l)
	assert.Equal(t, n, woken)
	assert.Equal(t, n+n/2, l.Active())
	require.NoError(t, l.Verify())
	require.NoError(t, l.Close())
	assert.Equal(t, n/2, closed)
}
