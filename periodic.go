package ev

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"
)

// Periodic calls back at moments of the wall clock, once or every interval;
// libev's ev_periodic, pyev's Periodic. Where a Timer waits for a span of time
// to pass, a Periodic waits for the clock to show a time: when the clock is
// set, it comes sooner or later with it. It belongs to its loop's goroutine.
//
// With an interval the moments are its slots: the offset plus any multiple of
// the interval, since the Unix epoch. So (0, time.Hour) is every full hour in
// UTC, (5*time.Minute, time.Hour) is five past. For calendar rules (days of
// local time, months, cron expressions) use a Scheduler.
//
// A Periodic never fires before its moment, as Loop.Now shows it. It calls back
// at most once per iteration: slots that passed while the loop was busy are not
// replayed, and neither are those inside a Suspend and Resume, or those that the
// clock jumped over when it was set forward. Set back, the clock shows some slots
// again and they fire again. What is not promised is to notice that the clock
// was set at once: a busy loop looks twice a second; a parked one is told by the
// kernel on Linux (not on BackendChan), and else wakes to look every minute.
type Periodic struct {
	_ noCopy
	alarm
	offset   time.Duration
	interval time.Duration
	at       time.Time
	fn       func(*Periodic)
}

// NewPeriodic makes a Periodic that, once started, fires at the slots that are
// offset plus a multiple of interval after the Unix epoch; with an interval of
// 0 once, offset after the epoch (time.Duration(t.UnixNano()) for a time t). It
// panics when l or fn is nil, interval is negative, or offset is not within
// [0, interval] of an interval that is not 0.
func NewPeriodic(l *Loop, offset, interval time.Duration, fn func(*Periodic), opts ...Option) *Periodic {
	if err := checkSlots(offset, interval); err != nil {
		panic(fmt.Sprintf("ev: NewPeriodic: %v", err))
	}
	p := &Periodic{offset: offset, interval: interval, fn: fn}
	p.watcher.init("NewPeriodic", p, l, fn == nil, opts)
	return p
}

// Start arms the watcher for its first slot after Loop.Now, or for its one
// moment: if that has passed, it is due at once. It has no effect on an active
// watcher or on a closed loop.
func (p *Periodic) Start() {
	p.own("Start")
	if p.begin() {
		p.loop.arm(&p.alarm, p.plan(p.loop.wallNow()))
	}
}

// Set gives an inactive watcher a new offset and interval, as NewPeriodic does.
// It fails when the watcher is active, or where NewPeriodic would panic.
func (p *Periodic) Set(offset, interval time.Duration) error {
	p.own("Set")
	if p.index != 0 {
		return errors.New("ev: Periodic.Set: the watcher is active")
	}
	return p.set("Set", offset, interval)
}

// Reset starts over with the offset and interval of now, whether the watcher is
// active or not (ev_periodic_again): it clears a pending event, then waits for
// the first slot after Loop.Now, or for its one moment.
func (p *Periodic) Reset() {
	p.own("Reset")
	p.Clear()
	if p.index == 0 {
		p.Start()
		return
	}
	p.loop.periodics.move(&p.alarm, p.plan(p.loop.wallNow()))
}

// At returns the moment that the watcher waits for; in the callback of one with
// an interval, that is the next slot already. An inactive one returns what it
// waited for last, or the zero time if it was never started. A moment that
// time.Duration cannot count, after the year 2262, does not come.
func (p *Periodic) At() time.Time {
	p.own("At")
	return p.at
}

// Offset returns the offset, in the sense of NewPeriodic.
func (p *Periodic) Offset() time.Duration {
	p.own("Offset")
	return p.offset
}

// SetOffset changes the offset, from the next expiry or Reset on. It fails when
// there is an interval and d is not within [0, Interval].
func (p *Periodic) SetOffset(d time.Duration) error {
	p.own("SetOffset")
	return p.set("SetOffset", d, p.interval)
}

