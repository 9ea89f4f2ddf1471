//go:build linux && cgo

// Command glib runs an event loop inside of GLib's main loop, as a program with GTK would.
//
//	go run ./examples/glib
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goevlib/ev"
)

func main() {
	if err := demo(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// demo has GLib call back for a Queue, to which a goroutine sends, for a Timer, and for a timeout
// of GLib's own, in which it arms a Timer: both loops are on one goroutine.
func demo(out io.Writer) error {
	loop, err := ev.New()
	if err != nil {
		return err
	}
	defer loop.Close()
	h, err := newHost(loop)
	if err != nil {
		return err
	}
	defer h.close()

	const steps = 3
	got := 0
	var results *ev.Queue[int]
	results = ev.NewQueue(loop, 0, func(_ *ev.Queue[int], batch []int) {
		for _, n := range batch {
			got++
			fmt.Fprintln(out, "a goroutine sends", n)
		}
		if got == steps {
			results.Stop()
		}
	})
	results.Start()

	late := ev.NewTimer(loop, 0, 0, func(*ev.Timer) { fmt.Fprintln(out, "the timer that GLib's timeout has armed") })
	ticks := 0
	ev.NewTimer(loop, 10*time.Millisecond, 10*time.Millisecond, func(w *ev.Timer) {
		ticks++
		fmt.Fprintln(out, "tick", ticks)
		n := ticks
		go func() { _ = results.Send(n * n) }() // work for a goroutine
		if ticks == steps {
			w.Stop()
			loop.Ref() // until late is armed
			after(20*time.Millisecond, func() {
				fmt.Fprintln(out, "GLib's timeout")
				late.Arm(10 * time.Millisecond)
				loop.Unref()
			})
		}
	}).Start()
	return h.run()
}
