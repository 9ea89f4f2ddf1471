package ev

import (
	"math"
	"time"
)

// clock is the loop's view of the time. Timers follow the monotonic clock, as a duration
// since base. The wall clock is extrapolated from that and read again twice a second, as
// in libev: reading one clock is cheaper than reading two.
type clock struct {
	base   time.Time     // when the loop was made; immutable
	mono   time.Duration // the cached time, since base
	wall   time.Time     // the wall clock at the last reading …
	wallAt time.Duration // … and mono at that moment
	reread bool          // read the wall clock at the next update: it may have been set
	again  bool          // it was set, and a watcher that waits on it has not followed

	stale  bool   // mono is older than this iteration; see tick
	wanted uint64 // the last iteration in which the time was of interest
	read   uint64 // the last iteration in which readClock was called

	delayed time.Duration // the time between Suspend and Resume, ever
}

// quiet is for how many iterations nothing must be interested in the time before an iteration
// leaves it unread.
const quiet = 1000

// The wall clock was set, and not just read a little late, if it is off by wallJump or
// more.
const (
	wallReread = 500 * time.Millisecond
	wallJump   = time.Second
)

func newClock() clock {
	now := time.Now()
	return clock{base: now, wall: now}
}

// update refreshes the cached time. It reports whether the wall clock was set.
func (c *clock) update() (jumped bool) {
	c.stale = false
	c.mono = c.present()
	if c.mono-c.wallAt < wallReread && !c.reread {
		return false
	}
	now := time.Now()
	return c.set(now, now.Sub(c.base))
}

// set notes that at mono the wall clock showed wall. It reports whether that differs from
// the extrapolated time.
func (c *clock) set(wall time.Time, mono time.Duration) (jumped bool) {
	expected := c.wall.UnixNano() + int64(mono-c.wallAt)
	c.wall, c.wallAt, c.mono, c.reread = wall, mono, mono, false
	off := time.Duration(wall.UnixNano() - expected)
	jumped, c.again = c.again || off >= wallJump || off <= -wallJump, false
	return jumped
}

// present reads the clock, and leaves the cached time as it is.
func (c *clock) present() time.Duration { return time.Since(c.base) }

// instant reads the clock.
func (c *clock) instant() time.Time { return c.base.Add(c.present()) }

// wallNow is the cached time on the wall clock, since the Unix epoch. Where the time may be
// stale, call now first.
func (c *clock) wallNow() time.Duration {
	return time.Duration(c.wall.UnixNano()) + c.mono - c.wallAt
}

// update refreshes the cached time. If the wall clock was set, the watchers that wait on
// it compute their due times again.
func (l *Loop) update() {
	if l.clock.update() {
		l.replanPeriodics()
	}
}

// tick follows each poll. It reads the clock, unless nothing has been interested in the time
// for a while: the loop has not parked, no Timer, Periodic or Scheduler was active, and no
// method has asked. In a loop that is so busy with short callbacks, the reading would be the
// dearest part of an iteration. Then now reads the clock, as Update would, if a method asks.
func (l *Loop) tick() {
	if len(l.timers.heap) > 0 || len(l.periodics.heap) > 0 || len(l.embedded) > 0 || l.ioInterval > 0 {
		l.wanted = l.iteration
	}
	if l.iteration-l.wanted < quiet {
		l.readClock()
		return
	}
	l.stale = true
}

// readClock is update, for tick or in its place. It finds whether the iterations since it was
// called last were short ones.
func (l *Loop) readClock() {
	before, iterations := l.mono, max(l.iteration-l.read, 1)
	l.update()
	l.read = l.iteration
	l.wakePolicy.hot = (l.mono-before)/time.Duration(iterations) < hotIteration
}

// now returns the cached time, for the methods that callbacks may call.
func (l *Loop) now() time.Duration {
	l.wanted = l.iteration
	if l.stale {
		l.readClock()
	}
	return l.mono
}

// Now returns the loop's cached time: that of the end of the last poll or of the last
// Update, whichever is later. It is constant during a pass, and timers count from it.
// libev's ev_now.
//
// A loop that is busy, and not interested in the time, leaves the clock unread: if for 1000
// iterations it has not parked, no Timer, Periodic or Scheduler was active, and no method has
// asked for the time. Then the first method in a pass that depends on the time updates Now,
// as Update does, and the loop reads the clock in each iteration again.
func (l *Loop) Now() time.Time {
	l.own("Now")
	mono := l.now()
	return l.wall.Add(mono - l.wallAt)
}

// Update refreshes Now (ev_now_update). Call it before a Start that follows long work: without
// it, the watcher counts from before the work. Timer.Arm needs no Update.
func (l *Loop) Update() {
	l.own("Update")
	l.now()
	l.update()
}

// Suspend must be called before the program is stopped for a while on purpose, and Resume
// after that (ev_suspend, ev_resume). Timers are delayed by the time between. Periodics
// and Schedulers skip the moments in that time or, with CatchUp, are called back once for
// all of them. Between the two calls, no other method of the loop may be called.
func (l *Loop) Suspend() {
	l.own("Suspend")
	l.update()
}

// Resume ends a Suspend; see there.
func (l *Loop) Resume() {
	l.own("Resume")
	suspended := l.mono
	l.clock.update()
	l.timers.shift(l.mono - suspended)
	l.delayed += l.mono - suspended
	l.replanPeriodics()
}

// Every sum and difference of a user's span and a due time is computed by after or since.
// Both saturate: a timer of 290 years is far away, not overdue, and one that was due 290
// years ago stays overdue.

const (
	never   = time.Duration(math.MaxInt64) // a due time that does not come
	longAgo = time.Duration(math.MinInt64) // a due time before all others
)

// after returns t + d, or the nearest of never and longAgo.
func after(t, d time.Duration) time.Duration {
	if sum := t + d; (sum > t) == (d > 0) {
		return sum
	}
	return saturated(d > 0)
}

// since returns t - u, or the nearest of never and longAgo.
func since(t, u time.Duration) time.Duration {
	if diff := t - u; (diff < t) == (u > 0) {
		return diff
	}
	return saturated(u < 0)
}

func saturated(up bool) time.Duration {
	if up {
		return never
	}
	return longAgo
}
