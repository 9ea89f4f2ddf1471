package ev_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// The right ways to reach a loop from another goroutine. All watchers, and the
// loop itself, belong to the goroutine that is in Run.

// A watcher is stopped on the loop's goroutine: Post takes the function there.
func ExampleLoop_Post_fromAnotherGoroutine() {
	loop, _ := ev.New()
	defer loop.Close()
	timer := ev.NewTimer(loop, time.Hour, 0, func(*ev.Timer) {})
	timer.Start()
	go func() {
		err := loop.Post(func() {
			timer.Stop() // the last active watcher: Run returns
			fmt.Println("stopped")
		})
		if err != nil { // ev.ErrClosed: nothing is active any more
			fmt.Println(err)
		}
	}()
	if err := loop.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: stopped
}

// The state of a watcher is read on the loop's goroutine.
func ExampleCall_watcher() {
	loop, _ := ev.New()
	defer loop.Close()
	timer := ev.NewTimer(loop, time.Hour, 10*time.Second, func(*ev.Timer) {})
	timer.Start()
	go func() {
		repeat, err := ev.Call(context.Background(), loop, func() (time.Duration, error) {
			return timer.Repeat(), nil
		})
		fmt.Println(repeat, err)
		loop.Stop()
	}()
	if err := loop.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: 10s <nil>
}

// Many goroutines share one state: each sends its items, and only the callback touches
// the state.
func ExampleQueue_Send() {
	loop, _ := ev.New()
	defer loop.Close()
	const senders = 4
	sum, came := 0, 0 // used on the loop's goroutine
	results := ev.NewQueue(loop, 0, func(q *ev.Queue[int], batch []int) {
		for _, n := range batch {
			sum += n
		}
		if came += len(batch); came == senders {
			fmt.Println("sum", sum)
			q.Stop()
		}
	})
	results.Start()
	for n := range senders {
		go func() {
			if err := results.Send(n); err != nil { // ev.ErrClosed, or ev.ErrFull where there is a limit
				fmt.Println(err)
			}
		}()
	}
	if err := loop.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: sum 6
}

// Stop ends a Run from any goroutine. It is not lost once the Run has begun; here
// something posted shows that it has.
func ExampleLoop_Stop() {
	loop, _ := ev.New()
	defer loop.Close()
	ticks := ev.NewTimer(loop, time.Hour, time.Hour, func(*ev.Timer) {})
	ticks.Start()
	running := make(chan struct{})
	if err := loop.Post(func() { close(running) }); err != nil {
		fmt.Println(err)
	}
	go func() {
		<-running
		loop.Stop()
	}()
	fmt.Println(loop.Run(context.Background()))
	fmt.Println("still active:", ticks.Active()) // the loop can be run again
	// Output:
	// <nil>
	// still active: true
}

// A context stops a Run too, whether it has begun or not.
func ExampleLoop_Run_context() {
	loop, _ := ev.New()
	defer loop.Close()
	ev.NewTimer(loop, time.Hour, time.Hour, func(*ev.Timer) {}).Start()
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	fmt.Println(loop.Run(ctx))
	// Output: context canceled
}

// Close may be called from any goroutine. The Run in progress finishes the teardown and
// returns ErrClosed.
func ExampleLoop_Close() {
	loop, _ := ev.New()
	ev.NewTimer(loop, time.Hour, time.Hour, func(*ev.Timer) {}).Start()
	ev.NewCleanup(loop, func(*ev.Cleanup) { fmt.Println("cleaned up") }).Start()
	running := make(chan struct{})
	if err := loop.Post(func() { close(running) }); err != nil {
		fmt.Println(err)
	}
	go func() {
		<-running
		if err := loop.Close(); err != nil {
			fmt.Println(err)
		}
	}()
	err := loop.Run(context.Background())
	fmt.Println(errors.Is(err, ev.ErrClosed))
	fmt.Println(loop.Post(func() {}))
	// Output:
	// cleaned up
	// true
	// ev: loop closed
}
