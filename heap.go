package ev

import (
	"slices"
	"time"
)

// alarm is a watcher that waits for a time. It is the base of Timer, Stat and the kinds that wait
// on the wall clock.
type alarm struct {
	watcher
	pos   int32  // index in the heap plus one; 0 is not in it
	order uint64 // of being added: alarms with equal due times run in this order
}

func (a *alarm) armed() bool { return a.pos != 0 }

// alarms is a 4-ary heap of alarms by (due, order). It never reads a clock: times are durations
// since a moment that its user chooses. The key is inline, so that comparing four children reads
// one cache line, or two.
type alarms struct {
	heap    []alarmEntry
	started uint64
	spare   []alarmEntry // for takeDue; nil while it is in use
	taken   uint64       // by takeDue, ever
	inHeap  usage        // of heap, and of spare, for shrink
	atOnce  usage
}

type alarmEntry struct {
	due time.Duration
	a   *alarm
}

func (x alarmEntry) before(y alarmEntry) bool {
	return x.due < y.due || x.due == y.due && x.a.order < y.a.order
}

// sortByDue sorts entries into the order in which they expire. No two are equal.
func sortByDue(entries []alarmEntry) {
	slices.SortFunc(entries, func(x, y alarmEntry) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
}

// next returns the earliest due time, or never.
func (h *alarms) next() time.Duration {
	if len(h.heap) == 0 {
		return never
	}
	return h.heap[0].due
}

func (h *alarms) due(a *alarm) time.Duration { return h.heap[a.pos-1].due }

func (h *alarms) add(a *alarm, due time.Duration) {
	h.started++
	a.order = h.started
	h.heap = push(h.heap, alarmEntry{})
	h.up(len(h.heap)-1, alarmEntry{due, a})
}

// move gives an alarm in the heap a new due time, as if it were added now.
func (h *alarms) move(a *alarm, due time.Duration) {
	h.started++
	a.order = h.started
	h.place(int(a.pos-1), alarmEntry{due, a})
}

func (h *alarms) remove(a *alarm) {
	i, last := int(a.pos-1), len(h.heap)-1
	a.pos = 0
	e := h.heap[last]
	h.heap[last] = alarmEntry{}
	h.heap = h.heap[:last]
	if i != last {
		h.fill(i, e)
	}
}

// fill puts e, which was the last, into the hole i, or where it belongs from there. That is
// mostly near the bottom. So the hole goes all the way down first, which saves a comparison on
// each level, and then e goes up.
func (h *alarms) fill(i int, e alarmEntry) {
	if i == 0 || !e.before(h.heap[(i-1)/4]) {
		for child := 4*i + 1; child < len(h.heap); child = 4*i + 1 {
			least := h.least(child)
			h.set(i, h.heap[least])
			i = least
		}
	}
	h.up(i, e)
}

// fewDue is the number of alarms that are taken out one by one before a check whether many more
// are due pays off.
const fewDue = 64

// manyDue reports whether so much of the heap is due that sorting that part is cheaper than
// taking one after the other.
func (h *alarms) manyDue(now time.Duration) bool {
	most := len(h.heap) / 8
	return h.countDue(0, now, most) >= most
}

// countDue counts the due alarms at i and below, up to about most.
func (h *alarms) countDue(i int, now time.Duration, most int) int {
	if i >= len(h.heap) || h.heap[i].due > now {
		return 0
	}
	n := 1
	for child := 4*i + 1; child <= 4*i+4 && n < most; child++ {
		n += h.countDue(child, now, most-n)
	}
	return n
}

// takeDue removes all due alarms and returns them in order. The caller must reset their pos,
// and return the slice with recycle.
func (h *alarms) takeDue(now time.Duration) []alarmEntry {
	due := h.spare
	h.spare = nil
	rest := h.heap[:0]
	for _, e := range h.heap {
		if e.due <= now {
			due = push(due, e)
		} else {
			rest = append(rest, e)
		}
	}
	clear(h.heap[len(rest):])
	h.heap = rest
	h.order()
	sortByDue(due)
	h.taken += uint64(len(due))
	return due
}

func (h *alarms) recycle(due []alarmEntry) {
	clear(due)
	h.spare = due[:0]
}

// shrink frees the room that a burst has needed. It is called now and then. It reports whether it
// could free more the next time, if nothing happens until then.
func (h *alarms) shrink() (more bool) {
	if !large[alarmEntry](max(cap(h.heap), cap(h.spare))) {
		return false
	}
	if most := h.inHeap.look(len(h.heap), h.started); oversized[alarmEntry](cap(h.heap), most) {
		h.heap = trimmed(h.heap, most)
	}
	if most := h.atOnce.look(0, h.taken); oversized[alarmEntry](cap(h.spare), most) {
		h.spare = nil
	}
	return oversized[alarmEntry](cap(h.heap), len(h.heap)) || oversized[alarmEntry](cap(h.spare), 0)
}

// order makes a heap of entries in any order.
func (h *alarms) order() {
	for i := len(h.heap) - 1; i >= 0; i-- {
		h.down(i, h.heap[i])
	}
}

// shift delays everything by d.
func (h *alarms) shift(d time.Duration) {
	for i := range h.heap {
		h.heap[i].due = after(h.heap[i].due, d)
	}
	h.order() // alarms that are now never due are equal, and must be in the order of their starts
}

// place puts e into the hole i, or where it belongs from there.
func (h *alarms) place(i int, e alarmEntry) {
	if i > 0 && e.before(h.heap[(i-1)/4]) {
		h.up(i, e)
	} else {
		h.down(i, e)
	}
}

func (h *alarms) up(i int, e alarmEntry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(h.heap[parent]) {
			break
		}
		h.set(i, h.heap[parent])
		i = parent
	}
	h.set(i, e)
}

func (h *alarms) down(i int, e alarmEntry) {
	for {
		child := 4*i + 1
		if child >= len(h.heap) {
			break
		}
		least := h.least(child)
		if !h.heap[least].before(e) {
			break
		}
		h.set(i, h.heap[least])
		i = least
	}
	h.set(i, e)
}

// least returns the index of the sibling that is due first. child is the first sibling.
func (h *alarms) least(child int) int {
	siblings := h.heap[child:min(child+4, len(h.heap))]
	least := 0
	for c := 1; c < len(siblings); c++ {
		if siblings[c].before(siblings[least]) {
			least = c
		}
	}
	return child + least
}

func (h *alarms) set(i int, e alarmEntry) {
	h.heap[i] = e
	e.a.pos = int32(i + 1)
}
