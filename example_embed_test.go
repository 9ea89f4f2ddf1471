package ev_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// A component with a loop of its own, run by the program's.
func ExampleEmbed() {
	program, _ := ev.New()
	defer program.Close()
	component, _ := ev.New()
	defer component.Close()

	embed := ev.NewEmbed(program, component, nil)
	if err := embed.Start(); err != nil {
		panic(err)
	}
	done := ev.NewAsync(component, func(*ev.Async) {
		fmt.Println("sent to the component")
		embed.Stop() // the last active watcher of the program
	})
	done.Start()
	ev.NewTimer(component, time.Millisecond, 0, func(*ev.Timer) {
		fmt.Println("the component's timer")
		go done.Send()
	}).Start()

	program.Run(context.Background())
	// Output:
	// the component's timer
	// sent to the component
}

// With a callback, the component's events wait for a Sweep.
func ExampleEmbed_Sweep() {
	program, _ := ev.New()
	defer program.Close()
	component, _ := ev.New()
	defer component.Close()

	embed := ev.NewEmbed(program, component, func(e *ev.Embed) {
		fmt.Println("the component has something to do")
		e.Sweep()
	})
	if err := embed.Start(); err != nil {
		panic(err)
	}
	component.Post(func() { fmt.Println("posted to the component") })
	program.RunOnce(context.Background())
	// Output:
	// the component has something to do
	// posted to the component
}
