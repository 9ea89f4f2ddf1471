package ev

import (
	"slices"
	"time"
)

// alarm is a watcher that waits for a time. It is the base of Timer, Stat, Task and the kinds that
// wait on the wall clock.
type alarm struct {
	watcher
	pos   int32         // index of its slot plus one; while not armed, perhaps of a vacant one
	order uint64        // of being armed, for equal due times; 0 is not armed
	due   time.Duration // while armed
}

func (a *alarm) armed() bool { return a.order != 0 }

// alarms is a 4-ary heap of slots. It never reads a clock: times are durations since a moment that
// its user chooses. The key of a slot is inline, so that comparing four children reads one cache
// line, or two.
//
// Timeouts are started, reset and stopped all the time, and almost never expire. So the heap does
// late what may turn out to be unnecessary:
//
//   - A move to a later time changes the alarm and not the heap.
//   - An alarm that is removed leaves its slot vacant. An add takes the vacant slot at pos, which
//     is most often the one that the alarm left. The heap keeps no removed alarm alive.
//
// Three invariants make that right:
//
//   - The slot of an armed alarm has a key that is its due time or earlier (A).
//   - No slot has a key before that of its parent (B). So, with A, a search from the top that stops
//     at keys after now finds all alarms that are due by now. The order of equal keys means
//     nothing: the alarms found are sorted by (due, order), both as they are then.
//   - At most half of the slots are vacant (C). So an empty heap means that no alarm is armed, and
//     the heap takes at most twice the room that it needs.
//
// A key that is too early costs one step down, once, when it has come to the top: settle replaces
// it by the due time. next settles the top before it returns its key. So a loop that parks until
// then wakes when an alarm is due, and never in vain. Each move and each remove makes at most one
// slot unsettled, which settle or compact puts right. So neither costs more, on average, than if
// the heap were changed at once. A single remove may cost a compact of the whole heap, as a single
// add may cost a copy.
//
// The price is the due time in the alarm, 8 bytes. A Timer takes 128 bytes of memory, as before:
// the 8 were lost to rounding.
type alarms struct {
	heap    []alarmSlot
	vacant  int        // slots
	started uint64     // the last order given
	added   uint64     // slots, ever
	spare   []dueAlarm // for dueBy; nil while it is in use
	taken   uint64     // by dueBy, ever
	inHeap  usage      // of heap, and of spare, for shrink
	atOnce  usage
}

type alarmSlot struct {
	key time.Duration
	a   *alarm // nil: the slot is vacant
}

// next returns the earliest due time, or never.
func (h *alarms) next() time.Duration {
	if len(h.heap) == 0 {
		return never
	}
	return h.earliest()
}

func (h *alarms) earliest() time.Duration {
	h.settle(never)
	if len(h.heap) == 0 {
		return never
	}
	return h.heap[0].key
}

// mayBeDue reports whether an alarm is perhaps due.
func (h *alarms) mayBeDue(now time.Duration) bool { return len(h.heap) > 0 && h.heap[0].key <= now }

// settle puts the top right, unless its key is after until: then it is occupied, and its key is its
// due time.
func (h *alarms) settle(until time.Duration) {
	for len(h.heap) > 0 && h.heap[0].key <= until {
		switch a := h.heap[0].a; {
		case a == nil:
			h.drop(0)
		case a.due > h.heap[0].key:
			h.down(0, alarmSlot{a.due, a})
		default:
			return
		}
	}
}

func (h *alarms) arm(a *alarm, due time.Duration) {
	h.started++
	a.order, a.due = h.started, due
}

func (h *alarms) add(a *alarm, due time.Duration) {
	h.arm(a, due)
	if i := int(a.pos) - 1; i >= 0 && i < len(h.heap) && h.heap[i].a == nil {
		h.vacant--
		h.heap[i].a = a
		h.advance(i, due)
		return
	}
	h.added++
	h.heap = push(h.heap, alarmSlot{})
	h.up(len(h.heap)-1, alarmSlot{due, a})
}

