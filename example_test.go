package ev_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

func Example() {
	loop, err := ev.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()

	wake := ev.NewAsync(loop, func(w *ev.Async) {
		fmt.Println("woken")
		w.Stop() // the last active watcher: Run returns
	})
	wake.Start()
	go wake.Send() // from any goroutine, any number of times

	if err := loop.Run(context.Background()); err != nil {
		panic(err)
	}
	// Output: woken
}

// Sends before the callback collapse into one.
func ExampleAsync() {
	loop, _ := ev.New()
	defer loop.Close()
	work := ev.NewAsync(loop, func(w *ev.Async) { fmt.Println("one callback") })
	work.Start()
	for range 1000 {
		work.Send()
	}
	fmt.Println("sent:", work.Sent())
	loop.RunNoWait()
	fmt.Println("sent:", work.Sent())
	// Output:
	// sent: true
	// one callback
	// sent: false
}

func ExampleQueue() {
	loop, _ := ev.New()
	defer loop.Close()
	sum := 0 // the loop's: no lock
	numbers := ev.NewQueue(loop, 100, func(q *ev.Queue[int], batch []int) {
		for _, n := range batch {
			sum += n
		}
		fmt.Println(len(batch), "numbers, sum", sum)
		q.Stop()
	})
	numbers.Start()
	for n := range 5 {
		if err := numbers.Send(n); errors.Is(err, ev.ErrFull) {
			fmt.Println("come back later")
		}
	}
	loop.Run(context.Background())
	// Output: 5 numbers, sum 10
}

func ExampleTimer() {
	loop, _ := ev.New()
	defer loop.Close()
	ticks := 0
	ev.NewTimer(loop, 10*time.Millisecond, 5*time.Millisecond, func(t *ev.Timer) {
		if ticks++; ticks == 3 {
			t.Stop()
		}
	}).Start()
	loop.Run(context.Background())
	fmt.Println(ticks, "ticks")
	// Output: 3 ticks
}

// An inactivity timeout: Reset at each sign of life.
func ExampleTimer_Reset() {
	loop, _ := ev.New()
	defer loop.Close()
	timeout := ev.NewTimer(loop, 0, 20*time.Millisecond, func(t *ev.Timer) {
		fmt.Println("nothing heard for a while")
		t.Stop()
	})
	timeout.Reset()
	heard := 0
	ev.NewTimer(loop, 0, 2*time.Millisecond, func(t *ev.Timer) {
		timeout.Reset()
		if heard++; heard == 5 {
			t.Stop()
		}
	}).Start()
	loop.Run(context.Background())
	fmt.Println("heard", heard)
	// Output:
	// nothing heard for a while
	// heard 5
}

func ExampleLoop_Post() {
	loop, _ := ev.New()
	defer loop.Close()
	loop.Post(func() { fmt.Println("first") })
	loop.Post(func() { fmt.Println("second") })
	loop.Run(context.Background())
	// Output:
	// first
	// second
}

// A question to the loop, from a goroutine of the program.
func ExampleCall() {
	loop, _ := ev.New()
	defer loop.Close()
	total := 41 // used on the loop's goroutine
	loop.Ref()  // Run does not end for want of watchers
	go loop.Run(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := ev.Call(ctx, loop, func() (int, error) {
		total++
		return total, nil
	})
	fmt.Println(n, err)
	// Output: 42 <nil>
}

func ExampleGo() {
	loop, _ := ev.New()
	defer loop.Close()
	ev.Go(loop, func() (string, error) {
		return "from afar", nil // on a goroutine of its own
	}, func(s string, err error) {
		fmt.Println(s, err) // on the loop
	})
	loop.Run(context.Background())
	// Output: from afar <nil>
}

func ExamplePriority() {
	loop, _ := ev.New()
	defer loop.Close()
	for _, p := range []int{-1, 0, 1} {
		w := ev.NewAsync(loop, func(w *ev.Async) { fmt.Println(w.Name()) },
			ev.Priority(p), ev.Name(fmt.Sprint("priority ", p)))
		w.Start()
		w.Send()
	}
	loop.RunNoWait()
	// Output:
	// priority 1
	// priority 0
	// priority -1
}

func ExampleWithPanicHandler() {
	loop, _ := ev.New(ev.WithPanicHandler(func(w ev.Watcher, v any, stack []byte) {
		fmt.Println(w.Name(), "panicked:", v)
	}))
	defer loop.Close()
	bad := ev.NewAsync(loop, func(*ev.Async) { panic("oops") }, ev.Name("bad"))
	good := ev.NewAsync(loop, func(*ev.Async) { fmt.Println("good runs") })
	for _, w := range []*ev.Async{bad, good} {
		w.Start()
		w.Send()
	}
	loop.RunNoWait()
	// Output:
	// bad panicked: oops
	// good runs
}

func ExampleLoop_Stats() {
	loop, _ := ev.New()
	defer loop.Close()
	a := ev.NewAsync(loop, func(*ev.Async) {})
	a.Start()
	a.Send()
	a.Send()
	loop.RunNoWait()
	s := loop.Stats()
	fmt.Println(s.Iterations, s.Collected, s.Callbacks, s.FDWrites)
	// Output: 1 1 1 0
}
