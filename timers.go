package ev

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// never is a due time that does not come.
const never = time.Duration(math.MaxInt64)

// alarm is a watcher that waits for a moment: what Timer shares with the kinds
// that wait on the wall clock.
type alarm struct {
	watcher
	pos   int32  // index in the heap plus one; 0 is not in it
	order uint64 // when it was put there: ties of due run in this order
}

func (a *alarm) armed() bool { return a.pos != 0 }

// alarms is a 4-ary heap of alarms by (due, order). It never reads a clock:
// times are durations since a moment that its user knows. The key is inline,
// so that four children are one cache line.
type alarms struct {
	heap    []alarmEntry
	started uint64
}

type alarmEntry struct {
	due time.Duration
	a   *alarm
}

func (x alarmEntry) before(y alarmEntry) bool {
	return x.due < y.due || x.due == y.due && x.a.order < y.a.order
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

// fill puts e, which was the last, where the hole i is, or where it belongs from
// there. That is near the bottom, mostly: so the hole goes all the way down
// first, which saves a comparison on each level, and e then up.
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

// fewDue is how many are taken out one by one before it is worth a look whether
// there are many more.
const fewDue = 64

// manyDue reports whether so much of the heap is due that to sort that part is
// cheaper than to take one after the other.
func (h *alarms) manyDue(now time.Duration) bool {
	most := len(h.heap) / 8
	return h.countDue(0, now, most) >= most
}

// countDue counts what is due at i and below, up to about most.
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

// takeDue takes all out that are due, in order. It leaves their pos to the caller,
// who comes by.
func (h *alarms) takeDue(now time.Duration) (due []alarmEntry) {
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
	for i := len(rest) - 1; i >= 0; i-- {
		h.down(i, rest[i])
	}
	slices.SortFunc(due, func(x, y alarmEntry) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	return due
}

// shift delays everything by d, which keeps the order.
func (h *alarms) shift(d time.Duration) {
	for i := range h.heap {
		h.heap[i].due = after(h.heap[i].due, d)
	}
}

// place puts e where the hole i is, or where it belongs from there.
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

// least returns which of the siblings that begin with this child is due first.
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

// after adds without wrapping: a timer of 290 years is far away, not overdue.
func after(t, d time.Duration) time.Duration {
	if sum := t + d; d <= 0 || sum > t {
		return sum
	}
	return never
}

// Timer calls back when a span of time has passed, once or repeatedly; libev's
// ev_timer. Spans count from Loop.Now, the cached time, and follow the
// monotonic clock: setting the wall clock does not touch them. A timer never
// fires early. Timers due in one iteration run in the order of their due times,
// then of their starts, inside a priority.
//
// On Linux an idle loop is some tens of microseconds late, where the runtime's
// timers are up to a millisecond: a wait of which at most 10 ms are left sets a
// timerfd too, one system call per change of the earliest deadline. A loop opens
// it, and an epoll descriptor, when it first waits for a timer.
//
// A repeating timer does not drift, and does not replay what it missed while
// the loop was busy: it is called at most once per iteration.
type Timer struct {
	_ noCopy
	alarm
	after  time.Duration // while inactive: what Start waits for
	repeat time.Duration
	fn     func(*Timer)
}

// NewTimer makes a Timer that, once started, fires when after has passed, and
// then every repeat if that is not 0. A span of zero or less is due at once. It
// panics when l or fn is nil or repeat is negative.
func NewTimer(l *Loop, after, repeat time.Duration, fn func(*Timer), opts ...Option) *Timer {
	if repeat < 0 {
		panic(fmt.Sprintf("ev: NewTimer: negative repeat %v", repeat))
	}
	t := &Timer{after: after, repeat: repeat, fn: fn}
	t.watcher.init("NewTimer", t, l, fn == nil, opts)
	return t
}

// Start arms the timer. It has no effect on an active timer. A stopped timer
// goes on with the time that it had left; one that has expired is due at once,
// unless Set comes first. When the loop has been busy since Now, call
// Loop.Update first to count from the present.
func (t *Timer) Start() {
	if t.startable() {
		t.loop.timers.add(&t.alarm, after(t.loop.mono, t.after))
		t.loop.activateTimer(&t.watcher)
	}
}

// Set gives an inactive timer new spans. It fails when the timer is active or
// repeat is negative.
func (t *Timer) Set(after, repeat time.Duration) error {
	t.own("Set")
	if t.index != 0 {
		return fmt.Errorf("ev: Timer.Set: the timer is active")
	}
	if err := t.SetRepeat(repeat); err != nil {
		return fmt.Errorf("ev: Timer.Set: negative repeat %v", repeat)
	}
	t.after = after
	return nil
}

// Reset starts over (ev_timer_again): it clears a pending event, then a
// repeating timer, active or not, waits for one full Repeat, and another stops.
// A timer made with (0, d), Reset at the start and at each sign of life, is an
// inactivity timeout.
func (t *Timer) Reset() {
	l := t.loop
	t.own("Reset")
	switch {
	case t.index != 0 && t.repeat == 0:
		t.Stop()
		return
	case t.index != 0:
		l.timers.move(&t.alarm, after(l.mono, t.repeat))
	case t.repeat > 0:
		t.after = t.repeat
		t.Start()
	}
	t.Clear()
}

// Remaining returns the time until the timer fires, counted from Loop.Now, or
// for an inactive timer what Start would wait for. It can be a little negative.
func (t *Timer) Remaining() time.Duration {
	t.own("Remaining")
	if t.index == 0 {
		return t.after
	}
	return t.loop.timers.due(&t.alarm) - t.loop.mono
}

// Repeat returns the span between repetitions; 0 is a one-shot.
func (t *Timer) Repeat() time.Duration {
	t.own("Repeat")
	return t.repeat
}

// SetRepeat changes the span between repetitions, from the next expiry or Reset
// on: with 0, the wait in progress is the last. It fails when d is negative.
func (t *Timer) SetRepeat(d time.Duration) error {
	t.own("SetRepeat")
	if d < 0 {
		return fmt.Errorf("ev: Timer.SetRepeat: negative repeat %v", d)
	}
	t.repeat = d
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (t *Timer) SetCallback(fn func(*Timer)) {
	t.own("SetCallback")
	if fn == nil {
		panic("ev: Timer.SetCallback: nil callback")
	}
	t.fn = fn
}

func (t *Timer) call()         { t.fn(t) }
func (t *Timer) callback() any { return t.fn }

func (t *Timer) halt() {
	t.after = t.loop.timers.due(&t.alarm) - t.loop.mono
	t.loop.timers.remove(&t.alarm)
}

// expireTimers has every timer, and what else is there, do what is due by now.
func (l *Loop) expireTimers() {
	h := &l.timers
	for popped := 0; h.next() <= l.mono; popped++ {
		if popped == fewDue && h.manyDue(l.mono) {
			for _, e := range h.takeDue(l.mono) {
				e.a.pos = 0
				e.a.self.(expirer).expire(e.due, l.mono)
			}
			return
		}
		e := h.heap[0]
		h.remove(e.a)
		e.a.self.(expirer).expire(e.due, l.mono)
	}
}

// expirer is a kind that waits in Loop.timers. It was due, and is out of the
// heap; for a next moment, which is after now, it goes in again. It leaves others
// alone.
type expirer interface{ expire(due, now time.Duration) }

// expire has a one-shot be inactive by the time its callback runs. The next slot
// of a repeat is after now, so that one which lags behind is called once per
// iteration.
func (t *Timer) expire(due, now time.Duration) {
	l := t.loop
	if t.repeat > 0 {
		l.timers.add(&t.alarm, max(after(due, t.repeat), now+1))
	} else {
		t.after = due - now
		l.deactivate(&t.watcher)
	}
	l.pending.mark(&t.watcher, TimerEvent)
}
