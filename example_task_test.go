package ev_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goevlib/ev"
)

// A task and a callback use the same variable without a lock.
func ExampleTask() {
	loop, _ := ev.New()
	defer loop.Close()
	ticks := 0
	tick := ev.NewTimer(loop, 0, time.Millisecond, func(*ev.Timer) { ticks++ })
	tick.Start()

	ev.Spawn(loop, func(t *ev.Task) error {
		defer tick.Stop()
		for ticks < 3 {
			if err := t.Sleep(time.Millisecond); err != nil {
				return err
			}
		}
		fmt.Println("three ticks")
		return nil
	})
	loop.Run(context.Background())
	// Output: three ticks
}

// The same task runs three times.
func ExampleNewTask() {
	loop, _ := ev.New()
	defer loop.Close()
	runs := 0
	job := ev.NewTask(loop, func(t *ev.Task) error {
		runs++
		return t.Yield()
	}, ev.Name("job"))
	for range 3 {
		job.Start()
		loop.Run(context.Background())
	}
	fmt.Println(job.Name(), "ran", runs, "times")
	// Output: job ran 3 times
}

// Tasks take turns: each runs until it waits.
func ExampleSpawn() {
	loop, _ := ev.New()
	defer loop.Close()
	for _, name := range []string{"ping", "pong"} {
		ev.Spawn(loop, func(t *ev.Task) error {
			for range 2 {
				fmt.Println(name)
				if err := t.Yield(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	loop.Run(context.Background())
	// Output:
	// ping
	// pong
	// ping
	// pong
}

// A whole program is one function. The tasks that it leaves behind are stopped.
func ExampleRunTask() {
	err := ev.RunTask(context.Background(), func(t *ev.Task) error {
		ev.Spawn(t.Loop(), func(t *ev.Task) error {
			err := t.Sleep(time.Hour)
			fmt.Println("left behind:", err)
			return err
		})
		if err := t.Sleep(time.Millisecond); err != nil {
			return err
		}
		return errors.New("the result")
	})
	fmt.Println(err)
	// Output:
	// left behind: ev: loop closed
	// the result
}

// Start has the function begin in the next iteration.
func ExampleTask_Start() {
	loop, _ := ev.New()
	defer loop.Close()
	hello := ev.NewTask(loop, func(*ev.Task) error {
		fmt.Println("begins")
		return nil
	})
	hello.Start()
	fmt.Println("active:", hello.Active())
	loop.RunNoWait()
	fmt.Println("active:", hello.Active())
	// Output:
	// active: true
	// begins
	// active: false
}

// When Stop returns, the function has returned, with its deferred calls.
func ExampleTask_Stop() {
	loop, _ := ev.New()
	defer loop.Close()
	task := ev.Spawn(loop, func(t *ev.Task) error {
		defer fmt.Println("deferred")
		err := t.Sleep(time.Hour)
		fmt.Println("sleep:", err)
		return err
	})
	loop.RunNoWait() // the task sleeps now
	task.Stop()
	fmt.Println("stopped")
	// Output:
	// sleep: context canceled
	// deferred
	// stopped
}

func ExampleTask_Done() {
	loop, _ := ev.New()
	defer loop.Close()
	task := ev.Spawn(loop, func(*ev.Task) error { return nil })
	fmt.Println(task.Done())
	loop.Run(context.Background())
	fmt.Println(task.Done())
	// Output:
	// false
	// true
}

// A panic in a task meets the loop's policy, as a panic in a callback does. Err keeps it.
func ExampleTask_Err() {
	loop, _ := ev.New(ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) {
		fmt.Println(w.Name(), "panicked:", v)
	}))
	defer loop.Close()
	failed := ev.Spawn(loop, func(*ev.Task) error { return io.ErrUnexpectedEOF })
	broken := ev.Spawn(loop, func(*ev.Task) error { panic("oops") }, ev.Name("broken"))
	loop.Run(context.Background())
	fmt.Println(failed.Err())
	var p *ev.PanicError
	fmt.Println(errors.As(broken.Err(), &p) && p.Value == "oops")
	// Output:
	// broken panicked: oops
	// unexpected EOF
	// true
}

// A goroutine that works for a task ends when the task is stopped.
func ExampleTask_Context() {
	loop, _ := ev.New()
	defer loop.Close()
	ended := make(chan error, 1)
	task := ev.Spawn(loop, func(t *ev.Task) error {
		ctx := t.Context()
		go func() {
			<-ctx.Done()
			ended <- context.Cause(ctx)
		}()
		return t.Sleep(time.Hour)
	})
	loop.RunNoWait()
	task.Stop()
	fmt.Println(<-ended)
	// Output: context canceled
}

func ExampleTask_Sleep() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		for n := 3; n > 0; n-- {
			fmt.Println(n)
			if err := t.Sleep(time.Millisecond); err != nil {
				return err
			}
		}
		fmt.Println("lift off")
		return nil
	})
	// Output:
	// 3
	// 2
	// 1
	// lift off
}

