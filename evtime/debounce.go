package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Debounce makes one call for a burst of triggers, when a given time has passed since the last
// of them. Use it for work that should follow a burst and not each part of it, such as loading
// a file that an editor writes in pieces.
type Debounce struct {
	timer   *ev.Timer
	wait    time.Duration
	maxWait time.Duration
	latest  time.Time // with maxWait: the call is made no later than this
	fn      func(*Debounce)
}

// NewDebounce makes a Debounce that calls fn when wait has passed since the last Trigger. With
// a wait of 0, fn is called in the loop's next iteration.
//
// If triggers keep coming, fn is called at the latest maxWait after the first Trigger that it
// was not called for. A maxWait of 0 means no such limit.
//
// NewDebounce panics if l or fn is nil, if a span is negative, or if maxWait is not 0 and
// shorter than wait.
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

// Trigger requests a call, and postpones a call that is waiting. It never calls fn itself. In
// fn, Trigger requests another call.
func (d *Debounce) Trigger() {
	now := time.Now()
	at := now.Add(d.wait)
	if d.maxWait > 0 {
		if !d.Waiting() {
			d.latest = now.Add(d.maxWait)
		}
		// The call is due. If it were armed again, it would be postponed to the next
		// iteration, and could be postponed in that again.
		if !now.Before(d.latest) {
			return
		}
		if at.After(d.latest) {
			at = d.latest
		}
	}
	arm(d.timer, at)
}

// Waiting reports whether a call is waiting. It returns false in fn, unless fn has called
// Trigger.
func (d *Debounce) Waiting() bool { return waiting(d.timer) }

// Flush calls fn now if a call is waiting, for example before the loop is closed.
func (d *Debounce) Flush() {
	if d.Waiting() {
		d.timer.Stop()
		d.call(nil)
	}
}

// Stop cancels the call that is waiting. A later Trigger requests a new one.
func (d *Debounce) Stop() { d.timer.Stop() }

func (d *Debounce) call(*ev.Timer) { d.fn(d) }
