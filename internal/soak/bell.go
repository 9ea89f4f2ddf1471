package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// bell is a loop with one Async. Nothing else wakes it: in a room, timers would hide a
// lost wake-up.
type bell struct {
	room  *room
	async *ev.Async
	rung  chan struct{}
	ran   chan error

	mu   sync.Mutex
	lost bool // guarded by mu: it did not answer
}

func newBells(r *room) (*kind, error) {
	l, err := ev.New(ev.WithBackend(r.backend), ev.WithWakeup(r.mode))
	if err != nil {
		return nil, err
	}
	b := &bell{room: r, rung: make(chan struct{}, 1), ran: make(chan error, 1)}
	b.async = ev.NewAsync(l, func(*ev.Async) { b.rung <- struct{}{} })
	b.async.Start()
	go func() { b.ran <- l.Run(context.Background()) }()
	return &kind{name: "bell", load: b.load, free: b.free}, nil
}

func (b *bell) load(p *pusher) {
	if !b.mu.TryLock() { // one at a time waits for the answer
		return
	}
	defer b.mu.Unlock()
	if b.lost {
		return
	}
	// The loop is about to park, parks, or is parked.
	pause := time.Duration(p.rng.IntN(int(20 * time.Microsecond)))
	for began := time.Now(); time.Since(began) < pause; {
	}
	b.room.tally.sends.Add(1)
	b.async.Send()
	select {
	case <-b.rung:
	case <-time.After(patience):
		b.lost = true
		b.room.fault("a Send to a loop with nothing else to do has no callback after %v", patience)
	}
}

func (b *bell) free() {
	if err := b.async.Loop().Close(); err != nil {
		b.room.fault("Close: %w", err)
	}
	if err := <-b.ran; !errors.Is(err, ev.ErrClosed) {
		b.room.fault("Run of the bell returned %w", err)
	}
}
