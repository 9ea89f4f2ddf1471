//go:build !js && !wasip1

package ev_test

import (
	"context"
	"fmt"
	"os"

	"github.com/goevlib/ev"
)

func ExampleSignal() {
	loop, _ := ev.New()
	defer loop.Close()
	interrupt := ev.NewSignal(loop, os.Interrupt, func(s *ev.Signal) {
		fmt.Println("interrupted")
		s.Stop()
	})
	if err := interrupt.Start(); err != nil {
		panic(err)
	}
	ev.FeedSignal(os.Interrupt) // as if the process had received it
	loop.Run(context.Background())
	// Output: interrupted
}
