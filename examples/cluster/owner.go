package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/cluster/wake"
)

// name is the name of the owner's Async.
const name = "counters"

// runOwner keeps the counters until ctx is done. It reports them when they have
// changed.
func runOwner(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("cluster owner", flag.ContinueOnError)
	store := f.String("store", "http://127.0.0.1:8080", "the `URL` of the store")
	servers := f.String("nats", "nats://127.0.0.1:4222", "the `URL` of the NATS server")
	every := f.Duration("every", time.Minute, "read the state if there was no wake-up for this `time`")
	if err := parse(f, args); err != nil {
		return err
	}
	loop, err := ev.New(ev.WithName("owner"))
	if err != nil {
		return err
	}
	defer loop.Close()
	conn, err := wake.Connect(*servers, nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer conn.Close()
	o := newOwner(ctx, loop, newStoreClient(*store, 1), out)
	if o.woken, err = conn.Listen(loop, name, *every, func(*wake.Async) { o.read() }); err != nil {
		return err
	}
	if err := loop.Run(ctx); !errors.Is(err, context.Canceled) {
		return errors.Join(err, o.failed)
	}
	stats := o.woken.Stats()
	return say(out, report{Wakeups: &stats, Reads: o.reads, Counters: o.state})
}

// owner belongs to its loop. It reads off the loop, once at a time. If the
// owner is woken meanwhile, it reads once more.
type owner struct {
	ctx     context.Context
	loop    *ev.Loop
	store   storeClient
	out     io.Writer
	woken   *wake.Async
	retry   *ev.Timer
	state   counters
	reads   int
	reading bool
	again   bool // the read in progress may be too old
	failed  error
}

func newOwner(ctx context.Context, loop *ev.Loop, store storeClient, out io.Writer) *owner {
	o := &owner{ctx: ctx, loop: loop, store: store, out: out}
	o.retry = ev.NewTimer(loop, time.Second, 0, func(*ev.Timer) { o.read() })
	return o
}

func (o *owner) read() {
	if o.reading {
		o.again = true
		return
	}
	o.reading, o.again = true, false
	o.reads++
	ev.Go(o.loop, func() (counters, error) { return o.store.read(o.ctx) }, o.took)
}

func (o *owner) took(state counters, err error) {
	o.reading = false
	switch {
	case o.ctx.Err() != nil:
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster: owner:", err)
		o.retry.Start()
	default:
		o.state = state
		o.tell()
	}
	if o.again {
		o.read()
	}
}

// tell reports the counters. It stops the loop if the report cannot be written.
func (o *owner) tell() {
	if o.failed = say(o.out, report{Counters: o.state}); o.failed != nil {
		o.loop.Stop()
	}
}
