package ev

import (
	"fmt"
	"time"
)

// Timer calls back when a span of time has passed, once or repeatedly; libev's ev_timer. Spans
// count from Loop.Now, the cached time; that of Arm counts from the present. They follow the
// monotonic clock: setting the wall clock does not affect them. A timer never fires early. Within
// a priority, timers that are due in one iteration run in the order of their due times, then in
// the order in which they were armed (by Start, Arm, Reset or their last expiry).
//
// A repeating timer does not drift. If the loop is busy for more than a period, the missed
// expiries are not replayed: the timer is called at most once per iteration, and goes on from
// there, as libev's does. Package evtime has a Ticker that keeps its phase.
//
// # Linux
//
// The monotonic clock (CLOCK_MONOTONIC) stands still while the machine sleeps: a Timer that had
// ten minutes left before has ten minutes left after. The clock goes on while the process is
// stopped (SIGSTOP). A Periodic or Scheduler with CatchUp calls back after both.
//
// An idle loop is some tens of microseconds late, where the runtime's timers are up to a
// millisecond late: for the last 10 ms of a wait the loop sets a timerfd too, which costs one
// system call per change of the earliest deadline. A loop opens the timerfd, and an epoll
// descriptor, when it first waits for a timer.
//
// # Windows
//
// A timer is as late as the runtime's: by up to 0.5 ms, and before Windows 10 1803 by up to
// 16 ms. The runtime's clock moves in steps of that length too.
type Timer struct {
	_ noCopy
	alarm
	after  time.Duration // while inactive: the span for which Start waits
	repeat time.Duration
	fn     func(*Timer)
}

// NewTimer makes a Timer that fires when after has passed since Start, and then every repeat if
// that is not 0. With an after of zero or less it is due at once. NewTimer panics if l or fn is
// nil or repeat is negative.
func NewTimer(l *Loop, after, repeat time.Duration, fn func(*Timer), opts ...Option) *Timer {
	if repeat < 0 {
		panic(fmt.Sprintf("ev: NewTimer: negative repeat %v", repeat))
	}
	t := &Timer{after: after, repeat: repeat, fn: fn}
	t.watcher.init("NewTimer", t, l, fn == nil, opts)
	return t
}

// Start arms the timer. It has no effect on an active timer or on a closed loop. A stopped timer
// goes on with the time that it had left. A timer that has expired is due at once, unless Set
// comes first. It counts from Now; Arm counts from the present.
func (t *Timer) Start() {
	t.own("Start")
	if t.startable() {
		t.loop.timers.add(&t.alarm, after(t.loop.now(), t.after))
		t.loop.activateTimer(&t.watcher)
	}
}

// Set gives an inactive timer new spans. It returns an error if the timer is active or repeat is
// negative.
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

// Reset starts over (ev_timer_again). It clears a pending event. Then a repeating timer, active
// or not, waits for one full Repeat, and a one-shot stops: to start a one-shot over, call Arm. For
// an inactivity timeout, make a timer with (0, d), and call Reset at the start and at each sign of
// activity.
func (t *Timer) Reset() {
	t.own("Reset")
	l := t.loop
	switch {
	case t.index != 0 && t.repeat == 0:
		t.Stop()
		return
	case t.index != 0:
		l.timers.move(&t.alarm, after(l.mono, t.repeat))
		l.publishIfIdle()
	case t.repeat > 0:
		t.after = t.repeat
		t.Start()
	}
	if t.pending {
		t.Clear()
	}
}

