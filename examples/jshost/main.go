// Command jshost runs a JavaScript program on an ev.Loop, as Node does: until
// nothing keeps it going, or it throws. Package host is the reusable part.
//
//	go run ./examples/jshost script.js
//	go run ./examples/jshost             # demo.js, beside a server for it to ask
//	go run ./examples/jshost -bench 9    # this host and goja_nodejs's, timed in turn
//
// The script has setTimeout, setInterval, setImmediate and their clear
// functions, queueMicrotask, sleep, promises and async functions, fetch,
// AbortController, console and require. SIGINT, SIGTERM and -timeout stop it at
// any point.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dop251/goja"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/compare"
	"github.com/goevlib/ev/examples/jshost/host"
)

//go:embed demo.js
var demo string

type options struct {
	script  string // a path; "" is the demo
	timeout time.Duration
	rounds  int
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		// An ev.Signal does not serve: its callback would wait for a script that never
		// ends.
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jshost:", message(err))
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("jshost", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.DurationVar(&o.timeout, "timeout", 0, "stop the script after this `time`; 0 is never")
	flags.IntVar(&o.rounds, "bench", 0, "instead, time this host and goja_nodejs's in turn, this many `rounds`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.script = flags.Arg(0)
	switch {
	case flags.NArg() > 1:
		return o, fmt.Errorf("one script at a time, not %d: %q", flags.NArg(), flags.Args())
	case flags.NArg() == 1 && o.script == "":
		return o, errors.New("empty file name")
	case o.rounds != 0 && o.script != "":
		return o, errors.New("-bench has scripts of its own")
	case o.timeout < 0:
		return o, fmt.Errorf("-timeout must not be negative: %v", o.timeout)
	case o.rounds < 0:
		return o, fmt.Errorf("-bench must not be negative: %d", o.rounds)
	}
	return o, nil
}

// message returns a script's exception with its stack.
func message(err error) string {
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		return thrown.String()
	}
	return err.Error()
}

func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if o.rounds > 0 {
		return compare.Run(ctx, o.rounds, stdout)
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	loop, err := ev.New(ev.WithName("jshost"))
	if err != nil {
		return err
	}
	defer loop.Close()
	h := host.New(loop, host.Config{Stdout: stdout, Stderr: stderr})
	if o.script == "" {
		return runDemo(ctx, h)
	}
	src, err := os.ReadFile(o.script)
	if err != nil {
		return err
	}
	return h.Run(ctx, host.Script(o.script, string(src)))
}

// runDemo runs the demo with a server that answers slowly.
func runDemo(ctx context.Context, h *host.Host) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(100 * time.Millisecond):
			fmt.Fprintf(w, `{"path": %q}`, r.URL.Path)
		case <-r.Context().Done():
		}
	})}
	go server.Serve(listener)
	defer server.Close()
	if err := h.VM().Set("origin", "http://"+listener.Addr().String()); err != nil {
		return err
	}
	return h.Run(ctx, host.Script("demo.js", demo))
}
