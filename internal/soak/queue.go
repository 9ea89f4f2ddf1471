package main

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/goevlib/ev"
)

// numbered is the n-th item of a pusher.
type numbered struct {
	pusher int
	n      int64
}

// belt is a Queue that checks that no item is lost, doubled or out of order.
type belt struct {
	*ev.Queue[numbered]
	room *room
	sent [pushers]atomic.Int64 // each is written by its pusher only
	got  [pushers]int64        // used on the loop's goroutine
}

func newBelt(r *room, limit int) *belt {
	b := &belt{room: r}
	b.Queue = ev.NewQueue(r.loop, limit, b.call)
	b.Start()
	return b
}

func (b *belt) call(_ *ev.Queue[numbered], batch []numbered) {
	for _, item := range batch {
		if want := b.got[item.pusher] + 1; item.n != want {
			b.room.fault("Queue: item %d of sender %d came where %d was due", item.n, item.pusher, want)
		}
		b.got[item.pusher] = item.n
	}
}

func (b *belt) send(p *pusher) {
	b.room.tally.sends.Add(1)
	n := b.sent[p.id].Load() + 1
	err := b.Send(numbered{p.id, n})
	if errors.Is(err, ev.ErrFull) || b.room.refused(err) {
		return
	}
	b.sent[p.id].Store(n)
}

// toggle stops or starts the Queue. Items sent while it is stopped wait.
func (b *belt) toggle() {
	if b.Active() {
		b.Stop()
	} else {
		b.Start()
	}
}

func (b *belt) owed() error {
	b.Start()
	for p := range pushers {
		if sent := b.sent[p].Load(); b.got[p] != sent {
			return fmt.Errorf("sender %d sent %d items, and %d came", p, sent, b.got[p])
		}
	}
	return nil
}

// newQueues makes a Queue without a limit and one that is often full.
func newQueues(r *room) (*kind, error) {
	belts := [...]*belt{newBelt(r, 0), newBelt(r, 32)}
	return &kind{
		name:   "Queue",
		load:   func(p *pusher) { belts[p.rng.IntN(len(belts))].send(p) },
		turn:   func() { belts[r.rng.IntN(len(belts))].toggle() },
		settle: func() error { return errors.Join(belts[0].owed(), belts[1].owed()) },
	}, nil
}
