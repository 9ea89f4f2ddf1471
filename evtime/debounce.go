package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Debounce makes one call of many triggers, when they have come to rest: wait
// after the last of them. It is for work that should follow a burst and not each
// part of it, such as to load a file again that an editor writes in pieces.
type Debounce struct {
	timer   *ev.Timer
	wait    time.Duration
	maxWait time.Duration
	latest  time.Time // with maxWait: the call is not put off beyond this
	fn      func(*Debounce)
}

// NewDebounce makes a Debounce that calls fn when wait has passed without a
// Trigger, or at the latest maxWait after the first Trigger that fn was not
// called for: triggers that never rest would put it off for ever. A maxWait of 0
// is no such limit. With a wait of 0 the call comes in the loop's next iteration.
// It panics when l or fn is nil, a span is negative, or maxWait is shorter than
// wait and not 0.
func NewDebounce(l *ev.Loop, wait, maxWait time.Duration, fn func(*Debounce), opts ...ev.Option) *Debounce {
	switch {
	case wait < 0:
		panic(fmt.Sprintf("evtime: NewDebounce: negative wait %v", wait))
	case maxWait < 0:
		panic(fmt.Sprintf("evtime: NewDebounce: negative maxWait %v", maxWait))
	case maxWait > 0 && maxWait < wait:
		panic(fmt.Sprintf("evtime: NewDebounce: maxWait %v is shorter than wait %v", maxWait, wait))
	}
	d := &Debounce{wait: wait, maxWait: maxWait, fn: fn}
	d.timer = newTimer("NewDebounce", l, fn == nil, d.call, opts)
	return d
}

// Trigger asks for a call, and puts off one that is waiting. It never calls fn
// itself. A trigger from inside fn asks for another call.
func (d *Debounce) Trigger() {
	now := time.Now()
	at := now.Add(d.wait)
	if d.maxWait > 0 {
		if !d.Waiting() {
			d.latest = now.Add(d.maxWait)
		}
		// Due already: to arm it anew would put it off to the next iteration, and
		// again in that.
		if !now.Before(d.latest) {
			return
		}
		if at.After(d.latest) {
			at = d.latest
		}
	}
	arm(d.timer, at)
}

// Waiting reports whether there will be a call. It is false inside fn, unless
// that triggered another.
func (d *Debounce) Waiting() bool { return waiting(d.timer) }

// Flush makes the call now that is waiting, if one is: before the loop is closed,
// say.
func (d *Debounce) Flush() {
	if d.Waiting() {
		d.timer.Stop()
		d.call(nil)
	}
}

// Stop forgets the call that is waiting. A later Trigger asks for a new one.
func (d *Debounce) Stop() { d.timer.Stop() }

func (d *Debounce) call(*ev.Timer) { d.fn(d) }
