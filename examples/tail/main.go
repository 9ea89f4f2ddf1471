// Command tail follows files as they grow, like tail -F. It prints their last
// lines, then all appended data, for ever. It reports on stderr if a file is
// truncated, removed, rotated or missing.
//
//	go run ./examples/tail -n 5 /var/log/messages /var/log/auth.log
//
// The loop's goroutine does all the work. Each file has a Stat watcher, whose
// callback reads new data. While nothing changes, nothing is read and no
// processor time is used. SIGINT and SIGTERM end the program.
//
// Data that is written to a rotated file after the new file was seen is not
// printed. Neither is a file that was rotated away before the program could
// open it. A symbolic link is resolved once, at the start.
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

// complain prints an error or an event to stderr.
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
