package evmeter_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

func onLoop(t *testing.T, l *ev.Loop, fn func()) {
	t.Helper()
	_, err := ev.Call(context.Background(), l, func() (any, error) { fn(); return nil, nil })
	require.NoError(t, err)
}

func stopAll(t *testing.T, l *ev.Loop) {
	t.Helper()
	onLoop(t, l, func() {
		for _, w := range slices.Collect(l.Watchers()) {
			w.Stop()
		}
	})
}

// taskNamed returns the task of this name, and fails the test if there is none.
func taskNamed(t *testing.T, in evmeter.Inspection, name string) evmeter.Task {
	t.Helper()
	for _, task := range in.Tasks {
		if task.Name == name {
			return task
		}
	}
	require.Fail(t, "no task "+name)
	return evmeter.Task{}
}

func waitForMail(task *ev.Task, m *ev.Mailbox[int]) error { _, err := m.Receive(task); return err }

func TestAnInspectionHasTheTasks(t *testing.T) {
	if runtime.GOARCH == "wasm" {
		t.Skip("has no pipes")
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	l := running(t, func(l *ev.Loop) {
		mail := ev.NewMailbox[int](l, 0)
		sleeper := ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.Name("sleeper"), ev.Priority(1))
		ev.Spawn(l, func(task *ev.Task) error { return waitForMail(task, mail) }, ev.Name("receiver"))
		ev.Spawn(l, func(task *ev.Task) error { return task.Join(sleeper) }, ev.Name("joiner"))
		ev.Spawn(l, func(task *ev.Task) error {
			_, err := task.WaitConn(r, ev.Read)
			if errors.Is(err, errors.ErrUnsupported) {
				return task.Sleep(time.Hour)
			}
			return err
		}, ev.Name("reader"))
		ev.Spawn(l, func(task *ev.Task) error { return l.Run(context.Background()) }, ev.Name("modal"), ev.Priority(-1))
		ev.Spawn(l, func(task *ev.Task) error {
			for {
				if err := task.Yield(); err != nil {
					return err
				}
			}
		}, ev.Name("spinner"))
	})
	require.Eventually(t, l.Running, time.Minute, time.Millisecond)
	in := inspect(t, l)
	require.Len(t, in.Tasks, 6)
	seen := make(map[uint64]bool)
	for _, task := range in.Tasks {
		assert.NotZero(t, task.Goroutine, task.Name)
		assert.False(t, seen[task.Goroutine], "one goroutine each")
		seen[task.Goroutine] = true
		assert.Contains(t, task.Position, "tasks_test.go:")
	}
	assert.Equal(t, "modal", in.Tasks[5].Name, "the tasks that do not wait come last")

	sleeper := taskNamed(t, in, "sleeper")
	assert.Equal(t, []string{"waits", "Sleep", "", "1h0m0s"},
		[]string{sleeper.State, sleeper.Wait, sleeper.For, sleeper.Until.Sub(sleeper.Since).Round(time.Hour).String()})
	assert.Equal(t, 1, sleeper.Priority)
	assert.Contains(t, sleeper.At, "tasks_test.go:")
	receiver := taskNamed(t, in, "receiver")
	assert.Equal(t, "Mailbox.Receive", receiver.Wait)
	assert.Zero(t, receiver.Until)
	assert.Equal(t, "Task sleeper", taskNamed(t, in, "joiner").For)
	if reader := taskNamed(t, in, "reader"); reader.Wait != "Sleep" {
		assert.Equal(t, "WaitConn", reader.Wait)
		assert.Regexp(t, `^descriptor \d+, Read$`, reader.For)
	}
	assert.Equal(t, "runs", taskNamed(t, in, "modal").State)
	spinner := taskNamed(t, in, "spinner")
	assert.Equal(t, []string{"ready", "Yield"}, []string{spinner.State, spinner.Wait})

	stack, err := receiver.Stack(context.Background())
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(stack, "github.com/goevlib/ev/evmeter_test.waitForMail\n\t"), stack)
	assert.Equal(t, 2, strings.Count(stack, "tasks_test.go:"), stack)
	assert.Equal(t, 4, strings.Count(stack, "\n"), stack)
	stack, err = taskNamed(t, in, "modal").Stack(context.Background())
	require.NoError(t, err)
	assert.Empty(t, stack)

	stopAll(t, l)
	l.Stop() // the nested Run
	onLoop(t, l, func() {})
	assert.Empty(t, inspect(t, l).Tasks)
	stack, err = receiver.Stack(context.Background())
	require.NoError(t, err)
	assert.Empty(t, stack, "it has ended")
}

func TestAMeterCountsTheStepsOfTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		m := evmeter.On(l)
		work := func(task *ev.Task) error {
			for range 3 {
				time.Sleep(time.Second) // it holds up the loop
				if err := task.Sleep(time.Minute); err != nil {
					return err
				}
			}
			return nil
		}
		ev.Spawn(l, work, ev.Name("worker"), ev.Priority(1))
		ev.Spawn(l, work, ev.Name("worker"), ev.Priority(1))
		ev.Spawn(l, func(task *ev.Task) error { return task.Yield() }, ev.Name("short"))
		require.NoError(t, l.Run(context.Background()))
		r := m.Read()
		require.Len(t, r.Sources, 2)
		calls := make(map[string]uint64)
		for _, s := range r.Sources {
			assert.Equal(t, "Task", s.Kind)
			assert.Contains(t, s.Position, "tasks_test.go:")
			calls[fmt.Sprint(s.Name, " ", s.Priority)] = s.Calls
			if s.Name == "worker" {
				assert.Equal(t, 6*time.Second, s.Total, "without the waits")
				assert.Equal(t, time.Second, s.Max)
			}
		}
		assert.Equal(t, map[string]uint64{"worker 1": 8, "short 0": 2}, calls)
		assert.EqualValues(t, 10, r.Callback.Count)
		assert.Equal(t, "worker", r.Slowest[0].Source.Name)
	})
}

// The key tells tasks apart by their names and functions, in a callback and between two.
func TestStepsOfOneTaskHaveOneKey(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	keys := make(map[ev.CallbackKey]int)
	l.Observe(&ev.Observer{Begin: func(c ev.Callback, _ time.Time) { keys[c.Key()]++ }})
	yields := func(task *ev.Task) error { return task.Yield() }
	for _, name := range []string{"a", "a", "b"} {
		ev.Spawn(l, yields, ev.Name(name))
	}
	ev.Spawn(l, func(task *ev.Task) error { return task.Yield() }, ev.Name("a"))
	require.NoError(t, l.Run(context.Background()))
	counts := slices.Sorted(maps.Values(keys))
	assert.Equal(t, []int{2, 2, 4}, counts)
}

func TestTheTasksThatHaveWaitedLongestAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3*evmeter.MaxTasks + 1
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		for i := range n {
			ev.Spawn(l, func(task *ev.Task) error {
				if i < n-10 { // the last ten begin their last wait first
					if err := task.Sleep(time.Millisecond); err != nil {
						return err
					}
				}
				return task.Sleep(time.Hour)
			}, ev.Name(fmt.Sprint(i)))
		}
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Second)
		in := inspect(t, l)
		require.Len(t, in.Tasks, evmeter.MaxTasks)
		first := make(map[string]bool)
		for _, task := range in.Tasks[:10] {
			first[task.Name] = true
		}
		for i := n - 10; i < n; i++ {
			assert.True(t, first[fmt.Sprint(i)], i)
		}
		for i, task := range in.Tasks[1:] {
			assert.False(t, task.Since.Before(in.Tasks[i].Since))
			assert.Contains(t, task.At, "tasks_test.go:")
		}
		stopAll(t, l)
		require.NoError(t, <-done)
	})
}