// move gives an armed alarm a new due time, as if it were removed and added.
func (h *alarms) move(a *alarm, due time.Duration) {
	earlier := due < a.due
	h.arm(a, due)
	if earlier {
		h.advance(int(a.pos)-1, due)
	}
}

// advance makes the key of a slot earlier, if it is after due.
func (h *alarms) advance(i int, due time.Duration) {
	if due < h.heap[i].key {
		h.up(i, alarmSlot{due, h.heap[i].a})
	}
}

func (h *alarms) remove(a *alarm) {
	a.order = 0
	h.heap[a.pos-1].a = nil
	h.vacant++
	if h.vacant > len(h.heap)/2 {
		h.compact()
	}
}

// compact drops the vacant slots. At least half of the slots were left vacant since the last time.
// So a remove pays for the move of one slot, on average.
func (h *alarms) compact() {
	n := 0
	for _, s := range h.heap { // without a branch to mispredict
		h.heap[n] = s
		if s.a != nil {
			n++
		}
	}
	h.keep(n)
}

// keep makes a heap of the first n slots, which are occupied and in any order. It writes the
// positions last: the alarms are scattered, and independent writes do not wait for each other.
func (h *alarms) keep(n int) {
	clear(h.heap[n:])
	h.heap, h.vacant = h.heap[:n], 0
	for i := (n - 2) / 4; i >= 0 && n > 1; i-- {
		to, s := i, h.heap[i]
		for least, ok := h.below(to, s); ok; least, ok = h.below(to, s) {
			h.heap[to] = h.heap[least]
			to = least
		}
		h.heap[to] = s
	}
	for i, s := range h.heap {
		s.a.pos = int32(i + 1)
	}
}

// drop takes out a slot that is vacant. It fills the hole with the last slot, which mostly belongs
// near the bottom. So the hole goes all the way down first, which saves a comparison on each level,
// and then the slot goes up.
func (h *alarms) drop(i int) {
	h.vacant--
	last := len(h.heap) - 1
	s := h.heap[last]
	h.heap[last] = alarmSlot{}
	h.heap = h.heap[:last]
	if i == last {
		return
	}
	if i == 0 || s.key >= h.heap[(i-1)/4].key {
		for child := 4*i + 1; child < len(h.heap); child = 4*i + 1 {
			least := h.least(child)
			h.set(i, h.heap[least])
			i = least
		}
	}
	h.up(i, s)
}

// dueAlarm is an alarm and its due time, which do not change when the alarm is armed anew.
type dueAlarm struct {
	due time.Duration
	a   *alarm
}

// sortByDue sorts alarms into the order in which they expire. No two are equal.
func sortByDue(alarms []dueAlarm) {
	slices.SortFunc(alarms, func(x, y dueAlarm) int {
		if x.due < y.due || x.due == y.due && x.a.order < y.a.order {
			return -1
		}
		return 1
	})
}

// dueBy returns the alarms that are due by now, in the order in which they expire. It does not
// remove them. The caller must return the slice with recycle.
func (h *alarms) dueBy(now time.Duration) []dueAlarm {
	due := h.spare
	h.spare = nil
	due = h.collect(due, 0, now)
	if len(due) > 1 {
		sortByDue(due)
	}
	h.taken += uint64(len(due))
	return due
}

// collect appends the due alarms in slot i and below.
func (h *alarms) collect(due []dueAlarm, i int, now time.Duration) []dueAlarm {
	if i >= len(h.heap) || h.heap[i].key > now {
		return due
	}
	if a := h.heap[i].a; a != nil && a.due <= now {
		due = push(due, dueAlarm{a.due, a})
	}
	for child := 4*i + 1; child <= 4*i+4; child++ {
		due = h.collect(due, child, now)
	}
	return due
}

func (h *alarms) recycle(due []dueAlarm) {
	clear(due)
	h.spare = due[:0]
}

// fewDue is the number of slots that are expired one by one, however small the heap is.
const fewDue = 64

// manyDue reports whether so much of the heap may be due that taking all at once is cheaper than
// removing one after the other.
func (h *alarms) manyDue(now time.Duration) bool {
	if len(h.heap) <= fewDue {
		return false
	}
	most := max(fewDue, len(h.heap)/8)
	return h.countDue(0, now, most) >= most
}

