package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/cluster/wake"
)

type senderOptions struct {
	store, servers, name string
	counts, goroutines   int
}

func parseSender(args []string) (o senderOptions, err error) {
	f := flag.NewFlagSet("cluster sender", flag.ContinueOnError)
	f.StringVar(&o.store, "store", "http://127.0.0.1:8080", "the `URL` of the store")
	f.StringVar(&o.servers, "nats", "nats://127.0.0.1:4222", "the `URL` of the NATS server")
	f.StringVar(&o.name, "name", "sender", "the `name` of the counter")
	f.IntVar(&o.counts, "counts", 1000, "how far to count")
	f.IntVar(&o.goroutines, "goroutines", 8, "how many goroutines count")
	if err := parse(f, args); err != nil {
		return o, err
	}
	switch {
	case o.name == "":
		return o, errors.New("-name must not be empty")
	case o.counts < 0:
		return o, fmt.Errorf("-counts must not be negative: %d", o.counts)
	case o.goroutines <= 0:
		return o, fmt.Errorf("-goroutines must be positive: %d", o.goroutines)
	}
	return o, nil
}

// runSender counts, and wakes the owner after each count. It returns when the
// last wake-up has been answered.
func runSender(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseSender(args)
	if err != nil {
		return err
	}
	loop, err := ev.New(ev.WithName("sender"))
	if err != nil {
		return err
	}
	defer loop.Close()
	conn, err := wake.Connect(o.servers, nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer conn.Close()
	sender, err := conn.NewSender(loop, name)
	if err != nil {
		return err
	}
	var failed error
	ev.Go(loop, func() (struct{}, error) { return struct{}{}, o.count(ctx, sender) }, func(_ struct{}, err error) {
		failed = err
		sender.Close()
	})
	err = loop.Run(ctx)
	if err := errors.Join(err, failed, sender.Err()); err != nil {
		return err
	}
	return say(out, report{Sends: o.counts, Messages: sender.Messages()})
}

// count returns when all goroutines have finished counting.
func (o senderOptions) count(ctx context.Context, sender *wake.Sender) error {
	store := newStoreClient(o.store, o.goroutines)
	failures := make([]error, o.goroutines)
	var all sync.WaitGroup
	for i := range o.goroutines {
		all.Go(func() {
			for n := i; n < o.counts && failures[i] == nil; n += o.goroutines {
				failures[i] = store.count(ctx, url.PathEscape(o.name))
				sender.Send()
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}
