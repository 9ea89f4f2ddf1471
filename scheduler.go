package ev

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"
)

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

type failure struct {
	s     *Scheduler
	v     any // what next panicked with, or an error
	stack []byte
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
