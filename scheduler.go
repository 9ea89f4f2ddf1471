package ev

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"
)

// Scheduler calls back at times of the wall clock that a function computes, one after the other:
// days of local time, cron expressions, tides; libev's ev_periodic with a reschedule callback,
// pyev's Scheduler. It behaves as Periodic does when the loop is busy or the clock is set.
//
// The function is named next, as in NewScheduler. Its argument is the time now, and it returns the
// time to fire, now or later. It is called by Start and Reset, just before each callback, after
// Resume, and when the clock was set. It may be called any number of times for one callback, so it
// should compute, not count. It must not use the loop or any watcher of it: it runs in the middle
// of the loop's own work.
//
// With CatchUp, next is not called at a jump over the time for which the Scheduler waits. It is
// called once after the jump, just before the callback, with the time then.
//
// If next returns the zero time, there is no further time (a cron.Schedule does the same). The
// Scheduler stops after the callback that is due. It is inactive in that callback, like a
// one-shot.
//
// # A time in the past
//
// A time before now, except the zero time, is an error of next: the Scheduler would fire at once,
// again and again. time.Date easily returns one in a night in which clocks go forward; the example
// Daily has a function that does not.
//
// The Scheduler then stays active and calls next again after a second. While next returns the
// past, it waits two seconds, four, and so on up to a minute. These calls make no callback. A
// callback that was due is still made. The first of such errors in a row is reported in the next
// iteration, with the name of the Scheduler and the times: to the handler of WithPanicHandler, if
// there is one, and to the log of WithLogger or, without either, of slog.Default.
//
// # A panic
//
// If next panics or calls runtime.Goexit, the loop stops the Scheduler at the beginning of the next
// iteration. It reports the value of the panic as for a panic in a callback: to the handler of
// WithPanicHandler, or else as a panic that leaves Run. Until then the Scheduler is active and
// waits for nothing. A Reset that succeeds meanwhile keeps it active. A callback that was due is
// still made.
type Scheduler struct {
	_ noCopy
	alarm
	catchUp bool
	failed  bool          // next did not return, in its last call
	pause   time.Duration // until next, which returned the past, is called again; else 0
	at      time.Time
	next    func(s *Scheduler, now time.Time) time.Time
	fn      func(*Scheduler)
}

// NewScheduler makes a Scheduler that fires at the times that next returns. It panics if l, next or
// fn is nil.
func NewScheduler(l *Loop, next func(s *Scheduler, now time.Time) time.Time, fn func(*Scheduler), opts ...Option) *Scheduler {
	s := &Scheduler{next: next, fn: fn}
	s.watcher.init("NewScheduler", s, l, fn == nil, opts)
	if next == nil {
		panic("ev: NewScheduler: nil next function")
	}
	return s
}

// Start calls next and waits for the time that it returns. It has no effect on an active watcher or
// on a closed loop. It does not report that next panicked or returned the past; see Scheduler.
func (s *Scheduler) Start() {
	s.own("Start")
	if s.begin() {
		s.loop.now()
		s.loop.arm(&s.alarm, never)
		s.pause = 0
		s.plan(s.loop.wallNow())
	}
}

// Reset starts over, whether the watcher is active or not (ev_periodic_again). It clears a pending
// event, then calls next.
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

// At returns the time that the watcher waits for; in its callback, that is the next one already. It
// is the last time that next returned, without errors; an inactive watcher keeps it. The zero time
// means none. A time that time.Duration cannot count, after the year 2262, never comes.
func (s *Scheduler) At() time.Time {
	s.own("At")
	return s.at
}

// SetNext replaces the function, from the next expiry or Reset on. It panics if next is nil.
func (s *Scheduler) SetNext(next func(s *Scheduler, now time.Time) time.Time) {
	s.own("SetNext")
	if next == nil {
		panic("ev: Scheduler.SetNext: nil function")
	}
	s.next = next
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (s *Scheduler) SetCallback(fn func(*Scheduler)) {
	s.own("SetCallback")
	s.checkCallback(fn == nil)
	s.fn = fn
}

func (s *Scheduler) call()         { s.fn(s) }
func (s *Scheduler) callback() any { return s.fn }
func (s *Scheduler) onStop()       { s.loop.disarm(&s.alarm) }

// expire marks before it plans, so that the loop is in order if next ends the goroutine, or stops
// its watcher against the rules.
func (s *Scheduler) expire(_, now time.Duration) {
	if s.pause == 0 {
		s.loop.pending.mark(&s.watcher, PeriodicEvent)
	}
	s.loop.periodics.add(&s.alarm, never)
	s.plan(now + 1) // if next returns now, that is for the next iteration
}

func (s *Scheduler) replan(now time.Duration) {
	if !s.failed && !(s.catchUp && s.overdue(now)) {
		s.plan(now)
	}
}

// plan calls next, and arms the alarm for the result, but not before earliest. While next is
// called, and if it fails, the watcher waits for nothing.
func (s *Scheduler) plan(earliest time.Duration) {
	l := s.loop
	l.periodics.move(&s.alarm, never)
	now := l.Now().Round(0) // wall clock only
	at, ok := s.callNext(now)
	switch {
	case !ok || !s.armed():
	case at.Before(now) && !at.IsZero():
		s.retryLater(at, now)
	default:
		s.pause, s.at = 0, at
		if at.IsZero() {
			s.end()
		} else {
			l.periodics.move(&s.alarm, max(sinceEpoch(at), earliest))
		}
	}
}

// callNext calls next. If next panics or ends the goroutine, callNext queues a report, and returns
// false if it can.
func (s *Scheduler) callNext(now time.Time) (at time.Time, ok bool) {
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

// The time until a function that returned the past is called again: short enough for its next
// result to be hardly late, and no burden if it goes on.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// retryLater is called if next returned at, which is in the past.
func (s *Scheduler) retryLater(at, now time.Time) {
	l := s.loop
	if s.pause == 0 {
		s.fail(fmt.Errorf("ev: %s: next returned %v, which is before now, %v", s.title(), at, now), true)
	}
	s.pause = min(max(firstPause, 2*s.pause), longestPause)
	l.periodics.move(&s.alarm, after(l.wallNow(), s.pause))
}

// title returns the Scheduler's name for an error. Without one, it returns the position of its next
// function.
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

// end deactivates the watcher. If it is pending, it stays so.
func (s *Scheduler) end() {
	s.onStop()
	s.loop.deactivate(&s.watcher)
	s.loop.publishIfIdle()
}

// failure is a panic or a wrong result of a next function.
type failure struct {
	s     *Scheduler
	v     any  // the value of the panic, or an error
	past  bool // it returned the past
	stack []byte
}

// report is called in the next iteration. It stops a Scheduler whose function panicked.
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

// reportPast logs before it calls the handler, as recovered does. It needs no handler: unlike
// after a panic, the program is in order.
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

// lastTime is the last time that a time.Duration can count since the epoch.
var lastTime = time.Unix(0, math.MaxInt64)

// sinceEpoch returns the time as a due time. After lastTime it returns never.
func sinceEpoch(t time.Time) time.Duration {
	if t.After(lastTime) {
		return never
	}
	return time.Duration(t.UnixNano())
}
