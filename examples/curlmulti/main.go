// Command curlmulti runs two hundred HTTP transfers at once with a C library,
// libcurl, in one goroutine and without a thread for each.
//
//	go run . -n 200
//
// libcurl does the transfers and never waits: package curl maps what it wants to
// wait for to watchers of an event loop. The server is a net/http one, in a process
// of its own so that its threads and goroutines are not counted. It sends each
// client the first piece of a body and holds all of them until the client says that
// it has every first piece: that all were under way at once is shown by both
// sides, and does not depend on how slow anything is.
//
//   - curl is the package: libcurl on a loop.
//   - fleet.go is the client's side, the loop's.
//   - server.go is the other process.
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
