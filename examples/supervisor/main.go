// Command supervisor starts programs, and starts them again when they exit. It
// starts them again soon the first time, and then after waits that double,
// until a program has run long enough to count as healthy.
//
// Each argument is a program with its own arguments, separated by spaces:
//
//	go run ./examples/supervisor "python3 -m http.server" "sleep 3"
//
// SIGHUP restarts all of them. SIGINT and SIGTERM stop them with a SIGTERM and,
// if one takes longer than -grace, a SIGKILL. Then the supervisor exits with 0.
// A second SIGINT or SIGTERM kills at once.
//
// All state belongs to one event loop. supervisor.go has the callbacks of the
// signals, service.go those of a program: a Child and two Timers. Run returns
// when none of these is active.
//
// It needs a system that has Child: Linux, macOS or a BSD.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/goevlib/ev"
)

type options struct {
	programs [][]string
	min, max time.Duration
	grace    time.Duration
}

func main() {
	o, err := parse()
	if err == nil {
		err = run(o)
	}
	if err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "supervisor: "+format+"\n", args...)
}

func parse() (options, error) {
	var o options
	flag.DurationVar(&o.min, "min", 100*time.Millisecond, "`time` to wait before the first restart")
	flag.DurationVar(&o.max, "max", 30*time.Second, "`time` that no wait exceeds, and after which a program is taken for well")
	flag.DurationVar(&o.grace, "grace", 5*time.Second, "`time` to exit in, when told to")
	flag.Parse()
	for _, arg := range flag.Args() {
		program := strings.Fields(arg)
		if len(program) == 0 {
			return o, fmt.Errorf("an empty argument is no program")
		}
		o.programs = append(o.programs, program)
	}
	switch {
	case len(o.programs) == 0:
		return o, fmt.Errorf("no programs to start; see -help")
	case o.min <= 0 || o.max < o.min:
		return o, fmt.Errorf("-min must be positive and not above -max: %v, %v", o.min, o.max)
	case o.grace < 0:
		return o, fmt.Errorf("-grace must not be negative: %v", o.grace)
	}
	return o, nil
}

func run(o options) error {
	loop, err := ev.New(ev.WithName("supervisor"))
	if err != nil {
		return err
	}
	defer loop.Close()
	s, err := newSupervisor(loop, o)
	if err != nil {
		return err
	}
	if err := loop.Run(context.Background()); err != nil {
		return err
	}
	return s.err
}
