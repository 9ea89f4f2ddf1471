//go:build cgo && unix

// Command notify wakes a loop from code that is not Go: a thread of C code, a
// signal handler written in C, and a shell.
//
//	go run ./examples/notify -n 1000
//
// Each has a descriptor of an Async, from Async.Notifier, and writes 8 bytes to
// it. The thread makes values and sends after each. The shell sends once and
// then signals this process, whose handler sends too. The program ends when it
// has been woken by all three.
//
// main.go runs on the loop, producer.go and handler.go call the C code, and
// child.go starts the shell.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/goevlib/ev"
)

func main() {
	values := flag.Int("n", 1000, "have the thread make `values`")
	flag.Parse()
	if *values < 1 || *values > 1<<30 {
		fmt.Fprintln(os.Stderr, "notify: -n must be from 1 to 2^30:", *values)
		os.Exit(2)
	}
	if err := run(os.Stdout, *values); err != nil {
		fmt.Fprintln(os.Stderr, "notify:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, values int) error {
	loop, err := ev.New(ev.WithName("notify"))
	if err != nil {
		return err
	}
	defer loop.Close()
	s := &sources{loop: loop, out: out}
	err = errors.Join(s.thread(values), s.signal(syscall.SIGUSR1), s.child("send; kill -USR1 $PPID"))
	if err == nil {
		err = loop.Run(context.Background())
	}
	for _, close := range s.closers {
		err = errors.Join(err, close())
	}
	return err
}

// sources are the senders for which the program waits. They belong to the loop.
type sources struct {
	loop    *ev.Loop
	out     io.Writer
	closers []func() error
}

func (s *sources) thread(values int) error {
	var p *producer
	callbacks := 0
	async := ev.NewAsync(s.loop, func(a *ev.Async) {
		callbacks++
		if p.made() == values {
			fmt.Fprintf(s.out, "thread: %d values in %d callbacks\n", values, callbacks)
			a.Stop()
		}
	}, ev.Name("thread"))
	async.Start()
	p, err := startProducer(async, 0, values)
	if err == nil {
		s.closers = append(s.closers, p.join)
	}
	return err
}

func (s *sources) signal(sig syscall.Signal) error {
	async := ev.NewAsync(s.loop, func(a *ev.Async) {
		fmt.Fprintf(s.out, "handler: %v\n", sig)
		a.Stop()
	}, ev.Name("handler"))
	async.Start()
	h, err := installHandler(sig, async)
	if err == nil {
		s.closers = append(s.closers, h.remove)
	}
	return err
}

func (s *sources) child(script string) error {
	async := ev.NewAsync(s.loop, func(a *ev.Async) {
		fmt.Fprintln(s.out, "child: hello")
		a.Stop()
	}, ev.Name("child"))
	async.Start()
	cmd, err := startChild(async, script)
	if err == nil {
		s.closers = append(s.closers, cmd.Wait)
	}
	return err
}
