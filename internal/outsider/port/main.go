//go:build unix

// Command port is the example program of libev's manual: it waits for input, but not for long. The
// comments are the C.
//
//	port -timeout 5.5s
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/goevlib/ev"
)

// static void stdin_cb (EV_P_ ev_io *w, int revents)
func stdinReady(w *ev.IO, _ ev.Events) {
	fmt.Println("stdin ready") // puts ("stdin ready");
	w.Stop()                   // ev_io_stop (EV_A_ w);
	w.Loop().StopAll()         // ev_break (EV_A_ EVBREAK_ALL);
}

// static void timeout_cb (EV_P_ ev_timer *w, int revents)
func timeout(w *ev.Timer) {
	fmt.Println("timeout") // puts ("timeout");
	w.Loop().Stop()        // ev_break (EV_A_ EVBREAK_ONE);
}

func main() {
	after := flag.Duration("timeout", 5500*time.Millisecond, "wait this `time` for input")
	flag.Parse()

	loop, err := ev.Default() // struct ev_loop *loop = EV_DEFAULT;
	if err != nil {
		log.Fatal(err)
	}

	// ev_io_init (&stdin_watcher, stdin_cb, 0, EV_READ);
	stdin := ev.NewConnIO(loop, os.Stdin, ev.Read, stdinReady)
	if err := stdin.Start(); err != nil { // ev_io_start (loop, &stdin_watcher);
		log.Fatal(err)
	}
	timer := ev.NewTimer(loop, *after, 0, timeout) // ev_timer_init (&timeout_watcher, timeout_cb, 5.5, 0.);
	timer.Start()                                  // ev_timer_start (loop, &timeout_watcher);

	if err := loop.Run(context.Background()); err != nil { // ev_run (loop, 0);
		log.Fatal(err)
	}
}
