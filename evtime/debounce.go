package evtime

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Debounce makes one call for a burst of triggers, when a given time has passed since the last
// of them. With SetEdges it makes a call at once, or both. Use it for work that should follow a
// burst and not each part of it, such as loading a file that an editor writes in pieces.
type Debounce struct {
	timer   *ev.Timer
	wait    time.Duration
	maxWait time.Duration
	latest  time.Time // with maxWait: the call is made no later than this
	edges   Edges
	until   time.Time // the burst lasts until this, unless there is another trigger
	leads   bool      // the call that is waiting is that of a leading edge
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
	d := &Debounce{wait: wait, maxWait: maxWait, edges: Trailing, fn: fn}
	d.timer = newTimer("NewDebounce", l, fn == nil, d.call, opts)
	return d
}

// SetEdges sets when calls are made. The default is Trailing: when wait has passed since the last
// trigger of a burst. With Leading, the first trigger of a burst causes a call at once, in the
// loop's pass in progress or in its next Run. A burst ends when wait has passed without a trigger.
//
//	Leading             one call at once; the other triggers of the burst have no effect
//	Leading | Trailing  one call at once, and one after the burst if it had more triggers
//
// maxWait limits the wait for the call after the burst. SetEdges panics for other values.
func (d *Debounce) SetEdges(edges Edges) {
	edges.check("Debounce.SetEdges")
	d.edges = edges
}

// Trigger requests a call, and postpones a call that is waiting for the end of the burst. It
// never calls fn itself. In fn, Trigger requests another call, unless the edges are Leading.
func (d *Debounce) Trigger() {
	now := time.Now()
	at := now.Add(d.wait)
	if d.edges&Leading != 0 {
		first := !d.Waiting() && !now.Before(d.until)
		d.until = at
		switch {
		case d.leads: // that call has not begun, and is for this trigger too
			return
		case first:
			d.leads = true
			d.timer.Feed(ev.TimerEvent)
			d.leads = d.timer.Pending() // not on a closed loop
			return
		case d.edges&Trailing == 0:
			return
		}
	}
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

// Stop cancels the call that is waiting, and ends the burst. A later Trigger requests a new call.
func (d *Debounce) Stop() {
	d.timer.Stop()
	d.leads, d.until = false, time.Time{}
}

func (d *Debounce) call(*ev.Timer) {
	d.leads = false
	d.fn(d)
}
