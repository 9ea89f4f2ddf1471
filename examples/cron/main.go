// Command cron prints messages by cron expressions, all on one event loop. It
// is a module of its own: package ev does not depend on a cron parser. One line
// (newJob) joins the two.
//
// Each argument is a line of a crontab: the five fields minute, hour, day of
// month, month and day of week, or a word like @hourly or "@every 90s", then
// the message.
//
//	go run ./examples/cron '*/5 * * * * five more minutes' '@every 3s tick'
//	go run ./examples/cron -seconds -n 5 '*/2 * * * * * even' '1-59/2 * * * * * odd'
//	go run ./examples/cron -tz Europe/Berlin -list 3 '30 2 * * * backup'
//
// The flags:
//
//	-seconds   expressions have a field for seconds in front
//	-tz zone   the time zone of the expressions, local time by default
//	-n count   end after so many messages
//	-list n    only list the next n moments of each line
//
// SIGINT and SIGTERM end it. Times that pass while the loop is busy make one
// message. Times that pass while the machine sleeps make none. A line without a
// future time (30 February) is an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

type options struct {
	seconds bool
	zone    *time.Location
	count   int
	list    int
	lines   []string
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, o, os.Stdout)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "cron:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (o options, err error) {
	f := flag.NewFlagSet("cron", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints the error once
	f.BoolVar(&o.seconds, "seconds", false, "expressions have a field for seconds in front")
	zone := f.String("tz", "Local", "the time `zone` of the expressions, as Europe/Berlin")
	f.IntVar(&o.count, "n", 0, "end after this `number` of messages (default: never)")
	f.IntVar(&o.list, "list", 0, "only list the next `number` of moments of each line")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(usage, "usage: cron [flags] 'expression message' ...")
			f.SetOutput(usage)
			f.PrintDefaults()
		}
		return o, err
	}
	o.lines = f.Args()
	if o.zone, err = time.LoadLocation(*zone); err != nil {
		return o, fmt.Errorf("-tz: %w", err)
	}
	switch {
	case o.count < 0:
		return o, fmt.Errorf("-n must not be negative: %d", o.count)
	case o.list < 0:
		return o, fmt.Errorf("-list must not be negative: %d", o.list)
	case len(o.lines) == 0:
		return o, errors.New("nothing to do: give a line like '*/5 * * * * message' (-h for help)")
	}
	return o, nil
}

// run prints messages until their number is reached or ctx is done.
func run(ctx context.Context, o options, out io.Writer, opts ...ev.LoopOption) error {
	loop, err := ev.New(opts...)
	if err != nil {
		return err
	}
	defer loop.Close()
	printed := 0
	for _, text := range o.lines {
		l, err := parseLine(text, o.seconds)
		if err != nil {
			return err
		}
		if o.list > 0 {
			if err := l.list(out, loop.Now().In(o.zone), o.list); err != nil {
				return err
			}
			continue
		}
		job := newJob(loop, l.schedule, o.zone, func(*ev.Scheduler) {
			fmt.Fprintf(out, "%s %s\n", loop.Now().In(o.zone).Format(time.DateTime), l.message)
			if printed++; printed == o.count {
				loop.Stop()
			}
		})
		job.Start()
		if !job.Active() {
			return fmt.Errorf("%q: there is no such moment", text)
		}
	}
	if err := loop.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // a signal is the normal end
}
