//go:build cgo

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/hiredis/redis"
	"github.com/goevlib/ev/examples/hiredis/server"
)

// tour is the program. It belongs to the loop.
type tour struct {
	loop    *ev.Loop
	out     io.Writer
	server  *server.Server
	client  *redis.Client
	options redis.Options
	n       int
	again   func() // called at the next connection
	err     error  // the first
}

func visit(out io.Writer, s *server.Server, n int) error {
	loop, err := ev.New(ev.WithName("hiredis"))
	if err != nil {
		return err
	}
	defer loop.Close()
	t := &tour{loop: loop, out: out, server: s, n: n}
	t.options = redis.Options{Address: s.Address, ConnectTimeout: 30 * time.Second}
	o := t.options
	o.Changed = t.changed
	if t.client, err = redis.NewClient(loop, o); err != nil {
		return err
	}
	fmt.Fprintf(out, "hiredis %s, redis-server %s.\n", redis.Version(), s.Version)
	for _, part := range []func(){t.pipeline, t.messages, t.kill} {
		part()
		if err := loop.Run(context.Background()); err != nil {
			return err
		}
		if t.err != nil {
			return t.err
		}
	}
	return nil
}

func (t *tour) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.loop.Stop()
}

// do sends a command whose reply must be want.
func (t *tour) do(want any, done func(), args ...string) {
	err := t.client.Do(func(reply any, err error) {
		switch {
		case err != nil:
			t.fail(fmt.Errorf("%q: %w", args, err))
		case reply != want:
			t.fail(fmt.Errorf("%q: %v came, not %v", args, reply, want))
		default:
			done()
		}
	}, args...)
	if err != nil {
		t.fail(err)
	}
}

// pipeline gives all commands to hiredis before the first reply comes.
func (t *tour) pipeline() {
	calls, replies := t.client.Calls(), 0
	count := func() {
		if replies++; replies == 2*t.n {
			fmt.Fprintf(t.out, "pipeline: %d commands at once, %d right replies, %.3f calls of C for each, none of Go.\n",
				2*t.n, replies, float64(t.client.Calls()-calls)/float64(replies))
		}
	}
	for i := range t.n {
		key := strconv.Itoa(i)
		t.do("OK", count, "SET", key, "value "+key)
		t.do("value "+key, count, "GET", key)
	}
}

// messages publishes as many messages as commands, and receives them in their order.
func (t *tour) messages() {
	s, err := redis.NewSubscriber(t.loop, t.options)
	if err != nil {
		t.fail(err)
		return
	}
	got := 0
	publish := func() {
		for i := range t.n {
			t.do(int64(1), func() {}, "PUBLISH", "news", strconv.Itoa(i))
		}
	}
	err = s.Subscribe("news", publish, func(payload string) {
		if payload != strconv.Itoa(got) {
			t.fail(fmt.Errorf("message %q came, not %d", payload, got))
		}
		if got++; got == t.n {
			fmt.Fprintf(t.out, "messages: %d came, in their order.\n", got)
			s.Close() // and Run returns
		}
	})
	if err != nil {
		t.fail(err)
	}
}

// kill kills the server when it has a command that it does not answer, and starts another.
func (t *tour) kill() {
	t.loop.Ref() // until the new server has answered
	t.again = func() {
		t.do(int64(0), func() {
			fmt.Fprintln(t.out, "connected again: the new server has no keys.")
			t.loop.Unref()
		}, "DBSIZE")
	}
	err := t.client.Do(func(_ any, err error) {
		fmt.Fprintf(t.out, "killed: BLPOP got %q.\n", err)
	}, "BLPOP", "empty", "0")
	if err != nil {
		t.fail(err)
		return
	}
	ev.Go(t.loop, func() (struct{}, error) {
		if err := t.server.Kill(); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.server.Restart()
	}, func(_ struct{}, err error) {
		if err != nil {
			t.fail(err)
		}
	})
}

func (t *tour) changed(err error) {
	if err == nil && t.again != nil {
		t.again()
	}
}
