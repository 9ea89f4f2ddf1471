package ev_test

import (
	"context"
	"fmt"

	"github.com/goevlib/ev"
)

// Work in the background, a piece at a time, whenever nothing else is to be done.
func ExampleIdle() {
	loop, _ := ev.New()
	defer loop.Close()
	pieces := 3
	ev.NewIdle(loop, func(w *ev.Idle) {
		fmt.Println("working,", pieces, "to go")
		if pieces--; pieces == 0 {
			w.Stop()
		}
	}).Start()
	urgent := ev.NewAsync(loop, func(a *ev.Async) {
		fmt.Println("first something else")
		a.Stop()
	})
	urgent.Start()
	urgent.Send()
	loop.Run(context.Background())
	// Output:
	// first something else
	// working, 3 to go
	// working, 2 to go
	// working, 1 to go
}

// Once per iteration, flush the lines that the callbacks have collected.
func ExamplePrepare() {
	loop, _ := ev.New()
	defer loop.Close()
	var out []string
	flush := ev.NewPrepare(loop, func(*ev.Prepare) {
		if len(out) > 0 {
			fmt.Println("flush", out)
			out = nil
		}
	})
	flush.Keep(false)
	flush.Start()
	for i := range 3 {
		loop.Post(func() { out = append(out, fmt.Sprint("line ", i)) })
	}
	loop.RunNoWait()
	loop.RunNoWait()
	// Output: flush [line 0 line 1 line 2]
}

// With the highest priority, a Check runs before all other callbacks of a poll.
func ExampleCheck() {
	loop, _ := ev.New()
	defer loop.Close()
	ev.NewCheck(loop, func(w *ev.Check) {
		fmt.Println("iteration", loop.Iteration(), "has", loop.Pending(), "callbacks to make")
		w.Stop()
	}, ev.Priority(ev.MaxPriority)).Start()
	for i := range 2 {
		loop.Post(func() { fmt.Println("callback", i) })
	}
	loop.Run(context.Background())
	// Output:
	// iteration 1 has 2 callbacks to make
	// callback 0
	// callback 1
}

// A library that keeps something per loop lets go of it when the loop is closed.
func ExampleCleanup() {
	loop, _ := ev.New()
	ev.NewCleanup(loop, func(*ev.Cleanup) { fmt.Println("closed") }).Start()
	loop.Run(context.Background()) // a Cleanup does not keep it going
	fmt.Println("ran")
	loop.Close()
	// Output:
	// ran
	// closed
}