// A long computation yields now and then, so that nothing else is late.
func ExampleTask_Yield() {
	loop, _ := ev.New()
	defer loop.Close()
	sum := int64(0)
	ev.Spawn(loop, func(t *ev.Task) error {
		for n := range int64(1_000_000) {
			sum += n
			if n%10_000 == 0 {
				if err := t.Yield(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	looks := 0
	watch := ev.NewCheck(loop, func(*ev.Check) { looks++ })
	watch.Keep(false)
	watch.Start()
	loop.Run(context.Background())
	fmt.Println(sum, looks >= 100)
	// Output: 499999500000 true
}

func ExampleTask_Join() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		answer := 0
		other := ev.Spawn(t.Loop(), func(t *ev.Task) error {
			answer = 42
			return t.Sleep(time.Millisecond)
		})
		err := t.Join(other)
		fmt.Println(answer, err)
		return nil
	})
	// Output: 42 <nil>
}

// One deadline is for all waits of a function, however many there are.
func ExampleTask_Within() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		naps := 0
		err := t.Within(20*time.Millisecond, func() error {
			for {
				if err := t.Sleep(2 * time.Millisecond); err != nil {
					return err
				}
				naps++
			}
		})
		fmt.Println(naps <= 10, err)
		return t.Yield() // outside of Within the task can wait again
	})
	// Output: true context deadline exceeded
}

// Code that is called without a task, such as a method of an interface, finds the task
// that runs.
func ExampleLoop_Task() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		lines := bufio.NewScanner(&slowReader{t.Loop(), strings.NewReader("one\ntwo\n")})
		for lines.Scan() {
			fmt.Println(lines.Text())
		}
		return lines.Err()
	})
	// Output:
	// one
	// two
}

// slowReader waits before each Read, as a connection would.
type slowReader struct {
	loop *ev.Loop
	from io.Reader
}

func (r *slowReader) Read(p []byte) (int, error) {
	if err := r.loop.Task().Sleep(time.Millisecond); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// Work that blocks runs on a goroutine of its own. The loop goes on meanwhile.
func ExampleAwait() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		lookUp := func(ctx context.Context) (string, error) {
			<-ctx.Done() // a server that does not answer
			return "", ctx.Err()
		}
		return t.Within(5*time.Millisecond, func() error {
			_, err := ev.Await(t, lookUp)
			fmt.Println(err)
			return nil
		})
	})
	// Output: context deadline exceeded
}

// Wait for a condition in a loop, as with every condition variable.
func ExampleCond() {
	loop, _ := ev.New()
	defer loop.Close()
	var queue []string
	arrived := ev.NewCond(loop)
	ev.Spawn(loop, func(t *ev.Task) error {
		for range 2 {
			for len(queue) == 0 {
				if err := arrived.Wait(t); err != nil {
					return err
				}
			}
			fmt.Println("took", queue[0])
			queue = queue[1:]
		}
		return nil
	})
	ev.NewTimer(loop, time.Millisecond, 0, func(*ev.Timer) {
		queue = append(queue, "a", "b")
		arrived.Signal()
	}).Start()
	loop.Run(context.Background())
	// Output:
	// took a
	// took b
}

