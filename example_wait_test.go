package ev_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Each request gets a timeout of its own, which counts from the moment it is sent, though the
// callback has worked for long. The timer is a one-shot, and used again.
func ExampleTimer_Arm() {
	loop, _ := ev.New()
	defer loop.Close()
	timeout := ev.NewTimer(loop, 0, 0, func(*ev.Timer) { fmt.Println("no answer") })
	requests := 0
	send := ev.NewTimer(loop, 0, 0, func(send *ev.Timer) {
		time.Sleep(5 * time.Millisecond) // long work
		timeout.Arm(20 * time.Millisecond)
		if requests++; requests < 3 {
			send.Arm(10 * time.Millisecond) // before the timeout, which is armed again then
		}
	})
	send.Arm(0)
	loop.Run(context.Background())
	fmt.Println(requests, "requests")
	// Output:
	// no answer
	// 3 requests
}

// A producer that is faster than the loop waits, instead of filling the memory.
func ExampleQueue_SendWait() {
	loop, _ := ev.New()
	defer loop.Close()
	const items = 1000
	total, most := 0, 0
	queue := ev.NewQueue(loop, 10, func(q *ev.Queue[int], batch []int) {
		total, most = total+len(batch), max(most, len(batch))
		if total == items {
			q.Stop()
		}
	})
	queue.Start()
	go func() {
		for i := range items {
			if err := queue.SendWait(context.Background(), i); err != nil {
				return // the loop is closed
			}
		}
	}()
	loop.Run(context.Background())
	fmt.Println(total, "items, at most 10 at once:", most <= 10)
	// Output: 1000 items, at most 10 at once: true
}
