package ev

import (
	"errors"
	"sync"
)

// ErrFull is what Queue.Send answers when the queue has its limit of items.
var ErrFull = errors.New("ev: queue full")

// Queue carries values to the loop: an Async and a slice, put together right.
// Any goroutine sends; the callback gets everything that has come since the last
// one, as one batch. There is no callback per item and, once the two slices have
// grown, no allocation. Invoke and Feed deliver what waits, with an empty batch if
// that is nothing, unless the event is AsyncEvent: then there is no callback.
type Queue[T any] struct {
	_ noCopy
	request
	watcher
	limit  int
	fn     func(q *Queue[T], batch []T)
	listed bool // in Loop.queues
	items  inbox[T]
}

// NewQueue makes a Queue that holds up to limit items not yet given to fn; 0 is
// no limit. fn must not keep batch after it returns. A batch handed to an fn that
// panics counts as delivered. It panics when l or fn is nil or limit is
// negative.
func NewQueue[T any](l *Loop, limit int, fn func(q *Queue[T], batch []T), opts ...Option) *Queue[T] {
	if limit < 0 {
		panic("ev: NewQueue: negative limit")
	}
	q := &Queue[T]{limit: limit, fn: fn}
	q.watcher.init("NewQueue", q, l, fn == nil, opts)
	q.request.init(&q.watcher, AsyncEvent)
	return q
}

// Start activates the queue and asks for a callback if items wait already. It
// has no effect on an active queue or a closed loop.
func (q *Queue[T]) Start() {
	q.own("Start")
	if !q.begin() {
		return
	}
	q.loop.requests.activate(&q.request)
	// After activate: a Send before it may have asked in vain, one after it
	// asks for itself.
	if q.items.waiting() {
		q.send(q.loop)
	}
}

// Send adds v to the next batch. Any goroutine may call it; it never waits for
// the loop. The order of one sender's items is kept. Items sent while the queue
// is stopped, or nobody runs the loop, wait; Loop.Close drops them. It returns
// ErrFull when the limit is reached, or ErrClosed after Loop.Close; v is not taken
// then. Between a Send and a Post there is no order; a function on the loop that
// must come after all that was sent before, such as the last one of a shutdown,
// calls Invoke(AsyncEvent), which delivers what waits.
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
	b := &q.items
	b.mu.Lock()
	defer b.mu.Unlock()
	if q.loop.isClosed() {
		return ErrClosed
	}
	if q.limit > 0 && len(b.in) >= q.limit {
		return ErrFull
	}
	b.in = append(b.in, v)
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (q *Queue[T]) SetCallback(fn func(q *Queue[T], batch []T)) {
	q.own("SetCallback")
	q.checkCallback(fn == nil)
	q.fn = fn
}

// call delivers a batch. A request finds the queue empty when the batch before
// it took the items already; the user is not bothered with that, but is with an
// event that was fed.
func (q *Queue[T]) call() {
	if q.loop.freed { // items that came while it was stopped, so that onStop did not drop them
		q.items.drop()
	}
	batch := q.items.take()
	if len(batch) > 0 || q.events != AsyncEvent {
		q.fn(q, batch)
	}
	q.items.recycle(batch)
	if !q.listed && q.items.isLarge() {
		q.listed = true
		q.loop.queues = append(q.loop.queues, q)
	}
}

// shrink is the loop's look at a Queue that is listed.
func (q *Queue[T]) shrink() (more bool) {
	more = q.items.shrink()
	q.listed = q.items.isLarge()
	return more
}

func (q *Queue[T]) isLarge() bool { return q.listed }
func (q *Queue[T]) drop()         { q.items.drop() }

func (q *Queue[T]) callback() any { return q.fn }

func (q *Queue[T]) onStop() {
	q.loop.requests.deactivate(&q.request)
	if q.loop.isClosed() {
		q.items.drop()
	}
}

// inbox is a lock and two slices: senders fill one while the loop delivers the
// other, then the two change places.
type inbox[T any] struct {
	mu    sync.Mutex
	in    []T // guarded by mu
	spare []T // the loop goroutine's: the batch before the last, to be filled again

	// The loop goroutine's.
	room int // of the larger one, as far as it was seen
	most int // the largest batch since the last look, or what is remembered of before
}

func (b *inbox[T]) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.in) > 0
}

// take returns what has come, as the loop's. The spare is filled next: there is
// none until recycle, and a nested Run may take again before that.
func (b *inbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.in
	b.in, b.spare = b.spare, nil
	return batch
}

// recycle empties a batch that was delivered, to be filled again.
func (b *inbox[T]) recycle(batch []T) {
	b.room, b.most = max(b.room, cap(batch)), max(b.most, len(batch))
	clear(batch)
	b.spare = batch[:0]
}

func (b *inbox[T]) isLarge() bool { return large[T](b.room) }

// shrink lets go of what is much larger than the batches. It reports whether
// there is more to be let go of if no batch comes.
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
