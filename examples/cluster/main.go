// Command cluster shows how a fleet of processes wakes the owner of a piece of
// state with package wake, even if messages are lost. It is a module of its
// own: package ev does not depend on NATS.
//
//	go run ./examples/cluster
//
// starts a store with a counter for every sender, a NATS server, an owner that
// keeps the sum of the counters, and senders that count up and wake the owner.
// Each is a process of its own. The command kills the server twice, the second
// time until all is counted. It ends with an error unless the owner has the
// complete sum.
//
//	-senders n      how many processes count
//	-goroutines n   how many goroutines count in each
//	-counts n       how far each process counts
//
// The processes can also be started by hand, on any machines. -h prints their
// flags. They end when their standard input ends:
//
//	cluster store  -listen 0.0.0.0:8080
//	cluster server -listen 0.0.0.0:4222
//	cluster owner  -store http://a:8080 -nats nats://b:4222
//	cluster sender -store http://a:8080 -nats nats://b:4222 -name c -counts 1000
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
)

// roles are the values of the first argument.
var roles = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"store":  runStore,
	"server": runServer,
	"owner":  runOwner,
	"sender": runSender,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return runFleet(ctx, args, out)
	}
	role, ok := roles[args[0]]
	if !ok {
		return fmt.Errorf("no such role: %q (there are store, server, owner and sender)", args[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // until the process ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err := role(ctx, args[1:], out)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%s: %w", args[0], err)
}

// parse parses flags. Other arguments are an error. main prints the error once.
func parse(f *flag.FlagSet, args []string) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(os.Stderr, "usage of %s:\n", f.Name())
		f.SetOutput(os.Stderr)
		f.PrintDefaults()
	case err == nil && f.NArg() > 0:
		return fmt.Errorf("unexpected argument: %q", f.Arg(0))
	}
	return err
}
