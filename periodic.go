package ev

import (
	"errors"
	"fmt"
	"time"
)

// Periodic calls back at times of the wall clock, once or every interval; libev's ev_periodic,
// pyev's Periodic. A Timer waits for a span of time to pass. A Periodic waits for the clock to
// show a time: if the clock is set, the callback comes sooner or later accordingly.
//
// With an interval, the times are the slots of the Periodic: the offset plus any multiple of the
// interval, since the Unix epoch. So (0, time.Hour) is every full hour in UTC, and
// (5*time.Minute, time.Hour) is five minutes past. For calendar rules (days of local time,
// months, cron expressions) use a Scheduler.
//
// A Periodic never fires before its time, as Loop.Now shows it. On js, time.Now has whole
// milliseconds, and can show up to a millisecond less. It calls back at most once per
// iteration. With an interval of 0 it fires as soon as the clock shows its time or a later one,
// for any reason.
//
// # Missed slots
//
//   - The loop was busy, or the process was stopped (SIGSTOP, a debugger), while
//     slots passed: there is one callback for all of them.
//   - The wall clock was set forward over slots, the machine slept over them, or they are
//     inside a Suspend and Resume of the loop: they are skipped. With CatchUp, there is one
//     callback for all of them.
//   - The wall clock was set back: the slots that it shows again fire again.
//
// If the machine sleeps, the effect is that of a clock that is set forward: on Linux the
// monotonic clock stands still meanwhile.
//
// There is no promise that the loop reacts at once when the clock was set or the machine has
// slept. A busy loop reads the wall clock twice a second. A parked loop is woken by the kernel on
// Linux (not on BackendChan). Elsewhere it wakes every minute to read the clock.
type Periodic struct {
	_ noCopy
	alarm
	catchUp  bool
	offset   time.Duration
	interval time.Duration
	at       time.Time
	fn       func(*Periodic)
}

// NewPeriodic makes a Periodic that fires at the slots: offset plus a multiple of interval after
// the Unix epoch. With an interval of 0 it fires once, offset after the epoch
// (time.Duration(t.UnixNano()) for a time t). NewPeriodic panics if l or fn is nil, if interval is
// negative, or if interval is not 0 and offset is not within [0, interval].
func NewPeriodic(l *Loop, offset, interval time.Duration, fn func(*Periodic), opts ...Option) *Periodic {
	if err := checkSlots(offset, interval); err != nil {
		panic(fmt.Sprintf("ev: NewPeriodic: %v", err))
	}
	p := &Periodic{offset: offset, interval: interval, fn: fn}
	p.watcher.init("NewPeriodic", p, l, fn == nil, opts)
	return p
}

// Start arms the watcher for its first slot after Loop.Now. A one-shot is armed for its time, and
// is due at once if that has passed. Start has no effect on an active watcher or on a closed
// loop.
func (p *Periodic) Start() {
	p.own("Start")
	if p.begin() {
		p.loop.now()
		p.loop.arm(&p.alarm, p.plan(p.loop.wallNow()))
	}
}

// Set gives an inactive watcher a new offset and interval, as NewPeriodic does. It returns an
// error if the watcher is active, or where NewPeriodic would panic.
func (p *Periodic) Set(offset, interval time.Duration) error {
	p.own("Set")
	if p.index != 0 {
		return errors.New("ev: Periodic.Set: the watcher is active")
	}
	return p.set("Set", offset, interval)
}

// Reset starts over with the present offset and interval, whether the watcher is active or not
// (ev_periodic_again). It clears a pending event, then waits as after Start.
func (p *Periodic) Reset() {
	p.own("Reset")
	p.Clear()
	if p.index == 0 {
		p.Start()
		return
	}
	p.loop.periodics.move(&p.alarm, p.plan(p.loop.wallNow()))
}

// At returns the time that the watcher waits for. In the callback of a Periodic with an interval,
// that is the next slot already. With CatchUp, a slot that was jumped over is returned until its
// callback is pending. For an inactive watcher At returns the time that it waited for last, or the
// zero time if it was never started. A time that time.Duration cannot count, after the year 2262,
// never comes.
func (p *Periodic) At() time.Time {
	p.own("At")
	return p.at
}

// Offset returns the offset; see NewPeriodic.
func (p *Periodic) Offset() time.Duration {
	p.own("Offset")
	return p.offset
}

// SetOffset changes the offset, from the next expiry or Reset on. It returns an error if there is
// an interval and d is not within [0, Interval].
func (p *Periodic) SetOffset(d time.Duration) error {
	p.own("SetOffset")
	return p.set("SetOffset", d, p.interval)
}

// Interval returns the span between slots, or 0 for a one-shot.
func (p *Periodic) Interval() time.Duration {
	p.own("Interval")
	return p.interval
}

// SetInterval changes the interval, from the next expiry or Reset on. With 0, the slot that the
// watcher waits for is the last. It returns an error if d is negative, or if d is not 0 and Offset
// is not within [0, d]: change the offset first then.
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

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (p *Periodic) SetCallback(fn func(*Periodic)) {
	p.own("SetCallback")
	p.checkCallback(fn == nil)
	p.fn = fn
}

func (p *Periodic) call()         { p.fn(p) }
func (p *Periodic) callback() any { return p.fn }
func (p *Periodic) onStop()       { p.loop.disarm(&p.alarm) }

// plan sets at to the next time after now to fire, and returns it.
func (p *Periodic) plan(now time.Duration) time.Duration {
	due := p.offset
	if p.interval > 0 {
		due = slotAfter(p.offset, p.interval, now)
	}
	p.at = time.Unix(0, int64(due))
	return due
}

func (p *Periodic) expire(_, now time.Duration) {
	l := p.loop
	if p.interval > 0 {
		l.periodics.add(&p.alarm, p.plan(now))
	} else {
		l.deactivate(&p.watcher)
	}
	l.pending.mark(&p.watcher, PeriodicEvent)
}

func (p *Periodic) replan(now time.Duration) {
	if p.interval > 0 && !(p.catchUp && p.overdue(now)) {
		p.loop.periodics.move(&p.alarm, p.plan(now))
	}
}

// CatchUp makes a Periodic or a Scheduler call back if the time that it waits for is jumped over:
// because the wall clock was set forward, the machine slept, the process was stopped, or the time
// is inside a Suspend and Resume of the loop. There is one callback, however many times were
// jumped over, as soon as the loop sees the jump. Without CatchUp, which is the default, the
// watcher waits for the next time after the jump, as in libev.
//
// Use it for work that must be done later if its time was missed, such as a daily backup. It makes
// no difference to a Periodic with an interval of 0, nor when the clock is set back.
//
// It is an option of NewPeriodic and NewScheduler. The constructor of any other kind panics.
func CatchUp(on bool) Option { return catchUpOption(on) }

type catchUpOption bool

func (o catchUpOption) apply(w *watcher) {
	switch self := w.self.(type) {
	case *Periodic:
		self.catchUp = bool(o)
	case *Scheduler:
		self.catchUp = bool(o)
	default:
		panic("ev: New" + kindOf(w.self) + ": CatchUp is an option of NewPeriodic and NewScheduler")
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

// slotAfter returns the first offset + n*interval after now, or never. No step of it overflows.
func slotAfter(offset, interval, now time.Duration) time.Duration {
	past := modulo(now, interval) - modulo(offset, interval)
	if past < 0 {
		past += interval
	}
	return after(now, interval-past)
}

// modulo returns the remainder in [0, interval).
func modulo(d, interval time.Duration) time.Duration {
	if d %= interval; d < 0 {
		d += interval
	}
	return d
}
