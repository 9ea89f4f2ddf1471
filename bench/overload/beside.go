package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// share keeps the counter of a sender off the cache lines of the others.
type share struct {
	n int64
	_ [56]byte
}

// toNobody measures the cost of the senders alone.
func toNobody() (func(int), func(int64) (int64, error), error) {
	var sent [senders]share
	return func(s int) { sent[s].n++ }, func(int64) (int64, error) { return 0, nil }, nil
}

// counted is an Async with the number of sends that its callback has seen.
type counted struct {
	async *ev.Async
	sent  atomic.Int64 // counted before the Send
	seen  int64        // the loop's: the value of sent in the last callback
}

// toAsyncs makes the senders send to the Asyncs of one loop in turn.
func toAsyncs(n int) func() (func(int), func(int64) (int64, error), error) {
	return func() (func(int), func(int64) (int64, error), error) {
		l, err := ev.New()
		if err != nil {
			return nil, nil, err
		}
		callbacks := int64(0) // the loop's
		all := make([]*counted, n)
		for i := range all {
			c := new(counted)
			c.async = ev.NewAsync(l, func(*ev.Async) {
				callbacks++
				c.seen = c.sent.Load()
			})
			c.async.Start()
			all[i] = c
		}
		ran := make(chan error, 1)
		go func() { ran <- l.Run(context.Background()) }()
		var next [senders]share
		send := func(s int) {
			c := all[(int(next[s].n)*senders+s)%n]
			next[s].n++
			c.sent.Add(1)
			c.async.Send()
		}
		end := func(sends int64) (int64, error) {
			err := answered(l, all)
			if err := errors.Join(err, l.Close()); err != nil {
				return 0, err
			}
			if err := <-ran; !errors.Is(err, ev.ErrClosed) {
				return 0, fmt.Errorf("the loop ended with %v", err)
			}
			if callbacks > sends {
				return 0, fmt.Errorf("%d callbacks of %d sends", callbacks, sends)
			}
			return callbacks, nil
		}
		return send, end, nil
	}
}

// answered waits until each Async's last send was followed by a callback.
func answered(l *ev.Loop, all []*counted) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	for {
		owed, err := ev.Call(ctx, l, func() (owed int, err error) {
			for _, c := range all {
				if c.seen != c.sent.Load() {
					owed++
				}
			}
			return owed, nil
		})
		if err != nil {
			return fmt.Errorf("the last send to %d Asyncs is not answered: %w", owed, err)
		}
		if owed == 0 {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

func toChannel() (func(int), func(int64) (int64, error), error) {
	values, ended, received := make(chan int, 1024), make(chan struct{}), int64(0)
	go func() {
		defer close(ended)
		for range values {
			received++
		}
	}()
	end := func(sends int64) (int64, error) {
		close(values)
		<-ended
		if received != sends {
			return 0, fmt.Errorf("%d values of %d came", received, sends)
		}
		return received, nil
	}
	return func(s int) { values <- s }, end, nil
}
