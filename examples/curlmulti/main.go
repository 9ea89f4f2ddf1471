//go:build cgo

// Command curlmulti runs two hundred HTTP transfers at once with a C library,
// libcurl, in one goroutine and without a thread for each.
//
//	go run ./examples/curlmulti -n 200
//
// libcurl does the transfers and never waits: package curl maps its sockets and
// its deadline to watchers of an event loop. The server uses net/http, in a
// process of its own, so that its threads and goroutines are not counted. It
// sends the first piece of each body and holds the rest until the client
// reports that it has every first piece. So both sides show that all transfers
// were in progress at once, and the result does not depend on speed.
//
//   - curl is the package: libcurl on a loop.
//   - fleet.go is the client, which runs on the loop.
//   - server.go is the server, in another process.
//   - usage.go counts threads, goroutines and descriptors.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/goevlib/ev/examples/curlmulti/curl"
)

func main() {
	var err error
	if os.Getenv(serverEnv) != "" {
		err = serve(os.Stdin, os.Stdout)
	} else {
		err = run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "curlmulti:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) (err error) {
	n := flag.Int("n", 200, "so `many` transfers at once")
	size := flag.Int("size", 64<<10, "`bytes` in each body")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected arguments: %q", flag.Args())
	case *n < 1:
		return fmt.Errorf("-n must be positive: %d", *n)
	case *size < 1:
		return fmt.Errorf("-size must be positive: %d", *size)
	}
	s, err := startServer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	r, err := transfer(s.url, *n, *size)
	if err != nil {
		return err
	}
	r.print(out)
	return nil
}

func (r report) print(out io.Writer) {
	fmt.Fprintf(out, "libcurl %s, %d transfers under way at once: the client had a part of %d, the server held %d.\n",
		curl.Version(), r.n, r.begun, r.held)
	fmt.Fprintf(out, "%d bodies came whole, %d bytes.\n\n", r.whole, r.bytes)
	fmt.Fprintf(out, "| %-11s | %6s | %6s | %6s |\n", "", "before", "during", "added")
	fmt.Fprintln(out, "|-------------|-------:|-------:|-------:|")
	for _, row := range []struct {
		name           string
		before, during int
	}{
		{"threads", r.before.threads, r.during.threads},
		{"goroutines", r.before.goroutines, r.during.goroutines},
		{"watchers", r.before.watchers, r.during.watchers},
		{"descriptors", r.before.descriptors, r.during.descriptors},
	} {
		fmt.Fprintf(out, "| %-11s | %6d | %6d | %6d |\n", row.name, row.before, row.during, row.during-row.before)
	}
}
