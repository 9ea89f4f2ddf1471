package evmeter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

func Example() {
	loop, err := ev.New(ev.WithName("main"))
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	meter := evmeter.On(loop) // measures from here on

	beats := 0
	heartbeat := ev.NewTimer(loop, 0, time.Millisecond, func(t *ev.Timer) {
		if beats++; beats == 3 {
			t.Stop()
		}
	}, ev.Name("heartbeat"))
	heartbeat.Start()
	loop.Run(context.Background())

	r := meter.Read()
	fmt.Println("loop:", r.Name, "running:", r.Running)
	for _, s := range r.Sources {
		fmt.Printf("%s %s: %d calls\n", s.Kind, s.Name, s.Calls)
	}
	fmt.Println("timers called:", r.Lag.Count)
	// Output:
	// loop: main running: false
	// Timer heartbeat: 3 calls
	// timers called: 3
}
