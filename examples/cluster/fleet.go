package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

type fleetOptions struct{ processes, goroutines, counts int }

func parseFleet(args []string) (o fleetOptions, err error) {
	f := flag.NewFlagSet("cluster", flag.ContinueOnError)
	f.IntVar(&o.processes, "senders", 4, "how many `processes` count")
	f.IntVar(&o.goroutines, "goroutines", 8, "how many `goroutines` count in each")
	f.IntVar(&o.counts, "counts", 5000, "how `far` each process counts")
	if err := parse(f, args); err != nil {
		return o, err
	}
	switch {
	case o.processes <= 0:
		return o, fmt.Errorf("-senders must be positive: %d", o.processes)
	case o.goroutines <= 0:
		return o, fmt.Errorf("-goroutines must be positive: %d", o.goroutines)
	case o.counts <= 0:
		return o, fmt.Errorf("-counts must be positive: %d", o.counts)
	}
	return o, nil
}

// patience bounds the whole run, so that a missing wake-up is an error and not
// a slow one.
const patience = 2 * time.Minute

// fleet is all processes of a run, seen from the process that started them.
type fleet struct {
	fleetOptions
	ctx     context.Context
	out     io.Writer
	started []*process
	store   storeClient
	address string // of the server, each time
	server  *process
	owner   *process
	senders []*process
	known   atomic.Int64 // the owner's count in its last report
	account chan report  // its last report
}

// runFleet starts all processes. Its steps depend on their progress, not on
// time.
func runFleet(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseFleet(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := &fleet{fleetOptions: o, ctx: ctx, out: out, account: make(chan report, 1)}
	defer f.killAll()
	all := o.processes * o.counts
	for _, step := range []func() error{
		f.start,
		func() error { return f.outage(all/4, all/2) },
		func() error { return f.outage(all*3/4, all) },
		f.finish,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) spawn(role string, args ...string) (*process, error) {
	p, err := spawn(role, args...)
	if err == nil {
		f.started = append(f.started, p)
	}
	return p, err
}

func (f *fleet) killAll() {
	for _, p := range f.started {
		p.kill()
	}
}

func (f *fleet) start() error {
	store, err := f.spawn("store")
	if err != nil {
		return err
	}
	ready, err := store.next()
	if err != nil {
		return err
	}
	f.store = newStoreClient(ready.URL, 1)
	if f.address, err = freeAddress(); err != nil {
		return err
	}
	if err := f.serve(); err != nil {
		return err
	}
	// With so long an interval the owner never reads by itself. Lost messages must be
	// made good by the steps shown here.
	if f.owner, err = f.spawn("owner", "-store", f.store.url, "-nats", f.url(), "-every", "1h"); err != nil {
		return err
	}
	if _, err := f.owner.next(); err != nil {
		return err
	}
	go f.listen()
	for i := range f.processes {
		s, err := f.spawn("sender", "-store", f.store.url, "-nats", f.url(), "-name", senderName(i),
			"-counts", strconv.Itoa(f.counts), "-goroutines", strconv.Itoa(f.goroutines))
		if err != nil {
			return err
		}
		f.senders = append(f.senders, s)
	}
	return f.tell("a store, a server, an owner and %d senders, which count to %d each, are running", f.processes, f.counts)
}

func (f *fleet) url() string { return "nats://" + f.address }

func senderName(i int) string { return "sender-" + strconv.Itoa(i+1) }

func (f *fleet) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(f.out, format+"\n", args...)
	return err
}

func (f *fleet) serve() (err error) {
	if f.server, err = f.spawn("server", "-listen", f.address); err != nil {
		return err
	}
	_, err = f.server.next()
	return err
}

// listen takes all reports of the owner, up to its last.
func (f *fleet) listen() {
	defer close(f.account)
	for {
		r, err := f.owner.next()
		if err != nil {
			return
		}
		f.known.Store(int64(r.Counters.total()))
		if r.Wakeups != nil {
			f.account <- r
			return
		}
	}
}

// outage kills the server when from is counted, and starts another when to is
// counted. The owner gets no messages about the counts between.
func (f *fleet) outage(from, to int) error {
	counted, err := f.counted(from)
	if err != nil {
		return err
	}
	f.server.kill()
	if err := f.tell("%6d counted: the server is killed", counted); err != nil {
		return err
	}
	if counted, err = f.counted(to); err != nil {
		return err
	}
	if err := f.tell("%6d counted: the owner knows of %d; the server is started again", counted, f.known.Load()); err != nil {
		return err
	}
	return f.serve()
}

// counted waits until n are counted.
func (f *fleet) counted(n int) (int, error) {
	for {
		all, err := f.store.read(f.ctx)
		if err != nil {
			return 0, err
		}
		if all.total() >= n {
			return all.total(), nil
		}
		time.Sleep(time.Millisecond)
	}
}

// finish waits for the senders and then for the owner, and compares.
func (f *fleet) finish() error {
	sends, messages, err := f.sent()
	if err != nil {
		return err
	}
	for all := int64(f.processes * f.counts); f.known.Load() != all; time.Sleep(time.Millisecond) {
		if f.ctx.Err() != nil {
			return fmt.Errorf("the owner knows of %d, not of %d: %w", f.known.Load(), all, f.ctx.Err())
		}
	}
	f.owner.stdin.Close()
	end, ok := <-f.account
	if !ok {
		return errors.New("owner: ended without an account")
	}
	for _, p := range []*process{f.owner, f.server, f.started[0]} {
		if err := p.finish(); err != nil {
			return err
		}
	}
	for i := range f.processes {
		if end.Counters[senderName(i)] != f.counts {
			return fmt.Errorf("the owner ends with %v, not %d each", end.Counters, f.counts)
		}
	}
	return f.print(sends, messages, end)
}

// sent waits for the senders. It returns the numbers of their sends and of
// their messages.
func (f *fleet) sent() (sends int, messages uint64, err error) {
	for _, s := range f.senders {
		done, err := s.next()
		if err != nil {
			return 0, 0, err
		}
		if err := s.finish(); err != nil {
			return 0, 0, err
		}
		sends += done.Sends
		messages += done.Messages
	}
	return sends, messages, nil
}

func (f *fleet) print(sends int, messages uint64, end report) error {
	return f.tell(`%6d counted: the owner knows of all

%6d sends, in %d processes of %d goroutines
%6d messages published
%6d messages that came to the owner; it woke itself %d times beside
%6d callbacks
%6d reads of the state`,
		end.Counters.total(), sends, f.processes, f.goroutines, messages,
		end.Wakeups.Messages, end.Wakeups.Confirmed+end.Wakeups.Looks, end.Wakeups.Callbacks, end.Reads)
}

// freeAddress finds an address for a server that stops and returns. The port
// must not be in the range that systems give to clients. While the server is
// away, a client that dials it again and again may be given that very port, and
// reach itself.
func freeAddress() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+rand.IntN(20000)))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port from 10000 to 30000")
}
