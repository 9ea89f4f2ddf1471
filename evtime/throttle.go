package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Throttle makes calls for triggers, but no two within a period. The first
// trigger after a quiet period is answered at once, those that follow by one call
// when the period is over: so the last state is always seen. It is for progress
// reports, redraws, writes to a rate-limited service.
type Throttle struct {
	timer  *ev.Timer
	period time.Duration
	next   time.Time // no call before this
	fn     func(*Throttle)
}

// NewThrottle makes a Throttle that calls fn at most once per period, counted
// from the beginning of one call to that of the next. It panics when l or fn is
// nil or period is not positive.
func NewThrottle(l *ev.Loop, period time.Duration, fn func(*Throttle), opts ...ev.Option) *Throttle {
	if period <= 0 {
		panic(fmt.Sprintf("evtime: NewThrottle: period %v is not positive", period))
	}
	t := &Throttle{period: period, fn: fn}
	t.timer = newTimer("NewThrottle", l, fn == nil, t.call, opts)
	return t
}

// Trigger asks for a call, unless one is waiting. It never calls fn itself: a
// call that may be made at once is queued for the loop's pass in progress, or
// for its next Run. A trigger from inside fn asks for another call, a period
// later.
func (t *Throttle) Trigger() {
	switch {
	case t.Waiting():
	case time.Now().Before(t.next):
		arm(t.timer, t.next)
	default:
		t.timer.Feed(ev.TimerEvent)
	}
}

// Waiting reports whether there will be a call. It is false inside fn, unless
// that triggered another.
func (t *Throttle) Waiting() bool { return waiting(t.timer) }

// Flush makes the call now that is waiting, if one is, though its period is not
// over: the last report before the end.
func (t *Throttle) Flush() {
	if t.Waiting() {
		t.timer.Stop()
		t.call(nil)
	}
}

// Stop forgets the call that is waiting. It does not forget the period: what is
// triggered after it still waits for its end.
func (t *Throttle) Stop() { t.timer.Stop() }

func (t *Throttle) call(*ev.Timer) {
	t.next = time.Now().Add(t.period)
	t.fn(t)
}
