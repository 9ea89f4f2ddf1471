package ev

import (
	"math/bits"

	"go.uber.org/atomic"
)

// Priorities of watchers, as libev's EV_MINPRI and EV_MAXPRI. Higher priorities run first. A
// priority outside the range is clamped to it.
const (
	MinPriority = -2
	MaxPriority = 2
)

const levels = MaxPriority - MinPriority + 1

// pending holds the callbacks that are due: one FIFO per priority.
//
// Sources only mark. pass is the one place that calls user code.
type pending struct {
	queues [levels]fifo
	filled uint8  // bit i is set when queues[i] holds an entry, cleared slots included
	count  int    // entries that are not cleared
	posts  int    // entries that are jobs
	calls  uint64 // callbacks made, ever
	shrunk uint64 // calls at the last shrink
	recent int    // calls between two shrinks, a fading maximum

	gaps [levels]uint32 // cleared slots in each queue
}

// entry is one callback to make: a watcher's, or a posted job. The zero entry is a slot whose
// watcher was cleared.
type entry struct {
	w   *watcher
	job job
}

// job is a function that was passed to Post, Call or Go.
type job interface {
	run()
	source() any  // the user's func, for its source position
	kind() string // "Post", "Call" or "Go"
}

func (e entry) cleared() bool { return e.w == nil && e.job == nil }

func (e entry) call() {
	if e.w == nil {
		e.job.run()
		return
	}
	e.w.run(e.w.takeEvents())
}

// take makes the watcher not pending, and returns the events of the call.
func (e entry) take() Events {
	if e.w == nil {
		return None
	}
	return e.w.takeEvents()
}

func (e entry) callWith(events Events) {
	if e.w == nil {
		e.job.run()
		return
	}
	e.w.run(events)
}

// mark makes w pending. If it is pending already, mark adds the events, and its place in the
// queue does not change.
func (p *pending) mark(w *watcher, events Events) {
	if w.pending {
		w.received |= events
		return
	}
	w.pending = true
	w.received = events
	w.slot = p.push(w.priority, entry{w: w})
}

// markFirst is mark at the head of the queue. A watcher that is pending already moves there.
func (p *pending) markFirst(w *watcher, events Events) {
	events |= p.clear(w)
	w.pending = true
	w.received = events
	w.slot = p.pushFront(w.priority, entry{w: w})
}

func (p *pending) pushFront(priority int8, e entry) uint32 {
	level := int(priority) - MinPriority
	p.filled |= 1 << level
	p.count++
	return p.queues[level].pushFront(e)
}

// putBack undoes a pop and a take: e is the first of its priority again.
func (p *pending) putBack(e entry, events Events) {
	p.calls--
	if e.w != nil {
		p.markFirst(e.w, events)
		return
	}
	p.pushFront(0, e)
	p.posts++
}

// has reports whether a callback is pending at this level.
func (p *pending) has(level int) bool { return p.filled&(1<<level) != 0 && p.skipCleared(level) }

// skipCleared drops the cleared slots at the head, and reports whether there are others.
func (p *pending) skipCleared(level int) bool {
	q := &p.queues[level]
	for !q.empty() && q.ring[q.head&q.mask()].cleared() {
		q.head++
		p.gaps[level]--
	}
	if q.empty() {
		p.filled &^= 1 << level
	}
	return !q.empty()
}

// post queues a job at priority 0.
func (p *pending) post(j job) {
	p.push(0, entry{job: j})
	p.posts++
}

func (p *pending) push(priority int8, e entry) uint32 {
	level := int(priority) - MinPriority
	p.filled |= 1 << level
	p.count++
	return p.queues[level].push(e)
}

// fewGaps is the number of cleared slots that a queue of any length may have.
const fewGaps = 32

// clear makes w not pending, and returns the events that it was pending with. The slot stays
// behind, empty, until most slots are empty. So clearing costs O(1) on average, and feeding and
// clearing without end does not make the ring grow.
func (p *pending) clear(w *watcher) Events {
	if !w.pending {
		return None
	}
	level := int(w.priority) - MinPriority
	q, gaps := &p.queues[level], &p.gaps[level]
	q.erase(w.slot)
	if w.slot == q.tail-1 {
		q.tail--
	} else if *gaps++; *gaps > fewGaps && *gaps > (q.tail-q.head)/2 {
		q.compact()
		*gaps = 0
	}
	if q.empty() {
		p.filled &^= 1 << level
	}
	p.count--
	return w.takeEvents()
}

