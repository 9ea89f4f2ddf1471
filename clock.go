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
}

const wallReread = 500 * time.Millisecond

func newClock() clock {
	now := time.Now()
	return clock{base: now, wall: now}
}

func (c *clock) update() {
	c.mono = time.Since(c.base)
	if c.mono-c.wallAt >= wallReread {
		c.wall = time.Now()
		c.wallAt = c.wall.Sub(c.base)
		c.mono = c.wallAt
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
// Resume after: timers are delayed by the time between (ev_suspend, ev_resume).
// Between the two no other method of the loop may be used.
func (l *Loop) Suspend() { l.Update() }

// Resume follows Suspend.
func (l *Loop) Resume() {
	suspended := l.mono
	l.Update()
	l.timers.shift(l.mono - suspended)
}
