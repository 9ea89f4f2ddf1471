// Command server is an HTTP server whose statistics and access log belong to one event loop. They
// need no lock: only the loop's goroutine uses them.
//
// The files and their goroutines:
//
//   - handlers.go runs on net/http's goroutines, one per connection. They send a record of each
//     request to the loop's Queue, and get the statistics by Call.
//   - ledger.go, accesslog.go and histogram.go run on the loop, in its callbacks. Their data is
//     used nowhere else.
//   - server.go runs on the loop, too. It starts both halves, and ends them in the right order.
//
// Start the server and open it in a browser, or let it make requests to itself:
//
//	go run ./examples/server
//	go run ./examples/server -load 5s
//
// -load makes at most 1000 requests per second. With -rate 0 it makes as many as the server
// answers. Other clients may make requests meanwhile.
//
// The page of the loop is at /debug/ev/. The flag -slow makes a slow callback, to be found there:
//
//	go run ./examples/server -load 5m -slow 100ms
//
// SIGHUP reopens the log, for logrotate. On SIGINT and SIGTERM the server answers the requests in
// progress, writes the log to its last line, and exits.
//
// Input that net/http refuses by itself, such as a request that is not HTTP, is neither counted nor
// logged.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goevlib/ev"
)

type options struct {
	addr string
	log  string
	load time.Duration
	rate int
	slow time.Duration
}

func main() {
	o, err := parse()
	if err == nil {
		err = run(o)
	}
	if err != nil {
		complain(err)
		os.Exit(1)
	}
}

// complain prints an error on stderr.
func complain(err error) { fmt.Fprintln(os.Stderr, "server:", err) }

func parse() (options, error) {
	var o options
	flag.StringVar(&o.addr, "addr", "", "listen on `host:port` (default 127.0.0.1:8080, with -load any free port)")
	flag.StringVar(&o.log, "log", "", "append the access log to `file` (default access.log, with -load a temporary file)")
	flag.DurationVar(&o.load, "load", 0, "make requests to itself for this `time`, then print a table and exit")
	flag.IntVar(&o.rate, "rate", 1000, "with -load, make this `number` of requests per second at most; 0 is as many as are answered")
	flag.DurationVar(&o.slow, "slow", 0, "have every third write of the access log take this `time` longer, as on a slow disk")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return o, fmt.Errorf("unexpected arguments: %q", flag.Args())
	case o.load < 0:
		return o, fmt.Errorf("-load must not be negative: %v", o.load)
	case o.rate < 0:
		return o, fmt.Errorf("-rate must not be negative: %d", o.rate)
	case o.slow < 0:
		return o, fmt.Errorf("-slow must not be negative: %v", o.slow)
	case o.addr == "" && o.load > 0:
		o.addr = "127.0.0.1:0"
	case o.addr == "":
		o.addr = "127.0.0.1:8080"
	}
	return o, nil
}

func run(o options) error {
	switch {
	case o.log != "":
	case o.load == 0:
		o.log = "access.log"
	default:
		dir, err := os.MkdirTemp("", "server")
		if err != nil {
			return fmt.Errorf("temporary log: %w", err)
		}
		defer os.RemoveAll(dir)
		o.log = filepath.Join(dir, "access.log")
	}
	loop, err := ev.New(ev.WithName("server"))
	if err != nil {
		return err
	}
	defer loop.Close()
	s, err := newServer(loop, o.addr, o.log)
	if err != nil {
		return err
	}
	s.ledger.slow = o.slow
	fmt.Printf("listening on %s/ ; try: curl %s/stats ; look at %s/debug/ev/\n", s.url(), s.url(), s.url())
	if o.load > 0 {
		return runLoad(s, o.load, o.rate)
	}
	return s.run()
}
