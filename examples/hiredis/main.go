//go:build cgo

// Command hiredis drives a C library on an event loop: hiredis, the client of Redis. It sends
// commands in a pipeline, receives messages, has its server killed, and goes on when there is
// another.
//
//   - redis is the package: hiredis on a loop.
//   - server starts a redis-server.
//   - tour.go is the program, which runs on the loop.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/goevlib/ev/examples/hiredis/server"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hiredis:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) (err error) {
	n := flag.Int("n", 10_000, "so `many` commands at once")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected arguments: %q", flag.Args())
	case *n < 1:
		return fmt.Errorf("-n must be positive: %d", *n)
	}
	s, err := server.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return visit(out, s, *n)
}
