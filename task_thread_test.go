package ev_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// A switch to a coroutine under another thread lock ends the process. So these tests run in
// processes of their own.
func init() {
	helpers["tasks, all locked"] = func() {
		l := stepper(2)
		locked(1, func() { try(l.RunNoWait()) })
		locked(0, func() { try(l.RunOnce(context.Background())) }) // as locked as before
		ev.Spawn(l, yieldTwice)
		try(l.Run(context.Background()))
		stopOne(l)
		try(l.Close())
	}
	helpers["tasks, none locked"] = func() {
		l := stepper(1)
		try(l.RunNoWait())
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		try(<-done)
		stopOne(l)
		go func() { done <- l.Close() }()
		try(<-done)
	}
	helpers["tasks, ended between"] = func() {
		l := stepper(0)
		locked(1, func() { try(l.Run(context.Background())) })
		runtime.UnlockOSThread()
		ev.Spawn(l, yieldTwice)
		try(l.Run(context.Background()))
		try(l.Close())
	}
	helpers["tasks, locked later"] = func() {
		l := stepper(1)
		try(l.RunNoWait())
		locked(1, func() { try(l.Run(context.Background())) })
	}
	helpers["tasks, locked twice"] = func() {
		l := stepper(1)
		locked(1, func() { try(l.RunNoWait()) })
		locked(1, func() { try(l.Run(context.Background())) })
	}
}

// stepper makes a loop with two tasks that end and n that wait for ever. A goroutine that is
// not locked has spawned them.
func stepper(n int) *ev.Loop {
	made := make(chan *ev.Loop)
	go func() {
		l, err := ev.New()
		try(err)
		ev.Spawn(l, yieldTwice)
		ev.Spawn(l, func(task *ev.Task) error {
			_, err := ev.Await(task, func(context.Context) (int, error) { return 0, nil })
			return err
		})
		for range n {
			ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }).Keep(false)
		}
		made <- l
	}()
	return <-made
}

func yieldTwice(task *ev.Task) error {
	if err := task.Yield(); err != nil {
		return err
	}
	return task.Yield()
}

// locked calls fn when the goroutine is locked n times more.
func locked(n int, fn func()) {
	for range n {
		runtime.LockOSThread()
	}
	fn()
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}

func stopOne(l *ev.Loop) {
	for w := range l.Watchers() {
		w.Stop()
		return
	}
}

func TestTasksRunUnderTheThreadLockUnderWhichTheyBegan(t *testing.T) {
	needsProcesses(t)
	for helper, dies := range map[string]bool{
		"tasks, all locked": false, "tasks, none locked": false, "tasks, ended between": false,
		"tasks, locked later": true, "tasks, locked twice": true,
	} {
		t.Run(helper, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := thisProgram(ctx)
			cmd.Env = append(os.Environ(), fmt.Sprint("EV_TEST_HELPER=", helper))
			out, err := cmd.CombinedOutput()
			if !dies {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err)
			assert.True(t, strings.Contains(string(out), "OS thread locking must match"), "%s", out)
		})
	}
}