// Interval returns the span between slots; 0 is a one-shot.
func (p *Periodic) Interval() time.Duration {
	p.own("Interval")
	return p.interval
}

// SetInterval changes the interval, from the next expiry or Reset on: with 0,
// the slot waited for is the last. It fails when d is negative, or when it is
// not 0 and Offset is not within [0, d]: change the offset first then.
func (p *Periodic) SetInterval(d time.Duration) error {
	p.own("SetInterval")
	return p.set("SetInterval", p.offset, d)
}

func (p *Periodic) set(method string, offset, interval time.Duration) error {
	if err := checkSlots(offset, interval); err != nil {
		return fmt.Errorf("ev: Periodic.%s: %w", method, err)
	}
	p.offset, p.interval = offset, interval
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (p *Periodic) SetCallback(fn func(*Periodic)) {
	p.own("SetCallback")
	if fn == nil {
		panic("ev: Periodic.SetCallback: nil callback")
	}
	p.fn = fn
}

func (p *Periodic) call()         { p.fn(p) }
func (p *Periodic) callback() any { return p.fn }
func (p *Periodic) halt()         { p.loop.disarm(&p.alarm) }

// plan returns when to fire, seen from now, and has At say so.
func (p *Periodic) plan(now time.Duration) time.Duration {
	due := p.offset
	if p.interval > 0 {
		due = slotAfter(p.offset, p.interval, now)
	}
	p.at = time.Unix(0, int64(due))
	return due
}

func (p *Periodic) expire(now time.Duration) {
	l := p.loop
	if p.interval > 0 {
		l.periodics.move(&p.alarm, p.plan(now))
	} else {
		p.halt()
		l.deactivate(&p.watcher)
	}
	l.pending.mark(&p.watcher, PeriodicEvent)
}

func (p *Periodic) replan(now time.Duration) {
	if p.interval > 0 {
		p.loop.periodics.move(&p.alarm, p.plan(now))
	}
}

func checkSlots(offset, interval time.Duration) error {
	switch {
	case interval < 0:
		return fmt.Errorf("negative interval %v", interval)
	case interval > 0 && offset < 0:
		return fmt.Errorf("negative offset %v", offset)
	case interval > 0 && offset > interval:
		return fmt.Errorf("offset %v is longer than the interval %v", offset, interval)
	}
	return nil
}

// slotAfter returns the first offset + n*interval after now, or never. No step
// of it wraps.
func slotAfter(offset, interval, now time.Duration) time.Duration {
	past := modulo(now, interval) - modulo(offset, interval)
	if past < 0 {
		past += interval
	}
	return after(now, interval-past)
}

// modulo is the remainder in [0, interval).
func modulo(d, interval time.Duration) time.Duration {
	if d %= interval; d < 0 {
		d += interval
	}
	return d
}

// Scheduler calls back at moments of the wall clock that a function computes,
// one after the other: days of local time, cron expressions, tides; libev's
// ev_periodic with a reschedule callback, pyev's Scheduler. It belongs to its
// loop's goroutine, and treats a busy loop and a clock that is set as Periodic
// does.
//
// The function is given the time now and returns the moment to fire next, now or
// later. It is called by Start and Reset, when the moment has come (just before
// the callback), after Resume, and when the clock was set. It may be called any
// number of times for one callback, so it should compute, not count. It must not
// touch the loop or any watcher of it: it runs in the middle of the loop's own
// work.
//
// A function that returns the zero time has no further moment (as a
// cron.Schedule says it, too): the Scheduler stops, after the callback that is
// due, in which it is inactive like a one-shot.
//
// A function that panics, or returns another time before now, has failed: the
// loop stops the Scheduler at the beginning of the next iteration and reports
// the value of the panic, or an error that tells the times, as it does for a
// panic in a callback: to the handler of WithPanicHandler, else as a panic that
// leaves Run. Until then the Scheduler is active and waits for nothing; a Reset
// that succeeds meanwhile keeps it. A callback that was due is made all the
// same.
type Scheduler struct {
	_ noCopy
	alarm
	failed bool // next did, in its last call
	at     time.Time
	next   func(s *Scheduler, now time.Time) time.Time
	fn     func(*Scheduler)
}

// NewScheduler makes a Scheduler that, once started, fires at the moments that
// next returns. It panics when l, next or fn is nil.
func NewScheduler(l *Loop, next func(s *Scheduler, now time.Time) time.Time, fn func(*Scheduler), opts ...Option) *Scheduler {
	s := &Scheduler{next: next, fn: fn}
	s.watcher.init("NewScheduler", s, l, fn == nil, opts)
	if next == nil {
		panic("ev: NewScheduler: nil next function")
	}
	return s
}

// Start asks the function for a moment after Loop.Now and waits for it. It has
// no effect on an active watcher or on a closed loop. When the function fails,
// Start does not tell: see Scheduler.
func (s *Scheduler) Start() {
	s.own("Start")
	if s.begin() {
		s.loop.arm(&s.alarm, never)
		s.plan(s.loop.wallNow())
	}
}

// Reset starts over, whether the watcher is active or not (ev_periodic_again):
// it clears a pending event, then asks the function anew.
func (s *Scheduler) Reset() {
	s.own("Reset")
	s.Clear()
	if s.index == 0 {
		s.Start()
		return
	}
	s.plan(s.loop.wallNow())
}

// At returns the moment that the watcher waits for; in its callback, that is
// the next one already. It is what the function returned last, failures aside:
// an inactive watcher keeps it. The zero time is none. A moment that
// time.Duration cannot count, after the year 2262, does not come.
func (s *Scheduler) At() time.Time {
	s.own("At")
	return s.at
}

// SetNext replaces the function, from the next expiry or Reset on. It panics
// when next is nil.
func (s *Scheduler) SetNext(next func(s *Scheduler, now time.Time) time.Time) {
	s.own("SetNext")
	if next == nil {
		panic("ev: Scheduler.SetNext: nil function")
	}
	s.next = next
}

// SetCallback replaces the callback, from the next call on.
func (s *Scheduler) SetCallback(fn func(*Scheduler)) {
	s.own("SetCallback")
	if fn == nil {
		panic("ev: Scheduler.SetCallback: nil callback")
	}
	s.fn = fn
}

func (s *Scheduler) call()         { s.fn(s) }
func (s *Scheduler) callback() any { return s.fn }
func (s *Scheduler) halt()         { s.loop.disarm(&s.alarm) }

// expire marks first and asks then: a function that ends the goroutine, or
// stops its watcher against the rules, finds the loop in order.
func (s *Scheduler) expire(now time.Duration) {
	s.loop.pending.mark(&s.watcher, PeriodicEvent)
	s.plan(now + 1) // a function that returns now is for the next iteration
}

func (s *Scheduler) replan(now time.Duration) {
	if !s.failed {
		s.plan(now)
	}
}

// plan asks the function, and fires then but not before earliest. While it
// asks, and if it fails, the watcher waits for nothing.
func (s *Scheduler) plan(earliest time.Duration) {
	l := s.loop
	l.periodics.move(&s.alarm, never)
	switch ok := s.ask(); {
	case !ok || s.pos == 0:
	case s.at.IsZero():
		s.end()
	default:
		l.periodics.move(&s.alarm, max(sinceEpoch(s.at), earliest))
	}
}

// ask calls the function. It reports false for a failure, which is on its way
// to be reported then, also if the function ends the goroutine.
func (s *Scheduler) ask() bool {
	now := s.loop.Now().Round(0) // wall clock only
	s.failed = true
	returned := false
	defer func() {
		if !returned {
			var v any = errGoexit
			if panicked := recover(); panicked != nil {
				v = panicked
			}
			s.fail(v)
		}
	}()
	at := s.next(s, now)
	returned = true
	if at.Before(now) && !at.IsZero() {
		s.fail(fmt.Errorf("ev: Scheduler %q: next returned %v, which is before now, %v", s.name, at, now))
		return false
	}
	s.failed, s.at = false, at
	return true
}

func (s *Scheduler) fail(v any) {
	p := &s.loop.periodics
	p.failures = append(p.failures, failure{s, v, debug.Stack()})
}

// end deactivates the watcher, and leaves it pending if it is.
func (s *Scheduler) end() {
	s.halt()
	s.loop.deactivate(&s.watcher)
	s.loop.settle()
}

// periodics are the watchers that wait on the wall clock, by their due times
// since the Unix epoch.
type periodics struct {
	alarms
	unwatch  func()    // the system tells when the clock is set, until this is called
	failures []failure // to be reported in the next iteration
}

type failure struct {
	s     *Scheduler
	v     any // what next panicked with, or an error
	stack []byte
}

// maxPark is how long the loop sleeps without a look at the wall clock when
// something waits on it and the system does not tell that it was set. The
// number is libev's.
const maxPark = 59743 * time.Millisecond

// arm puts the alarm of an active watcher in the heap. The first one has the
// clock watched.
func (l *Loop) arm(a *alarm, due time.Duration) {
	l.periodics.add(a, due)
	if len(l.periodics.heap) == 1 {
		l.periodics.unwatch, _ = l.watchClock() // without it, parks are short
	}
}

func (l *Loop) disarm(a *alarm) {
	l.periodics.remove(a)
	if unwatch := l.periodics.unwatch; unwatch != nil && len(l.periodics.heap) == 0 {
		l.periodics.unwatch = nil
		unwatch()
	}
}

// nextPeriodic returns when the loop must wake for what waits on the wall clock,
// on the monotonic one.
func (l *Loop) nextPeriodic() time.Duration {
	p := &l.periodics
	switch {
	case len(p.failures) > 0:
		return l.mono
	case len(p.heap) == 0:
		return never
	}
	now, due := l.wallNow(), p.next()
	if due <= now {
		return l.mono
	}
	until := after(l.mono, after(due, -now))
	if p.unwatch == nil {
		until = min(until, l.mono+maxPark)
	}
	return until
}

// timed is a watcher in the heap.
type timed interface {
	expire(now time.Duration) // it is due: mark it, and take it on
	replan(now time.Duration) // the clock shows another time than expected
}

// expirePeriodics makes every watcher pending that is due by now.
func (l *Loop) expirePeriodics() {
	if len(l.periodics.heap) > 0 {
		l.periodics.expire(l.wallNow())
	}
}

func (p *periodics) expire(now time.Duration) {
	for p.next() <= now {
		p.heap[0].a.self.(timed).expire(now)
	}
}

// replanPeriodics computes all due times anew, those of one-shots aside. Those
// that were in order stay in order when they tie.
func (l *Loop) replanPeriodics() {
	entries := slices.Clone(l.periodics.heap)
	slices.SortFunc(entries, func(x, y alarmEntry) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	for _, e := range entries {
		if e.a.pos != 0 { // a next function may have broken the rules
			e.a.self.(timed).replan(l.wallNow())
		}
	}
}

// reportFailures stops the Schedulers whose function failed, and tells.
func (l *Loop) reportFailures() {
	for len(l.periodics.failures) > 0 {
		f := l.periodics.failures[0]
		l.periodics.failures = slices.Delete(l.periodics.failures, 0, 1)
		if f.s.failed && f.s.index != 0 {
			f.s.failed = false
			f.s.end()
		}
		if l.onPanic == nil {
			panic(f.v)
		}
		l.onPanic(f.s, f.v, f.stack)
	}
}

// lastMoment is the last one that can be counted since the epoch.
var lastMoment = time.Unix(0, math.MaxInt64)

// sinceEpoch is the moment as a due time; after lastMoment it is never.
func sinceEpoch(t time.Time) time.Duration {
	if t.After(lastMoment) {
		return never
	}
	return time.Duration(t.UnixNano())
}
