package ev

import (
	"errors"
	"sync"
)

// ErrFull is returned by Queue.Send and Mailbox.Send if the limit of items is reached.
var ErrFull = errors.New("ev: queue full")

// Queue carries values to the loop: an Async and a slice, combined correctly. Any goroutine may
// send. The callback gets all items that were sent since the last callback, as one batch. There
// is no callback per item and, once the two slices have grown, no allocation.
//
// A queue with a limit protects a loop that cannot keep up. Then Send returns ErrFull at once, and
// SendWait waits until there is room.
//
// Invoke and Feed deliver the queued items. If none are queued, AsyncEvent makes no callback;
// any other event passes an empty batch.
type Queue[T any] struct {
	_ noCopy
	request
	watcher
	limit   int
	fn      func(q *Queue[T], batch []T)
	items   inbox[T]   // in the loop's list while it is large
	senders senders[T] // that wait; guarded by items.mu
}

// NewQueue makes a Queue that holds at most limit items that were not passed to fn yet. 0 means
// no limit. fn must not keep batch after it returns. If fn panics, its batch counts as
// delivered. NewQueue panics if l or fn is nil or limit is negative.
func NewQueue[T any](l *Loop, limit int, fn func(q *Queue[T], batch []T), opts ...Option) *Queue[T] {
	if limit < 0 {
		panic("ev: NewQueue: negative limit")
	}
	q := &Queue[T]{limit: limit, fn: fn}
	q.watcher.init("NewQueue", q, l, fn == nil, opts)
	q.request.init(&q.watcher, AsyncEvent)
	return q
}

// Start activates the queue, and requests a callback if items are queued already. It has no
// effect on an active queue or on a closed loop.
func (q *Queue[T]) Start() {
	q.own("Start")
	if !q.begin() {
		return
	}
	q.loop.requests.activate(&q.request)
	// After activate: a Send before it may have made its request in vain, and a Send after it
	// makes its own.
	if q.items.waiting() {
		q.send(q.loop)
	}
}

// Send adds v to the next batch. It is safe for concurrent use, and never waits for the loop. It
// returns ErrFull if the limit is reached, and ErrClosed after Loop.Close. v is not queued then.
//
// The items of one sender keep their order. Items that are sent while the queue is stopped, or
// while the loop does not run, stay queued; Loop.Close drops them. There is no order between a
// Send and a Post. If a function on the loop must run after the delivery of all items sent
// before it (the last function of a shutdown, for example), call Invoke(AsyncEvent) in it first:
// that delivers them.
func (q *Queue[T]) Send(v T) error {
	if q.loop == nil {
		q.misused("Send")
	}
	if err := q.put(v); err != nil {
		return err
	}
	if q.state.Load()&requested == 0 {
		q.send(q.loop)
	}
	return nil
}

func (q *Queue[T]) put(v T) error {
	q.items.mu.Lock()
	defer q.items.mu.Unlock()
	return q.add(v)
}

// add is put with the lock held.
func (q *Queue[T]) add(v T) error {
	b := &q.items
	if q.loop.isClosed() {
		return ErrClosed
	}
	if q.limit > 0 && len(b.in) >= q.limit {
		return ErrFull
	}
	b.in = append(b.in, v)
	return nil
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (q *Queue[T]) SetCallback(fn func(q *Queue[T], batch []T)) {
	q.own("SetCallback")
	q.checkCallback(fn == nil)
	q.fn = fn
}

// call delivers a batch. A request finds the queue empty if the previous batch has taken its
// items. There is no callback then, unless another event was fed.
func (q *Queue[T]) call() {
	if q.loop.freed { // items that were sent while it was stopped: onStop did not drop them
		q.items.drop()
	}
	batch := q.take()
	if len(batch) > 0 || q.events != AsyncEvent {
		q.fn(q, batch)
	}
	listed := q.items.isLarge()
	q.items.recycle(batch)
	if !listed && q.items.isLarge() {
		q.loop.queues = append(q.loop.queues, q)
	}
}

func (q *Queue[T]) shrink() (more bool) { return q.items.shrink() }
func (q *Queue[T]) isLarge() bool       { return q.items.isLarge() }
func (q *Queue[T]) drop()               { q.items.drop() }

func (q *Queue[T]) callback() any { return q.fn }

func (q *Queue[T]) onStop() {
	q.loop.requests.deactivate(&q.request)
	if q.loop.isClosed() {
		q.items.drop()
	}
}

// inbox is a lock and two slices. Senders fill one while the loop delivers the other. Then the
// two change places.
type inbox[T any] struct {
	mu    sync.Mutex
	in    []T // guarded by mu
	spare []T // the loop goroutine's: the batch before the last, to be filled again

	// The loop goroutine's.
	room int // the largest capacity seen
	most int // the largest batch since the last shrink, and a fading maximum of those before
}

func (b *inbox[T]) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.in) > 0
}

// swap returns the items, which belong to the loop's goroutine then. The spare is filled next.
// There is no spare until recycle, and a nested Run may swap again before that. mu is held.
func (b *inbox[T]) swap() []T {
	batch := b.in
	b.in, b.spare = b.spare, nil
	return batch
}

// recycle empties a delivered batch, to be filled again.
func (b *inbox[T]) recycle(batch []T) {
	b.room, b.most = max(b.room, cap(batch)), max(b.most, len(batch))
	clear(batch)
	b.spare = batch[:0]
}

func (b *inbox[T]) isLarge() bool { return large[T](b.room) }

// shrink frees slices that are much larger than the batches. It reports whether it could free
// more later, if no batch comes.
func (b *inbox[T]) shrink() (more bool) {
	if !b.isLarge() {
		b.most = 0
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	most := max(b.most, len(b.in))
	if oversized[T](cap(b.in), most) {
		b.in = trimmed(b.in, most)
	}
	if oversized[T](cap(b.spare), most) {
		b.spare = nil
	}
	b.room, b.most = max(cap(b.in), cap(b.spare)), fade(most)
	return oversized[T](b.room, len(b.in))
}

func (b *inbox[T]) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.in, b.spare = nil, nil
}