// pop removes the entry to call next: the oldest of the highest priority.
func (p *pending) pop() (entry, bool) {
	for p.filled != 0 {
		level := bits.Len8(p.filled) - 1
		q := &p.queues[level]
		e := q.pop()
		if q.empty() {
			p.filled &^= 1 << level
		}
		switch {
		case e.w != nil:
			p.count--
			return e, true
		case e.job != nil:
			p.count--
			p.posts--
			return e, true
		}
		p.gaps[level]--
	}
	return entry{}, false
}

// drop removes all entries without calling them.
func (p *pending) drop() {
	for {
		e, ok := p.pop()
		if !ok {
			return
		}
		if e.w != nil {
			e.w.takeEvents()
		}
	}
}

// pass calls the pending callbacks until none is left or the loop is closed. It looks for the
// highest priority anew before each call: if a callback feeds a watcher of a higher priority than
// its peers, that watcher runs before them.
//
// An entry is out of the queue before its callback begins. A callback that panics or calls
// runtime.Goexit therefore leaves the rest pending, for the next pass.
//
// If guard is not nil, guard makes each call instead of pass. It does the work around a callback,
// such as observers and recovery, which costs nothing without it.
func (p *pending) pass(closed *atomic.Uint32, guard func(entry)) {
	for closed.Load() == 0 {
		e, ok := p.pop()
		if !ok {
			return
		}
		p.calls++
		switch {
		case guard != nil:
			guard(e)
		case e.w == nil:
			e.job.run()
		default: // e.call, which the compiler does not inline
			e.w.run(e.w.takeEvents())
		}
	}
}

// shrink frees rings that a burst has made much larger than necessary. It is called now and then.
// It reports whether it could free more the next time, if nothing happens until then.
func (p *pending) shrink() (more bool) {
	p.recent = max(int(p.calls-p.shrunk), fade(p.recent))
	p.shrunk = p.calls
	for i := range p.queues {
		q := &p.queues[i]
		if !large[entry](len(q.ring)) {
			continue
		}
		held := int(q.tail - q.head)
		switch used := held + p.recent; {
		case !oversized[entry](len(q.ring), used):
		case held == 0:
			q.ring = nil
		default:
			q.resize(1 << bits.Len(uint(used))) // more than used
		}
		more = more || oversized[entry](len(q.ring), held)
	}
	return more
}

// fifo is a ring that grows. Positions are absolute, so that a watcher's own stays valid when the
// ring grows. They may wrap.
type fifo struct {
	ring       []entry // its length is a power of two, or zero
	head, tail uint32
}

func (q *fifo) empty() bool { return q.head == q.tail }

func (q *fifo) push(e entry) uint32 {
	if int(q.tail-q.head) == len(q.ring) {
		q.grow()
	}
	at := q.tail
	q.ring[at&q.mask()] = e
	q.tail++
	return at
}

func (q *fifo) pushFront(e entry) uint32 {
	if int(q.tail-q.head) == len(q.ring) {
		q.grow()
	}
	q.head--
	q.ring[q.head&q.mask()] = e
	return q.head
}

func (q *fifo) pop() entry {
	at := &q.ring[q.head&q.mask()]
	e := *at
	*at = entry{}
	q.head++
	return e
}

func (q *fifo) erase(at uint32) { q.ring[at&q.mask()] = entry{} }

// count returns the number of entries that are not cleared.
func (q *fifo) count() int {
	n := 0
	for at := q.head; at != q.tail; at++ {
		if !q.ring[at&q.mask()].cleared() {
			n++
		}
	}
	return n
}

func (q *fifo) mask() uint32 { return uint32(len(q.ring) - 1) }

func (q *fifo) grow() { q.resize(max(8, 2*len(q.ring))) }

// resize requires that the length is a power of two and enough for the entries.
func (q *fifo) resize(length int) {
	old := *q
	q.ring = make([]entry, length)
	for at := old.head; at != old.tail; at++ {
		q.ring[at&q.mask()] = old.ring[at&old.mask()]
	}
}

// compact removes the gaps that erase has left. The entries behind a gap get new positions.
func (q *fifo) compact() {
	to := q.head
	for at := q.head; at != q.tail; at++ {
		e := q.ring[at&q.mask()]
		if e.cleared() {
			continue
		}
		q.ring[at&q.mask()] = entry{}
		q.ring[to&q.mask()] = e
		if e.w != nil {
			e.w.slot = to
		}
		to++
	}
	q.tail = to
}
