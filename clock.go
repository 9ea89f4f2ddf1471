package ev

import "time"

// clock is the loop's idea of the time. Timers follow the monotonic clock, as a
// duration since base. The wall clock is extrapolated from that and read anew
// twice a second, as libev does: reading one clock is cheaper than reading two.
type clock struct {
	base   time.Time     // when the loop was made; immutable
	mono   time.Duration // the cached time, since base
	wall   time.Time     // the wall clock as it was read last …
	wallAt time.Duration // … and when that was
	reread bool          // the wall clock was set, somebody says: look
	again  bool          // it was, and somebody who was to follow it did not
}

// The wall clock has been set, rather than read a little late, when it is off by
// wallJump or more.
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
	c.mono = time.Since(c.base)
	if c.mono-c.wallAt < wallReread && !c.reread {
		return false
	}
	now := time.Now()
	return c.set(now, now.Sub(c.base))
}

// set takes in that at mono the wall clock showed wall. It reports whether that
// is another time than it should have been.
func (c *clock) set(wall time.Time, mono time.Duration) (jumped bool) {
	expected := c.wall.UnixNano() + int64(mono-c.wallAt)
	c.wall, c.wallAt, c.mono, c.reread = wall, mono, mono, false
	off := time.Duration(wall.UnixNano() - expected)
	jumped, c.again = c.again || off >= wallJump || off <= -wallJump, false
	return jumped
}

// instant reads the clock.
func (c *clock) instant() time.Time { return c.base.Add(time.Since(c.base)) }

// wallNow is the cached time on the wall clock, since the Unix epoch.
func (c *clock) wallNow() time.Duration {
	return time.Duration(c.wall.UnixNano()) + c.mono - c.wallAt
}

// update refreshes the cached time, and has what waits on the wall clock follow
// it when it was set.
func (l *Loop) update() {
	if l.clock.update() {
		l.replanPeriodics()
	}
}

// Now returns the loop's cached time: that of the end of the last poll or of
// the last Update, whichever is later. It is constant during a pass, and timers
// count from it. libev's ev_now.
func (l *Loop) Now() time.Time {
	l.own("Now")
	return l.wall.Add(l.mono - l.wallAt)
}

// Update refreshes Now (ev_now_update). It is needed only before a Start that
// follows long work: timers would count from before the work otherwise.
func (l *Loop) Update() {
	l.own("Update")
	l.update()
}

// Suspend is called before the program is stopped for a while on purpose, and
// Resume after (ev_suspend, ev_resume). Timers are delayed by the time between.
// Periodics and Schedulers skip the moments that it contained or, with CatchUp,
// are called back once for all of them. Between the two no other method of the loop
// may be used.
func (l *Loop) Suspend() {
	l.own("Suspend")
	l.update()
}

// Resume follows Suspend.
func (l *Loop) Resume() {
	l.own("Resume")
	suspended := l.mono
	l.clock.update()
	l.timers.shift(l.mono - suspended)
	l.replanPeriodics()
}
