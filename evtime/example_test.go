package evtime_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// An editor writes a file in three pieces. The program loads it once.
func ExampleDebounce() {
	loop, _ := ev.New()
	defer loop.Close()
	written := 0
	load := evtime.NewDebounce(loop, 20*time.Millisecond, time.Second, func(*evtime.Debounce) {
		fmt.Println("loaded after", written, "writes")
	})
	for range 3 {
		written++
		load.Trigger() // the callback of a Stat on the file would do this
	}
	loop.Run(context.Background())
	// Output: loaded after 3 writes
}

// The work reports each step. Its progress is printed once an hour, and at the end.
func ExampleThrottle() {
	loop, _ := ev.New()
	defer loop.Close()
	steps := 0
	progress := evtime.NewThrottle(loop, time.Hour, func(*evtime.Throttle) {
		fmt.Println(steps, "of 100")
	})
	ev.NewIdle(loop, func(i *ev.Idle) {
		steps++
		progress.Trigger()
		if steps == 100 {
			progress.Flush()
			i.Stop()
		}
	}).Start()
	loop.Run(context.Background())
	// Output:
	// 1 of 100
	// 100 of 100
}

// A button that bounces: the first contact counts, at once.
func ExampleDebounce_SetEdges() {
	loop, _ := ev.New()
	defer loop.Close()
	pressed := evtime.NewDebounce(loop, 50*time.Millisecond, 0, func(*evtime.Debounce) {
		fmt.Println("pressed")
	})
	pressed.SetEdges(evtime.Leading)
	for range 3 {
		pressed.Trigger()
	}
	loop.Run(context.Background())
	// Output: pressed
}

// A simulation makes a step per tick, and makes up for steps that were missed.
func ExampleTicker() {
	loop, _ := ev.New()
	defer loop.Close()
	const period = 5 * time.Millisecond
	steps := 0
	evtime.NewTicker(loop, period, func(t *evtime.Ticker, ticks int64) {
		if steps == 0 {
			time.Sleep(4 * period) // hold up the loop
		} else {
			fmt.Println("missed some:", ticks > 1)
			t.Stop()
		}
		for range ticks {
			steps++
		}
	}).Start()
	loop.Run(context.Background())
	fmt.Println("at least 5 steps:", steps >= 5)
	// Output:
	// missed some: true
	// at least 5 steps: true
}

// The work of an attempt runs on a goroutine of its own.
func ExampleRetry() {
	loop, _ := ev.New()
	defer loop.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	var greeting string
	connect := func(ctx context.Context, attempt int) (string, error) { // a dial, say
		if attempt < 3 {
			return "", errors.New("connection refused")
		}
		return "hello", ctx.Err()
	}
	evtime.NewRetry(loop,
		evtime.Backoff{First: time.Millisecond, Max: time.Second, Attempts: 10, Jitter: 0.5},
		func(a *evtime.Attempt) {
			ev.Go(loop, func() (string, error) {
				return connect(ctx, a.Number())
			}, func(s string, err error) {
				fmt.Println("attempt", a.Number(), err)
				greeting = s
				a.Report(err)
			})
		},
		func(r *evtime.Retry, err error) { fmt.Println(greeting, err) },
	).Start(ctx)
	loop.Run(ctx)
	// Output:
	// attempt 1 connection refused
	// attempt 2 connection refused
	// attempt 3 <nil>
	// hello <nil>
}

// Another attempt would not help, so the attempt calls Fail.
func ExampleAttempt_Fail() {
	loop, _ := ev.New()
	defer loop.Close()
	errDenied := errors.New("permission denied")
	evtime.NewRetry(loop, evtime.Backoff{First: time.Hour},
		func(a *evtime.Attempt) { a.Fail(errDenied) },
		func(r *evtime.Retry, err error) { fmt.Println(err) },
	).Start(context.Background())
	loop.Run(context.Background())
	// Output: permission denied
}
