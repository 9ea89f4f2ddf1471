package ev_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAMailboxLosesNothingAndKeepsTheOrderOfEachSender(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, each = 4, 500
		m := ev.NewMailbox[[2]int](l, 0)
		var next [senders]int
		for range 3 {
			ev.Spawn(l, func(task *ev.Task) error {
				for {
					v, err := m.Receive(task)
					if err != nil {
						assert.Equal(t, io.EOF, err)
						return nil
					}
					assert.Equal(t, next[v[0]], v[1])
					next[v[0]]++
				}
			})
		}
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for n := range each {
					assert.NoError(t, m.Send([2]int{s, n}))
				}
			})
		}
		go func() {
			wg.Wait()
			m.Close()
		}()
		run(t, l)
		for _, n := range next {
			assert.Equal(t, each, n)
		}
		assert.Equal(t, ev.ErrClosed, m.Send([2]int{}))
	})
}

func TestAnItemOfAStoppedReceiverGoesToTheNext(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		m := ev.NewMailbox[int](l, 0)
		var got []int
		receiver := func(n int) *ev.Task {
			return ev.Spawn(l, func(task *ev.Task) error {
				v, err := m.Receive(task)
				if err == nil {
					got = append(got, n, v)
				}
				return err
			})
		}
		a := receiver(1)
		receiver(2)
		nowait(t, l)
		require.NoError(t, m.Send(7))
		_, ok := m.TryReceive()
		assert.False(t, ok, "the item is promised")
		a.Stop()
		assert.Equal(t, 1, m.Len())
		run(t, l)
		assert.Equal(t, []int{2, 7}, got)
	})
}

func TestASignalOfAStoppedTaskGoesToTheNext(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := ev.NewCond(l)
		var got []int
		waiter := func(n int) *ev.Task {
			return ev.Spawn(l, func(task *ev.Task) error {
				err := c.Wait(task)
				if err == nil {
					got = append(got, n)
				}
				return err
			})
		}
		a, b := waiter(1), waiter(2)
		last := waiter(3)
		nowait(t, l)
		c.Signal()
		a.Stop()
		nowait(t, l)
		assert.Equal(t, []int{2}, got)
		assert.True(t, b.Done())
		c.Broadcast()
		late := waiter(4)
		last.Stop()
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, []int{2}, got, "a broadcast is for those who waited")
		late.Stop()
	})
}

func TestAMailboxWithALimitRefuses(t *testing.T) {
	l := newLoop(t)
	m := ev.NewMailbox[int](l, 2)
	require.NoError(t, m.Send(1))
	require.NoError(t, m.Send(2))
	assert.Equal(t, ev.ErrFull, m.Send(3))
	v, ok := m.TryReceive()
	assert.True(t, ok)
	assert.Equal(t, 1, v)
	require.NoError(t, m.Send(3))
	m.Close()
	m.Close()
	var got []int
	ev.Spawn(l, func(task *ev.Task) error {
		for {
			v, err := m.Receive(task)
			if err != nil {
				assert.Equal(t, io.EOF, err)
				return nil
			}
			got = append(got, v)
		}
	})
	run(t, l)
	assert.Equal(t, []int{2, 3}, got)
	assert.Panics(t, func() { ev.NewMailbox[int](l, -1) })
	require.NoError(t, l.Close())
	assert.Equal(t, ev.ErrClosed, ev.NewMailbox[int](l, 0).Send(1))
}

func TestTheFirstErrorOfAGroupStopsTheOthers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ended := 0
		ev.Spawn(l, func(task *ev.Task) error {
			g := ev.NewGroup(task)
			for range 3 {
				g.Go(func(task *ev.Task) error {
					defer func() { ended++ }()
					return task.Sleep(time.Hour)
				})
			}
			failed := g.Go(func(task *ev.Task) error {
				_ = task.Sleep(time.Millisecond)
				return io.ErrUnexpectedEOF
			})
			assert.Equal(t, io.ErrUnexpectedEOF, g.Wait())
			assert.Equal(t, 3, ended)
			assert.True(t, failed.Done())
			late := g.Go(func(*ev.Task) error { panic("called") })
			assert.True(t, late.Done())
			assert.Equal(t, context.Canceled, late.Err())
			return nil
		})
		run(t, l)
	})
}

func TestAWaitWithinNoTimeStopsTheTasksOfAGroup(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ended := 0
		ev.Spawn(l, func(task *ev.Task) error {
			g := ev.NewGroup(task)
			for range 3 {
				g.Go(func(task *ev.Task) error {
					defer func() { ended++ }()
					return task.Sleep(time.Hour)
				})
			}
			require.NoError(t, task.Sleep(time.Millisecond))
			assert.Equal(t, context.DeadlineExceeded, task.Within(0, g.Wait))
			assert.Equal(t, 3, ended)
			return task.Yield()
		})
		run(t, l)
		assert.Equal(t, 3, ended)
	})
}

func TestAGroupEndsWithItsTask(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var child, grandchild *ev.Task
		parent := ev.Spawn(l, func(task *ev.Task) error {
			child = ev.NewGroup(task).Go(func(task *ev.Task) error {
				grandchild = ev.NewGroup(task).Go(func(task *ev.Task) error { return task.Sleep(time.Hour) })
				return task.Sleep(time.Hour)
			})
			return task.Sleep(2 * time.Millisecond)
		})
		ev.Spawn(l, func(task *ev.Task) error {
			assert.NoError(t, task.Join(parent))
			assert.True(t, child.Done())
			assert.True(t, grandchild.Done())
			return nil
		})
		run(t, l)
	})
}

func TestAGroupsPanicsDoNotKeepTheOthers(t *testing.T) {
	l := newLoop(t, unlogged())
	ended := 0
	ev.Spawn(l, func(task *ev.Task) error {
		g := ev.NewGroup(task)
		for n := range 4 {
			g.Go(func(task *ev.Task) error {
				defer func() {
					ended++
					if n == 1 {
						panic("boom")
					}
				}()
				return task.Sleep(time.Hour)
			})
		}
		return task.Yield()
	})
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	assert.Equal(t, 4, ended)
	assert.Equal(t, 0, l.Active())
}
