// Command tail follows files as they grow, like tail -F: it prints their last
// lines, then what is appended, for ever. A file that is truncated, removed,
// rotated or not there yet is noticed, and said on stderr.
//
//	go run ./examples/tail -n 5 /var/log/messages /var/log/auth.log
//
// There is one goroutine at work, the loop's. Each file has a Stat watcher,
// whose callback reads what is new: nothing is read, and no time passes, while
// nothing changes. SIGINT and SIGTERM end the program.
//
// What is written to a rotated file after the new one was seen is not printed, nor
// is a file that was rotated away before the program got to open it. A symbolic
// link is resolved at the start, once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

type options struct {
	lines    int
	interval time.Duration
	files    []string
}

func main() {
	o, err := parse()
	if err == nil {
		err = run(o)
	}
	if err != nil {
		complain("%v", err)
		os.Exit(1)
	}
}

// complain says on stderr what went wrong, or what happened.
func complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "tail: "+format+"\n", args...)
}

func parse() (options, error) {
	var o options
	flag.IntVar(&o.lines, "n", 10, "print the last `lines` of each file first")
	flag.DurationVar(&o.interval, "interval", time.Second,
		"look at the files every `time` where the system does not tell of changes")
	flag.Parse()
	o.files = flag.Args()
	switch {
	case len(o.files) == 0:
		return o, errors.New("no file to follow")
	case slices.Contains(o.files, ""):
		return o, errors.New("empty file name")
	case o.lines < 0:
		return o, fmt.Errorf("-n must not be negative: %d", o.lines)
	case o.interval < 0:
		return o, fmt.Errorf("-interval must not be negative: %v", o.interval)
	}
	return o, nil
}

func run(o options) error {
	loop, err := ev.New(ev.WithName("tail"))
	if err != nil {
		return err
	}
	defer loop.Close()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		quit := ev.NewSignal(loop, sig, func(*ev.Signal) { loop.Stop() })
		if err := quit.Start(); err != nil {
			return err
		}
	}
	p := &printer{out: os.Stdout, headers: len(o.files) > 1}
	var failed error
	for _, name := range o.files {
		f := newFollower(loop, name, o.interval, p, func(err error) {
			failed = err
			loop.Stop()
		})
		if err := f.start(o.lines); err != nil {
			return err
		}
	}
	if err := loop.Run(context.Background()); err != nil {
		return err
	}
	return failed
}
