package ev

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"
)

// Scheduler calls back at moments of the wall clock that a function computes,
// one after the other: days of local time, cron expressions, tides; libev's
// ev_periodic with a reschedule callback, pyev's Scheduler. It belongs to its
// loop's goroutine, and treats a busy loop and a clock that is set as Periodic
// does.
//
// The function is called next here. It is given the time now and returns the
// moment to fire, now or later. It is called by Start and Reset, when the moment
// has come (just before the callback), after Resume, and when the clock was set.
// It may be called any number of times for one callback, so it should compute, not
// count. It must not touch the loop or any watcher of it: it runs in the middle of
// the loop's own work.
//
// With CatchUp, next is not called when the moment that the Scheduler waits for
// has been jumped over. It is called once after that, just before the callback,
// with the time after the jump.
//
// When next returns the zero time there is no further moment (as a cron.Schedule
// says it, too): the Scheduler stops, after the callback that is due, in which it
// is inactive like a one-shot.
//
// # A moment in the past
//
// A time before now, the zero time aside, is an error of next: it would fire at
// once, again and again. time.Date returns one easily in a night in which clocks
// go forward; the example Daily has a function that does not. The Scheduler then
// stays active and asks again after a second, and while the answer remains in the
// past after two seconds, four, and so on up to once a minute. Asking again makes no
// callback. A callback that was due is made all the same. Of a row of such answers
// the first is reported, in the next iteration, as an error that names the Scheduler
// and tells the times: to the handler of WithPanicHandler, if there is one, and to
// the log of WithLogger or, without either, of slog.Default.
//
// # A panic
//
// When next panics or calls runtime.Goexit, the loop stops the Scheduler at the
// beginning of the next iteration and reports the value of the panic as it does
// for a panic in a callback: to the handler of WithPanicHandler, else as a panic
// that leaves Run. Until then the Scheduler is active and waits for nothing; a
// Reset that succeeds meanwhile keeps it. A callback that was due is made all the
// same.
type Scheduler struct {
	_ noCopy
	alarm
	catchUp bool
	failed  bool          // next did not return, in its last call
	pause   time.Duration // next returned the past, and the alarm is to ask again after this; else 0
	at      time.Time
	next    func(s *Scheduler, now time.Time) time.Time
	fn      func(*Scheduler)
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
// no effect on an active watcher or on a closed loop. When the function panics or
// returns the past, Start does not tell: see Scheduler.
func (s *Scheduler) Start() {
	s.own("Start")
	if s.begin() {
		s.loop.arm(&s.alarm, never)
		s.pause = 0
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
	s.pause = 0
	s.plan(s.loop.wallNow())
}

// At returns the moment that the watcher waits for; in its callback, that is
// the next one already. It is what the function returned last, errors aside: an
// inactive watcher keeps it. The zero time is none. A moment that time.Duration
// cannot count, after the year 2262, does not come.
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
	s.checkCallback(fn == nil)
	s.fn = fn
}

func (s *Scheduler) call()         { s.fn(s) }
func (s *Scheduler) callback() any { return s.fn }
func (s *Scheduler) onStop()       { s.loop.disarm(&s.alarm) }

// expire marks first and asks then: a function that ends the goroutine, or
// stops its watcher against the rules, finds the loop in order.
func (s *Scheduler) expire(_, now time.Duration) {
	if s.pause == 0 {
		s.loop.pending.mark(&s.watcher, PeriodicEvent)
	}
	s.loop.periodics.add(&s.alarm, never)
	s.plan(now + 1) // a function that returns now is for the next iteration
}

func (s *Scheduler) replan(now time.Duration) {
	if !s.failed && !(s.catchUp && s.overdue(now)) {
		s.plan(now)
	}
}

// plan asks the function, and fires then but not before earliest. While it asks,
// and if it fails, the watcher waits for nothing.
func (s *Scheduler) plan(earliest time.Duration) {
	l := s.loop
	l.periodics.move(&s.alarm, never)
	now := l.Now().Round(0) // wall clock only
	at, ok := s.ask(now)
	switch {
	case !ok || s.pos == 0:
	case at.Before(now) && !at.IsZero():
		s.askLater(at, now)
	default:
		s.pause, s.at = 0, at
		if at.IsZero() {
			s.end()
		} else {
			l.periodics.move(&s.alarm, max(sinceEpoch(at), earliest))
		}
	}
}

// ask calls the function. It reports false for a failure, which is on its way
// to be reported then, also if the function ends the goroutine.
func (s *Scheduler) ask(now time.Time) (at time.Time, ok bool) {
	s.failed = true
	defer func() {
		if s.failed = !ok; ok {
			return
		}
		var v any = errGoexit
		if panicked := recover(); panicked != nil {
			v = panicked
		}
		s.fail(v, false)
	}()
	return s.next(s, now), true
}

// How long to wait before a function that returned the past is asked again: often
// enough for what it returns then to be hardly late, and no burden if it goes on.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// askLater is for the past, at, as an answer.
func (s *Scheduler) askLater(at, now time.Time) {
	l := s.loop
	if s.pause == 0 {
		s.fail(fmt.Errorf("ev: %s: next returned %v, which is before now, %v", s.title(), at, now), true)
	}
	s.pause = min(max(firstPause, 2*s.pause), longestPause)
	l.periodics.move(&s.alarm, after(l.wallNow(), s.pause))
}

// title is what an error calls the Scheduler: its name or, without one, where its
// next function was written.
func (s *Scheduler) title() string {
	if s.name != "" {
		return fmt.Sprintf("Scheduler %q", s.name)
	}
	return "Scheduler of " + Callback{Watcher: s, fn: s.next}.Position()
}

func (s *Scheduler) fail(v any, past bool) {
	f := failure{s, v, past, debug.Stack()}
	s.loop.reports = append(s.loop.reports, f.report)
}

// end deactivates the watcher, and leaves it pending if it is.
func (s *Scheduler) end() {
	s.onStop()
	s.loop.deactivate(&s.watcher)
	s.loop.publishIfIdle()
}

// failure is what a next function did wrong.
type failure struct {
	s     *Scheduler
	v     any  // what it panicked with, or an error
	past  bool // it returned the past
	stack []byte
}

// report is made in the next iteration. It stops a Scheduler whose function panicked.
func (f failure) report() {
	l := f.s.loop
	if f.past {
		l.reportPast(f)
		return
	}
	if f.s.failed && f.s.index != 0 {
		f.s.failed = false
		f.s.end()
	}
	if l.onPanic == nil {
		panic(f.v)
	}
	l.recovered(Callback{Watcher: f.s, fn: f.s.next}, f.v, f.stack)
}

// reportPast logs before it calls the handler, as recovered does, but needs no
// handler: nothing is lost to the program that a crash would save.
func (l *Loop) reportPast(f failure) {
	logger := l.logger
	if logger == nil && l.onPanic == nil {
		logger = slog.Default()
	}
	if logger != nil {
		c := Callback{Watcher: f.s, fn: f.s.next}
		logger.Error("ev: a Scheduler's function returned the past", c.attributes(l), "error", f.v)
	}
	if l.onPanic != nil {
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
