package main

import (
	"fmt"
	"sync/atomic"

	"github.com/goevlib/ev"
)

// counted is an Async that checks three promises: a callback follows every send, there
// are not more callbacks than sends, and at most one in an iteration.
type counted struct {
	*ev.Async
	room *room
	sent atomic.Int64 // counted before the send
	seen int64        // the value of sent in the last callback
	took int64        // callbacks
	last uint64       // iteration of the last callback
}

func newCounted(r *room, l *ev.Loop) *counted {
	c := &counted{room: r}
	c.Async = ev.NewAsync(l, c.call, ev.Priority(ev.MinPriority+r.rng.IntN(5)))
	c.Start()
	return c
}

// send sends, by Send or in another way. It is safe for concurrent use.
func (c *counted) send(send func()) {
	c.sent.Add(1)
	c.room.tally.sends.Add(1)
	send()
}

func (c *counted) call(*ev.Async) {
	c.seen = c.sent.Load()
	c.took++
	if c.took > c.seen {
		c.room.fault("Async: %d callbacks of %d sends", c.took, c.seen)
	}
	if now := c.Loop().Iteration(); now == c.last {
		c.room.fault("Async: two callbacks in iteration %d", now)
	} else {
		c.last = now
	}
	if !c.Active() {
		c.room.fault("Async: called after Stop")
	}
}

// toggle stops the watcher or starts it. A stop may forget a send, so the start
// sends again.
func (c *counted) toggle() {
	if c.Active() {
		c.Stop()
		return
	}
	c.Start()
	c.send(c.Send)
}

func (c *counted) owed() error {
	if !c.Active() {
		c.toggle()
	}
	if sent := c.sent.Load(); c.seen != sent {
		return fmt.Errorf("%d sends, and the last callback was for %d of them", sent, c.seen)
	}
	return nil
}
