package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Ticker calls back once per period and keeps its phase: each tick is due a whole number of
// periods after Start, however late the loop was for earlier ticks. The callback gets the
// number of ticks that are due, and decides what to do about missed ticks. (A repeating
// ev.Timer that is more than a period late drops the missed ticks, and counts from then on.)
type Ticker struct {
	timer  *ev.Timer
	period time.Duration
	due    time.Time // the first tick that fn was not called for
	fn     func(t *Ticker, ticks int64)
}

// NewTicker makes a Ticker that calls fn every period while it is active. ticks is the number
// of ticks that have become due since the last call or since Start. It is 1, or more if the
// loop was busy or suspended: then ticks-1 were missed, and there is one call for all of them.
//
// To skip missed ticks, ignore the number. To make up for them, repeat the work (for range
// ticks), perhaps up to a limit: work that takes longer than its period never catches up.
//
// NewTicker panics if l or fn is nil or period is not positive.
func NewTicker(l *ev.Loop, period time.Duration, fn func(t *Ticker, ticks int64), opts ...ev.Option) *Ticker {
	if period <= 0 {
		panic(fmt.Sprintf("evtime: NewTicker: period %v is not positive", period))
	}
	t := &Ticker{period: period, fn: fn}
	t.timer = newTimer("NewTicker", l, fn == nil, t.tick, opts)
	return t
}

// Start makes the ticker active. The first tick is due a period from now. Start has no effect
// on an active ticker.
func (t *Ticker) Start() {
	if t.Active() {
		return
	}
	t.due = time.Now().Add(t.period)
	arm(t.timer, t.due)
}

// Stop makes the ticker inactive. No call begins after it returns. Ticks that fn was not called
// for are dropped. A later Start begins a new phase.
func (t *Ticker) Stop() { t.timer.Stop() }

// Active reports whether the ticker is active.
func (t *Ticker) Active() bool { return waiting(t.timer) }

// Keep sets whether this ticker, while active, keeps Run going. The default is true.
func (t *Ticker) Keep(alive bool) { t.timer.Keep(alive) }

// tick counts before it arms the timer, and arms it before it calls fn: ticks that become due
// during fn are counted for the next call.
func (t *Ticker) tick(*ev.Timer) {
	missed := time.Since(t.due) / t.period
	t.due = t.due.Add(missed * t.period).Add(t.period) // two additions: the sum of the spans may overflow
	arm(t.timer, t.due)
	t.fn(t, int64(missed)+1)
}
