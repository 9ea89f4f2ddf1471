// Command soak runs loops of every backend and wake mode under random load for a long
// time, with all kinds of watchers. It fails if a promise is broken or a resource grows:
//
//	go run ./internal/soak -for 10m
//	go run -race ./internal/soak -for 1m
//
// Every second it prints the work per second and the resources of the process. At the
// end it compares the last fifth of the samples with the second fifth. When all loops
// are closed, it compares the resources with those before the first loop. It names the
// growth beyond the slack in holdings.go. The seed repeats the random choices, but not
// the order in which goroutines make them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	length := flags.Duration("for", time.Minute, "how `long` to go on; an interrupt ends it too")
	seed := flags.Uint64("seed", rand.Uint64(), "what to choose by; random if not given")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there are no arguments, and %q is one", flags.Arg(0))
	}
	if *length < time.Second {
		return fmt.Errorf("-for %v is too short to tell anything: a second is the least", *length)
	}
	defer keepFromSignals()()
	fmt.Fprintf(out, "soak -for %v -seed %d\n", *length, *seed)
	return soak(ctx, *length, *seed, out)
}
