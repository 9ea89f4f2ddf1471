package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// did is the work of a contestant beside the server.
type did struct {
	Sends, Callbacks int64
	Seconds          float64
}

// contestant is the work beside the server. open returns two functions. Each
// sender calls the first, with its number, to send. The second waits until
// every send has been answered, checks that, and returns the number of
// callbacks.
type contestant struct {
	name string
	open func() (send func(sender int), end func(sends int64) (callbacks int64, err error), err error)
}

var contestants = []contestant{
	{"nothing", nil},
	{"senders that send to nobody", toNobody},
	{"ev, 1024 Asyncs", toAsyncs(1024)},
	{"ev, one Async", toAsyncs(1)},
	{"a channel of 1024, ranged over", toChannel},
}

// serve is the main function of a contestant's process. It returns when in
// ends.
func serve(name string, in io.Reader, out io.Writer) error {
	for _, c := range contestants {
		if c.name == name {
			return c.serve(in, out)
		}
	}
	return fmt.Errorf("there is no contestant %q", name)
}

func (c contestant) serve(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "done\n")
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Fprintln(out, l.Addr())

	d, err := c.beside(func() { _, _ = io.Copy(io.Discard, in) })
	if err := errors.Join(err, server.Shutdown(context.Background())); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return json.NewEncoder(out).Encode(d)
}

const (
	senders  = 4
	sendRate = 1_000_000 // per second, of all senders together
)

// beside runs the senders until wait returns.
func (c contestant) beside(wait func()) (d did, err error) {
	began := time.Now()
	if c.open == nil {
		wait()
		return did{Seconds: time.Since(began).Seconds()}, nil
	}
	send, end, err := c.open()
	if err != nil {
		return d, err
	}
	var stop atomic.Bool
	var sends atomic.Int64
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() { sends.Add(pace(&stop, func() { send(s) })) })
	}
	wait()
	stop.Store(true)
	sending.Wait()
	d.Sends, d.Seconds = sends.Load(), time.Since(began).Seconds()
	d.Callbacks, err = end(d.Sends)
	return d, err
}

// pace sends a sender's share of the rate, in bursts of about a millisecond. A
// burst that was late is made up for, so that the mean is the rate.
func pace(stop *atomic.Bool, send func()) (sent int64) {
	for began := time.Now(); !stop.Load(); time.Sleep(time.Millisecond) {
		due := int64(time.Since(began).Seconds() * sendRate / senders)
		for ; sent < due; sent++ {
			send()
		}
	}
	return sent
}
