package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Ticker calls back once a period, and keeps its phase: ticks are due a whole
// number of periods after Start, however late the loop was for those before. It
// leaves to its callback what becomes of ticks that were missed: the callback is
// told how many are due. A repeating ev.Timer, when it lags by more than a
// period, drops them, and counts from then on.
type Ticker struct {
	timer  *ev.Timer
	period time.Duration
	due    time.Time // the first tick that fn was not told of
	fn     func(t *Ticker, ticks int64)
}

// NewTicker makes a Ticker that, once started, calls fn every period with the
// number of ticks that have come due since the last call (or since Start): 1, or
// more when the loop was busy; n-1 of them were missed. There is one call for
// all of them. An fn that skips missed ticks does not look at the number; one
// that replays them does its work so many times (for range ticks), perhaps up to
// a limit, lest work that is too slow for its period never catch up. Time between
// ev.Loop.Suspend and Resume is missed like any other. It panics when l or fn is
// nil or period is not positive.
func NewTicker(l *ev.Loop, period time.Duration, fn func(t *Ticker, ticks int64), opts ...ev.Option) *Ticker {
	if period <= 0 {
		panic(fmt.Sprintf("evtime: NewTicker: period %v is not positive", period))
	}
	t := &Ticker{period: period, fn: fn}
	t.timer = newTimer("NewTicker", l, fn == nil, t.tick, opts)
	return t
}

// Start has the first tick come due a period from now. It has no effect on an
// active ticker.
func (t *Ticker) Start() {
	if t.Active() {
		return
	}
	t.due = time.Now().Add(t.period)
	arm(t.timer, t.due)
}

// Stop ends the ticks: no call begins after it returns. Ticks not yet told of
// are forgotten. Start begins a new phase.
func (t *Ticker) Stop() { t.timer.Stop() }

// Active reports whether the ticker is started.
func (t *Ticker) Active() bool { return waiting(t.timer) }

// Keep tells whether this ticker, while active, keeps Run going; true is the
// default.
func (t *Ticker) Keep(alive bool) { t.timer.Keep(alive) }

// tick counts before it arms, and arms before it calls: what comes due during
// fn is for the next call.
func (t *Ticker) tick(*ev.Timer) {
	missed := time.Since(t.due) / t.period
	t.due = t.due.Add(missed * t.period).Add(t.period) // one after the other: the sum of the two may not fit
	arm(t.timer, t.due)
	t.fn(t, int64(missed)+1)
}
