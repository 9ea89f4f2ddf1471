package ev

import "sync"

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
