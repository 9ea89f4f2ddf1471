package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Throttle makes calls for triggers, at most one in each period. The first trigger after a
// quiet period causes a call at once. The triggers that follow cause one call when the period
// is over, so that the last state is always reported. Use it for progress reports, redraws, or
// writes to a service with a rate limit.
type Throttle struct {
	timer  *ev.Timer
	period time.Duration
	next   time.Time // no call before this
	edges  Edges
	fn     func(*Throttle)
}

// NewThrottle makes a Throttle that calls fn at most once per period. A period begins when a
// call begins. NewThrottle panics if l or fn is nil or period is not positive.
func NewThrottle(l *ev.Loop, period time.Duration, fn func(*Throttle), opts ...ev.Option) *Throttle {
	if period <= 0 {
		panic(fmt.Sprintf("evtime: NewThrottle: period %v is not positive", period))
	}
	t := &Throttle{period: period, edges: Leading | Trailing, fn: fn}
	t.timer = newTimer("NewThrottle", l, fn == nil, t.call, opts)
	return t
}

// SetEdges sets for which triggers there are calls. The default is Leading | Trailing.
//
//	Leading   the first trigger after a period; triggers within a period have no effect
//	Trailing  each call comes a period after the first trigger that it is for, or later
//
// SetEdges panics for other values.
func (t *Throttle) SetEdges(edges Edges) {
	edges.check("Throttle.SetEdges")
	t.edges = edges
}

// Trigger requests a call, unless one is waiting. It never calls fn itself: a call that may
// be made at once is made in the loop's pass in progress, or in its next Run. In fn, Trigger
// requests another call, a period later.
func (t *Throttle) Trigger() {
	switch now := time.Now(); {
	case t.Waiting():
	case now.Before(t.next):
		if t.edges&Trailing != 0 {
			arm(t.timer, t.next)
		}
	case t.edges&Leading == 0:
		arm(t.timer, now.Add(t.period))
	default:
		t.timer.Feed(ev.TimerEvent)
	}
}

// Waiting reports whether a call is waiting. It returns false in fn, unless fn has called
// Trigger.
func (t *Throttle) Waiting() bool { return waiting(t.timer) }

// Flush calls fn now if a call is waiting, though the period is not over: for example for the
// last report of a program.
func (t *Throttle) Flush() {
	if t.Waiting() {
		t.timer.Stop()
		t.call(nil)
	}
}

// Stop cancels the call that is waiting. It does not end the period: a later Trigger still
// waits for the end of the period.
func (t *Throttle) Stop() { t.timer.Stop() }

func (t *Throttle) call(*ev.Timer) {
	t.next = time.Now().Add(t.period)
	t.fn(t)
}
