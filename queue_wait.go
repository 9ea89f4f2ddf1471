package ev

import (
	"context"
	"time"

	"github.com/goevlib/ev/internal/goroutine"
)

// This file is Queue.SendWait: senders that wait for room in a queue that is full.
//
// The loop makes room when it takes a batch, and moves the items of the senders that have waited
// longest into that room, with the same lock held. So
//
//	while a sender waits, the queue holds its limit, or the loop is closed.
//
// A Send finds such a queue full. So it needs no check for senders that wait, and does not overtake
// them. No room is lost, because a sender is not woken to try again, but when its item is in the
// queue. There is no request for such items, so the loop makes one before it wakes their senders.
// If the queue is stopped, Start makes it, as for all items.
//
// A sender leaves the line once, with the lock held: the loop takes it out, or its own goroutine
// does, because the context is done or the loop is closed. If the loop was first, SendWait returns
// nil: the item is in the queue.

// sender is a SendWait that waits.
type sender[T any] struct {
	v          T
	waits      bool // it is in the line
	prev, next *sender[T]
	woken      chan struct{} // closed when v is in the queue
}

// SendWait is Send, but waits while the queue is full. Senders that wait are served first come,
// first served, and before each later Send. It is safe for concurrent use, on all goroutines but
// the loop's own, which would wait for itself: there, use Send. A task of another loop calls it in
// Await. While the queue is stopped, or the loop does not run, a full queue stays full.
//
// # Errors
//
//   - If ctx is done, SendWait returns ctx.Err(). v is not queued, even if there is room.
//   - If the loop is closed, SendWait returns ErrClosed. v is not queued.
//   - On the loop's own goroutine, SendWait panics: with EV_DEBUG=1 always, inside Run also
//     without it, as soon as the wait is long.
//
// # Cost
//
// While there is room, SendWait costs as much as Send. A wait allocates, and costs two switches
// between goroutines, as a send to a full channel does.
func (q *Queue[T]) SendWait(ctx context.Context, v T) error {
	l := q.loop
	if l == nil {
		q.misused("SendWait")
	}
	if l.advisor != nil { // EV_DEBUG=1
		q.mustBeOfAnother()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch s, err := q.putOrWait(v); {
	case err != nil:
		return err
	case s != nil:
		return q.wait(ctx, s)
	}
	if q.state.Load()&requested == 0 {
		q.send(l)
	}
	return nil
}

func (q *Queue[T]) mustBeOfAnother() {
	if q.loop.ownerIs(goroutine.ID()) {
		panic("ev: Queue.SendWait on the loop's own goroutine would wait for itself for ever: use Send")
	}
}

// putOrWait puts v into the queue or, if that is full, a sender into the line.
func (q *Queue[T]) putOrWait(v T) (*sender[T], error) {
	q.items.mu.Lock()
	defer q.items.mu.Unlock()
	err := q.add(v)
	if err != ErrFull {
		return nil, err
	}
	s := &sender[T]{v: v, woken: make(chan struct{})}
	q.senders.join(s)
	return s, nil
}

// wait is the wait of a SendWait. To find out whether the goroutine is the loop's own costs
// microseconds, and so it is done when the wait has lasted for a while.
func (q *Queue[T]) wait(ctx context.Context, s *sender[T]) (err error) {
	slow := time.NewTimer(slowAnswer)
	defer slow.Stop()
	defer q.leave(s) // if mustBeOfAnother panics
	for {
		select {
		case <-s.woken:
			return nil
		case <-slow.C:
			q.mustBeOfAnother()
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-q.loop.done:
			err = ErrClosed
		}
		if q.leave(s) {
			return err
		}
		return nil
	}
}

// leave reports whether the sender was still in the line, and so its item is not in the queue.
func (q *Queue[T]) leave(s *sender[T]) bool {
	q.items.mu.Lock()
	defer q.items.mu.Unlock()
	waits := s.waits
	if waits {
		q.senders.remove(s)
	}
	return waits
}

// take returns the items, and lets senders have the room.
func (q *Queue[T]) take() []T {
	batch, moved := q.takeAndMove()
	if moved != nil {
		q.send(q.loop)
	}
	for s := moved; s != nil; s = s.next {
		close(s.woken)
	}
	return batch
}

// takeAndMove returns the items, and the senders whose items are in the queue now, linked by next.
func (q *Queue[T]) takeAndMove() (batch []T, moved *sender[T]) {
	b := &q.items
	b.mu.Lock()
	defer b.mu.Unlock()
	batch = b.swap()
	if q.senders.first == nil || q.loop.isClosed() {
		return batch, nil
	}
	for last := &moved; q.senders.first != nil && len(b.in) < q.limit; last = &(*last).next {
		s := q.senders.first
		q.senders.remove(s)
		b.in = append(b.in, s.v)
		*last = s
	}
	return batch, moved
}

// senders is the line, a ring.
type senders[T any] struct{ first *sender[T] }

func (q *senders[T]) join(s *sender[T]) {
	s.waits = true
	if q.first == nil {
		q.first, s.prev, s.next = s, s, s
		return
	}
	s.prev, s.next = q.first.prev, q.first
	s.prev.next, s.next.prev = s, s
}

func (q *senders[T]) remove(s *sender[T]) {
	if s.next == s {
		q.first = nil
	} else {
		s.prev.next, s.next.prev = s.next, s.prev
		if q.first == s {
			q.first = s.next
		}
	}
	s.waits, s.prev, s.next = false, nil, nil
}