// Broadcast opens a gate for all tasks that wait.
func ExampleCond_Broadcast() {
	loop, _ := ev.New()
	defer loop.Close()
	open, gate := false, ev.NewCond(loop)
	for n := range 3 {
		ev.Spawn(loop, func(t *ev.Task) error {
			for !open {
				if err := gate.Wait(t); err != nil {
					return err
				}
			}
			fmt.Println(n, "goes on")
			return nil
		})
	}
	loop.RunNoWait()
	open = true
	gate.Broadcast()
	loop.Run(context.Background())
	// Output:
	// 0 goes on
	// 1 goes on
	// 2 goes on
}

// Any goroutine sends, a task receives.
func ExampleMailbox() {
	loop, _ := ev.New()
	defer loop.Close()
	jobs := ev.NewMailbox[int](loop, 0)
	go func() {
		defer jobs.Close() // Receive takes the rest, and then returns io.EOF
		for n := range 5 {
			if err := jobs.Send(n); err != nil {
				return // the loop was closed
			}
		}
	}()

	sum := 0
	task := ev.Spawn(loop, func(t *ev.Task) error {
		for {
			n, err := jobs.Receive(t)
			if err != nil {
				return err
			}
			sum += n
		}
	})
	loop.Run(context.Background())
	fmt.Println(sum, task.Err())
	// Output: 10 EOF
}

// A mailbox with a limit refuses; the sender decides.
func ExampleMailbox_Send() {
	loop, _ := ev.New()
	defer loop.Close()
	lines := ev.NewMailbox[string](loop, 1)
	fmt.Println(lines.Send("a"))
	fmt.Println(lines.Send("b"))
	lines.Close()
	fmt.Println(lines.Send("c"))
	// Output:
	// <nil>
	// ev: queue full
	// ev: loop closed
}

// A callback takes the values that there are.
func ExampleMailbox_TryReceive() {
	loop, _ := ev.New()
	defer loop.Close()
	numbers := ev.NewMailbox[int](loop, 0)
	for n := range 3 {
		if err := numbers.Send(n); err != nil {
			panic(err)
		}
	}
	fmt.Println(numbers.Len(), "wait")
	for n, ok := numbers.TryReceive(); ok; n, ok = numbers.TryReceive() {
		fmt.Println(n)
	}
	// Output:
	// 3 wait
	// 0
	// 1
	// 2
}

// The first error stops the other tasks, and Wait returns it.
func ExampleGroup() {
	err := ev.RunTask(context.Background(), func(t *ev.Task) error {
		group := ev.NewGroup(t)
		group.Go(func(t *ev.Task) error {
			err := t.Sleep(time.Hour)
			fmt.Println("the other one:", err)
			return err
		})
		group.Go(func(t *ev.Task) error {
			if err := t.Sleep(time.Millisecond); err != nil {
				return err
			}
			return errors.New("connection lost")
		})
		return group.Wait()
	})
	fmt.Println(err)
	// Output:
	// the other one: context canceled
	// connection lost
}

// Four workers share what there is to do. No two of them run at the same time, so the list
// needs no lock.
func ExampleGroup_Go() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		todo, sum := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0
		workers := ev.NewGroup(t)
		for range 4 {
			workers.Go(func(t *ev.Task) error {
				for len(todo) > 0 {
					n := todo[0]
					todo = todo[1:]
					square, err := ev.Await(t, func(context.Context) (int, error) { return n * n, nil })
					if err != nil {
						return err
					}
					sum += square // after the wait
				}
				return nil
			})
		}
		err := workers.Wait()
		fmt.Println(sum, err)
		return err
	})
	// Output: 385 <nil>
}

// A Wait that fails stops the tasks of the group.
func ExampleGroup_Wait() {
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		group := ev.NewGroup(t)
		for range 2 {
			group.Go(func(t *ev.Task) error { return t.Sleep(time.Hour) })
		}
		err := t.Within(time.Millisecond, group.Wait)
		fmt.Println(err)
		fmt.Println("active:", t.Loop().Active()) // this task alone
		return nil
	})
	// Output:
	// context deadline exceeded
	// active: 1
}