// Arm makes the timer due d from the present, whatever state it is in: it starts an inactive
// timer, moves an active one, and clears a pending event. Then a repeating timer goes on with its
// Repeat, and a one-shot stops, as after Start. If d is zero or negative, the timer is due at
// once. It has no effect on a closed loop.
//
// Arm reads the clock. Start and Reset count from Loop.Now, which is in the past while a callback
// runs. So use Arm for a timeout, such as one that a C library asks for: it is never shorter than
// d. Arm does not change Loop.Now.
func (t *Timer) Arm(d time.Duration) {
	t.own("Arm")
	l := t.loop
	if l.isClosed() {
		return
	}
	l.now() // Remaining must not count from a time that Now will not return
	due := after(l.present(), d)
	if t.index != 0 {
		l.timers.move(&t.alarm, due)
		l.publishIfIdle()
	} else {
		l.timers.add(&t.alarm, due)
		l.activateTimer(&t.watcher)
	}
	if t.pending {
		t.Clear()
	}
}

// Remaining returns the time from Loop.Now until the timer fires. For an inactive timer it
// returns the span for which Start would wait. It is negative if that time has passed. A span too
// long for a time.Duration, in either direction, is returned as the longest one (292 years).
func (t *Timer) Remaining() time.Duration {
	t.own("Remaining")
	if t.index == 0 {
		return t.after
	}
	return since(t.due, t.loop.mono)
}

// Repeat returns the span between repetitions, or 0 for a one-shot.
func (t *Timer) Repeat() time.Duration {
	t.own("Repeat")
	return t.repeat
}

// SetRepeat changes the span between repetitions, from the next expiry or Reset on. With 0, the
// wait in progress is the last. It returns an error if d is negative.
func (t *Timer) SetRepeat(d time.Duration) error {
	t.own("SetRepeat")
	if d < 0 {
		return fmt.Errorf("ev: Timer.SetRepeat: negative repeat %v", d)
	}
	t.repeat = d
	return nil
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (t *Timer) SetCallback(fn func(*Timer)) {
	t.own("SetCallback")
	t.checkCallback(fn == nil)
	t.fn = fn
}

func (t *Timer) call()         { t.fn(t) }
func (t *Timer) callback() any { return t.fn }

func (t *Timer) onStop() {
	t.after = since(t.due, t.loop.mono)
	t.loop.timers.remove(&t.alarm)
}

// expireTimers calls expire on every alarm that is due by now. Observers are called for each
// when it is pending and the heap is in order again: they may look at others, and if one panics,
// the others are still in the heap, and due.
func (l *Loop) expireTimers() {
	h, now := &l.timers, l.mono
	switch {
	case !h.mayBeDue(now):
		return
	case h.manyDue(now):
		l.expireMany(now)
		return
	}
	due := h.dueBy(now)
	for _, d := range due {
		h.remove(d.a)
		d.a.self.(expirer).expire(d.due, now)
		if o := l.observers.Load(); o != nil {
			l.notifyDue(o, d)
		}
	}
	h.settle(now)
	h.recycle(due)
}

// expireMany takes all due alarms at once. Until the last has expired, some are neither in the
// heap nor pending. So the observers are called after that.
func (l *Loop) expireMany(now time.Duration) {
	due := l.timers.takeDue(now)
	for _, d := range due {
		d.a.order = 0
		d.a.self.(expirer).expire(d.due, now)
	}
	if o := l.observers.Load(); o != nil {
		for _, d := range due {
			l.notifyDue(o, d)
		}
	}
	l.timers.recycle(due)
}

// expirer is a kind that waits in a heap: in Loop.timers, or on the wall clock in
// Loop.periodics. expire is called when the alarm was due. The alarm is no longer in the
// heap. If there is a next moment, expire adds the alarm again, with a due time after now.
// It must not change other alarms.
type expirer interface{ expire(due, now time.Duration) }

// expire deactivates a one-shot, so that it is inactive in its callback. The next due time of a
// repeating timer is after now, so that a timer that lags behind is called once per iteration.
func (t *Timer) expire(due, now time.Duration) {
	l := t.loop
	if t.repeat > 0 {
		l.timers.add(&t.alarm, max(after(due, t.repeat), now+1))
	} else {
		t.after = since(due, now)
		l.deactivate(&t.watcher)
	}
	l.pending.mark(&t.watcher, TimerEvent)
}
