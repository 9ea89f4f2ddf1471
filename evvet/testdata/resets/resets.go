// Package resets is the input of the analyzer's test for Reset of timers that do not repeat.
package resets

import (
	"time"

	"github.com/goevlib/ev"
)

const never = 0

type conn struct {
	timeout *ev.Timer
	beat    *ev.Timer
	both    *ev.Timer
}

func New(l *ev.Loop, fn func(*ev.Timer), repeat time.Duration) *conn {
	c := &conn{timeout: ev.NewTimer(l, time.Second, never, fn), beat: ev.NewTimer(l, 0, time.Second, fn)}
	c.timeout.Start()
	c.both = ev.NewTimer(l, time.Second, 0, fn)
	if repeat > 0 {
		c.both = ev.NewTimer(l, 0, repeat, fn)
	}
	return c
}

func (c *conn) Seen() {
	c.timeout.Reset() // want `Reset stops a Timer that does not repeat: use Timer.Arm, or make the timer with \(0, d\)`
	c.beat.Reset()
	c.both.Reset()
}

func Locals(l *ev.Loop) {
	again := ev.NewTimer(l, time.Second, 0, func(t *ev.Timer) {
		t.Reset() // want `Reset stops a Timer`
	})
	again.Start()
	set := ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {})
	if err := set.SetRepeat(time.Second); err != nil {
		return
	}
	set.Reset()
	passed := ev.NewTimer(l, time.Second, 0, func(t *ev.Timer) { repeat(t); t.Reset() })
	repeat(passed)
	passed.Reset()
}

func repeat(t *ev.Timer) { _ = t.SetRepeat(time.Second) }
