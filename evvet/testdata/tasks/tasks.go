// Package tasks is the input of the analyzer's test for tasks.
package tasks

import (
	"context"
	"time"

	"github.com/goevlib/ev"
)

type room struct {
	cond  *ev.Cond
	lines *ev.Mailbox[string]
	group *ev.Group
}

func compute() int { return 1 }

// unknown may be anything.
var unknown func() int

// The goroutines begin in the function of a task.
func Wrong(l *ev.Loop, r *room) {
	ev.Spawn(l, func(t *ev.Task) error {
		go t.Stop() // want `Task.Stop must be called on the loop's goroutine`
		go func() {
			_ = t.Sleep(time.Second) // want `Task.Sleep must`
			_ = unknown()            // another goroutine runs the loop in any case
			_ = t.Err()              // want `Task.Err must`
			r.cond.Signal()          // it may be of another loop, which unknown may run
		}()
		go func() {
			r.cond.Signal()              // want `Cond.Signal must`
			r.cond.Broadcast()           // want `Cond.Broadcast must`
			_ = r.cond.Wait(t)           // want `Cond.Wait must`
			_, _ = r.lines.TryReceive()  // want `Mailbox.TryReceive must`
			_, _ = r.lines.Receive(t)    // want `Mailbox.Receive must`
			_ = r.group.Wait()           // want `Group.Wait must`
			r.group.Go(nil)              // want `Group.Go must`
			ev.Spawn(l, nil)             // want `ev.Spawn must`
			_, _ = ev.Await[int](t, nil) // want `ev.Await must`
			ev.Go[int](l, nil, nil)      // want `ev.Go must`
			_ = t.Within(1, t.Yield)     // want `Task.Within must`
			defer t.Keep(false)          // want `Task.Keep must`
			_, _, _ = t.Name(), t.Loop(), t.Context()
		}()
		n, err := ev.Await(t, func(ctx context.Context) (int, error) {
			n := compute()
			t.SetData(n)      // want `Task.SetData must`
			_ = t.Yield()     // want `Task.Yield must`
			return n, t.Err() // want `Task.Err must`
		})
		_, _ = ev.Await(t, func(context.Context) (int, error) {
			r.cond.Signal()               // want `Cond.Signal must`
			v, ok := r.lines.TryReceive() // want `Mailbox.TryReceive must`
			_, _ = v, ok
			return 0, nil
		})
		_ = n
		return err
	})
	ev.Go(l, func() (int, error) {
		_ = unknown()
		return l.Active(), nil // want `Loop.Active must`
	}, func(int, error) { l.Ref() })
	go ev.Spawn(l, nil) // want `ev.Spawn must`
}

func helper(t *ev.Task) error {
	go func() {
		_ = compute()
		_ = t.Yield() // want `Task.Yield must`
	}()
	return t.Yield()
}

// These are safe for concurrent use.
func Safe(l *ev.Loop, r *room) {
	ev.Spawn(l, func(t *ev.Task) error {
		go r.lines.Close()
		go func() {
			<-t.Context().Done()
			_ = r.lines.Send("gone")
			_ = r.lines.Len()
			r.lines.Close()
			_ = l.Post(func() { t.Stop(); r.cond.Signal() })
			_, _ = ev.Call(context.Background(), l, func() (bool, error) { return t.Done(), t.Err() })
		}()
		_, err := ev.Await(t, func(ctx context.Context) (int, error) {
			_ = r.lines.Send("hello")
			return compute(), ctx.Err()
		})
		r.cond.Signal()
		return err
	})
	ev.Go(l, func() (int, error) { return 1, nil }, func(n int, _ error) { r.cond.Signal() })
}

// The task and its loop belong to the goroutine, or may.
func Owners(l *ev.Loop, t *ev.Task, c *ev.Cond) {
	go func() {
		_ = ev.RunTask(context.Background(), func(t *ev.Task) error {
			ev.Spawn(t.Loop(), helper)
			return t.Yield()
		})
	}()
	go func() {
		t.Start()
		ev.Spawn(l, helper)
		_ = l.Run(context.Background())
		c.Signal()
	}()
	work := func(context.Context) (int, error) { return 1, nil }
	_, _ = ev.Await(t, work)
}