// countDue counts the slots with keys up to now at i and below, up to about most.
func (h *alarms) countDue(i int, now time.Duration, most int) int {
	if i >= len(h.heap) || h.heap[i].key > now {
		return 0
	}
	n := 1
	for child := 4*i + 1; child <= 4*i+4 && n < most; child++ {
		n += h.countDue(child, now, most-n)
	}
	return n
}

// takeDue is dueBy, and removes the alarms. It leaves them armed: the caller must reset their
// order.
func (h *alarms) takeDue(now time.Duration) []dueAlarm {
	due := h.spare
	h.spare = nil
	rest := h.heap[:0]
	for _, s := range h.heap {
		switch {
		case s.a == nil:
		case s.key > now:
			rest = append(rest, s)
		case s.a.due > now:
			rest = append(rest, alarmSlot{s.a.due, s.a})
		default:
			due = push(due, dueAlarm{s.a.due, s.a})
		}
	}
	h.keep(len(rest))
	sortByDue(due)
	h.taken += uint64(len(due))
	return due
}

// all yields the alarms that are armed, in no particular order.
func (h *alarms) all(yield func(*alarm) bool) {
	for i := 0; i < len(h.heap); i++ { // the slots may change meanwhile
		if a := h.heap[i].a; a != nil && !yield(a) {
			return
		}
	}
}

// last returns the alarm in the last slot, or nil if none is armed.
func (h *alarms) last() *alarm {
	for last := len(h.heap) - 1; last >= 0; last-- {
		if a := h.heap[last].a; a != nil {
			return a
		}
		h.drop(last)
	}
	return nil
}

// shrink frees the room that a burst has needed. It is called now and then. It reports whether it
// could free more the next time, if nothing happens until then.
func (h *alarms) shrink() (more bool) {
	if !large[alarmSlot](max(cap(h.heap), cap(h.spare))) {
		return false
	}
	if most := h.inHeap.look(len(h.heap), h.added); oversized[alarmSlot](cap(h.heap), most) {
		h.heap = trimmed(h.heap, most)
	}
	if most := h.atOnce.look(0, h.taken); oversized[dueAlarm](cap(h.spare), most) {
		h.spare = nil
	}
	return oversized[alarmSlot](cap(h.heap), len(h.heap)) || oversized[dueAlarm](cap(h.spare), 0)
}

// shift delays everything by d.
func (h *alarms) shift(d time.Duration) {
	for i := range h.heap {
		s := &h.heap[i]
		s.key = after(s.key, d)
		if s.a != nil {
			s.a.due = after(s.a.due, d)
		}
	}
}

// up puts s into the hole i, or where it belongs above. down looks below.
func (h *alarms) up(i int, s alarmSlot) {
	for i > 0 {
		parent := (i - 1) / 4
		if s.key >= h.heap[parent].key {
			break
		}
		h.set(i, h.heap[parent])
		i = parent
	}
	h.set(i, s)
}

func (h *alarms) down(i int, s alarmSlot) {
	for least, ok := h.below(i, s); ok; least, ok = h.below(i, s) {
		h.set(i, h.heap[least])
		i = least
	}
	h.set(i, s)
}

// below returns the child of the hole i that must take its place for s, if one must.
func (h *alarms) below(i int, s alarmSlot) (least int, ok bool) {
	child := 4*i + 1
	if child >= len(h.heap) {
		return 0, false
	}
	least = h.least(child)
	return least, h.heap[least].key < s.key
}

// least returns the index of the sibling with the earliest key. child is the first sibling.
func (h *alarms) least(child int) int {
	siblings := h.heap[child:min(child+4, len(h.heap))]
	least := 0
	for c := 1; c < len(siblings); c++ {
		if siblings[c].key < siblings[least].key {
			least = c
		}
	}
	return child + least
}

func (h *alarms) set(i int, s alarmSlot) {
	h.heap[i] = s
	if s.a != nil {
		s.a.pos = int32(i + 1)
	}
}
