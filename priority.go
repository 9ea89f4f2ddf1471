package ev

import (
	"math/bits"

	"go.uber.org/atomic"
)

// Priorities of watchers, as libev's EV_MINPRI and EV_MAXPRI. Higher runs
// first; a priority outside the range is clamped to it.
const (
	MinPriority = -2
	MaxPriority = 2
)

const levels = MaxPriority - MinPriority + 1

// pending is everything whose callback is due: one FIFO per priority.
//
// Sources only mark; pass, at the end of this file, is the one place that
// calls user code.
type pending struct {
	queues [levels]fifo
	filled uint8  // bit i is set when queues[i] holds an entry, cleared slots included
	count  int    // entries that still stand for a callback
	posts  int    // those of them that are jobs
	calls  uint64 // callbacks made, ever
	shrunk uint64 // of which before the last shrink
	recent int    // what shrink remembers of the rest

	gaps [levels]uint32 // cleared slots in each queue
}

// entry is one callback to make: a watcher's or a posted job. The zero entry is
// a slot whose watcher was cleared.
type entry struct {
	w   *watcher
	job job
}

// job is what was posted.
type job interface {
	run()
	source() any  // the user's func, for its source position
	kind() string // by what it was given to the loop
}

func (e entry) cleared() bool { return e.w == nil && e.job == nil }

func (e entry) call() {
	if e.w == nil {
		e.job.run()
		return
	}
	e.w.run(e.w.takeEvents())
}

// take has the watcher not pending any more, and returns the events of the call.
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

// mark makes w pending, or adds events to what it is pending with already; its
// place in the queue does not change then.
func (p *pending) mark(w *watcher, events Events) {
	if w.pending {
		w.received |= events
		return
	}
	w.pending = true
	w.received = events
	w.slot = p.push(w.priority, entry{w: w})
}

// markFirst is mark, at the head of the queue. A watcher that is pending already
// moves there.
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

// has reports whether something is pending at this level.
func (p *pending) has(level int) bool { return p.filled&(1<<level) != 0 && p.skipCleared(level) }

// skipCleared drops the cleared slots that are first, and reports whether there are
// others.
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

// fewGaps is how many cleared slots a queue may have however short it is.
const fewGaps = 32

// clear takes w out again and returns what it was pending with. The slot stays
// behind, empty, until most of the slots are: so clearing costs O(1) on average,
// and to feed and to clear without end does not make the ring grow.
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

// drop forgets everything without calling it.
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

// pass calls what is pending until nothing is left or the loop is closed. It
// looks for the highest priority anew before each call, so that a callback
// which feeds something more urgent than its peers sees it run before them.
//
// An entry is out of the queue before its callback begins. A callback that
// panics or calls runtime.Goexit therefore leaves the rest pending, for the
// next pass.
//
// guard, unless it is nil, makes each call instead of pass itself: what is to be
// done around a callback lives there, at no cost without it.
func (p *pending) pass(closed *atomic.Uint32, guard func(entry)) {
	for closed.Load() == 0 {
		e, ok := p.pop()
		if !ok {
			return
		}
		p.calls++
		if guard != nil {
			guard(e)
		} else {
			e.call()
		}
	}
}

// shrink lets go of rings that a burst has made much larger than they need to be.
// It is called now and then, and reports whether there is more to be let go of if
// nothing happens until the next time.
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

// fifo is a ring that grows. Positions are absolute, so that a watcher can
// remember its own across growth; they may wrap.
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
	e := q.ring[q.head&q.mask()]
	q.ring[q.head&q.mask()] = entry{}
	q.head++
	return e
}

func (q *fifo) erase(at uint32) { q.ring[at&q.mask()] = entry{} }

// count counts the entries that still stand for a callback.
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

// resize requires that the length is a power of two and enough.
func (q *fifo) resize(length int) {
	old := *q
	q.ring = make([]entry, length)
	for at := old.head; at != old.tail; at++ {
		q.ring[at&q.mask()] = old.ring[at&old.mask()]
	}
}

// compact closes the gaps that erase has left. Those behind get other positions.
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
