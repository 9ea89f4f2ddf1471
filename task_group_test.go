package ev_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestATaskOfAGroupStopsTheGroupsOwn(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order []string
		var owner *ev.Task
		owner = ev.Spawn(l, func(task *ev.Task) error {
			g := ev.NewGroup(task)
			g.Go(func(child *ev.Task) error {
				_ = child.Yield() // the others begin
				owner.Stop()
				assert.True(t, owner.Done())
				order = append(order, "owner stopped")
				assert.Equal(t, context.Canceled, child.Yield())
				return nil
			})
			g.Go(func(child *ev.Task) error {
				err := child.Sleep(time.Hour)
				order = append(order, "sibling stopped")
				return err
			})
			// A second group, so that one that cannot end does not keep the other.
			ev.NewGroup(task).Go(func(child *ev.Task) error {
				err := child.Sleep(time.Hour)
				order = append(order, "other group")
				return err
			})
			return task.Sleep(time.Hour)
		})
		run(t, l)
		assert.ElementsMatch(t, []string{"sibling stopped", "other group", "owner stopped"}, order)
		assert.Equal(t, "owner stopped", order[2])
		assert.Equal(t, context.Canceled, owner.Err())
	})
}

func TestAPanicInOneGroupDoesNotKeepTheTasksOfAnother(t *testing.T) {
	l := newLoop(t, unlogged())
	ended := 0
	ev.Spawn(l, func(task *ev.Task) error {
		for range 3 {
			ev.NewGroup(task).Go(func(task *ev.Task) error {
				_ = task.Sleep(time.Hour)
				ended++
				panic("boom")
			})
		}
		return task.Yield()
	})
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
	assert.Equal(t, 3, ended)
	assert.Equal(t, 0, l.Active())
}

func TestAPanicOfTheOwnAndOneInItsGroup(t *testing.T) {
	l := newLoop(t, unlogged())
	first := true
	task := ev.NewTask(l, func(task *ev.Task) error {
		if !first {
			return task.Yield()
		}
		first = false
		ev.NewGroup(task).Go(func(task *ev.Task) error {
			_ = task.Sleep(time.Hour)
			panic("of the group")
		})
		_ = task.Yield()
		panic("of the own")
	})
	task.Start()
	assert.PanicsWithValue(t, "of the own", func() { _ = l.Run(context.Background()) })
	var p *ev.PanicError
	require.ErrorAs(t, task.Err(), &p)
	assert.Equal(t, "of the own", p.Value)
	task.Start() // no panic is left over
	run(t, l)
	assert.NoError(t, task.Err())
}

func TestGroupsThreeDeepEndWithTheFirstErrorPanicOrDeadline(t *testing.T) {
	for name, fail := range map[string]func(task *ev.Task) error{
		"error": func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			return io.ErrUnexpectedEOF
		},
		"panic": func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			panic(io.ErrUnexpectedEOF)
		},
		"deadline": func(task *ev.Task) error {
			return task.Within(time.Millisecond, func() error { return task.Sleep(time.Hour) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				began, ended := 0, 0
				var level func(depth int) func(task *ev.Task) error
				level = func(depth int) func(task *ev.Task) error {
					return func(task *ev.Task) error {
						began++
						defer func() { ended++ }()
						if depth == 0 {
							return task.Sleep(time.Hour)
						}
						g := ev.NewGroup(task)
						g.Go(level(depth - 1))
						g.Go(level(depth - 1))
						if depth == 1 && began == 4 {
							g.Go(fail)
						}
						return g.Wait()
					}
				}
				root := ev.Spawn(l, level(3))
				run(t, l)
				assert.Equal(t, began, ended)
				want := io.ErrUnexpectedEOF
				if name == "deadline" {
					want = context.DeadlineExceeded
				}
				assert.ErrorIs(t, root.Err(), want)
			}, ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { assert.Equal(t, io.ErrUnexpectedEOF, v) }))
		})
	}
}

func TestRunTaskEndsWhenItsTaskEndsInANestedRun(t *testing.T) {
	nested := 0
	err := ev.RunTask(context.Background(), func(task *ev.Task) error {
		l := task.Loop()
		dueNow(l, func(*ev.Timer) {
			nested++
			farOff(t, l)
			assert.NoError(t, l.Run(context.Background()))
		})
		_ = task.Sleep(2 * time.Millisecond)
		assert.Equal(t, 1, nested)
		return io.ErrUnexpectedEOF
	})
	assert.Equal(t, io.ErrUnexpectedEOF, err)
}
