package evtime

import (
	"time"

	"github.com/goevlib/ev"
)

// newTimer makes the timer of a helper, and checks the arguments of its constructor.
func newTimer(constructor string, l *ev.Loop, noCallback bool, expire func(*ev.Timer), opts []ev.Option) *ev.Timer {
	check(constructor, l, noCallback, opts)
	return ev.NewTimer(l, 0, 0, expire, opts...)
}

// check checks the arguments that all constructors have.
func check(constructor string, l *ev.Loop, noCallback bool, opts []ev.Option) {
	if l == nil {
		panic("evtime: " + constructor + ": nil loop")
	}
	if noCallback {
		panic("evtime: " + constructor + ": nil callback")
	}
	for _, o := range opts {
		if o == nil {
			panic("evtime: " + constructor + ": nil option")
		}
	}
}

// arm makes t fire once, at that moment. It replaces an earlier wait.
func arm(t *ev.Timer, at time.Time) { t.Arm(time.Until(at)) }

// waiting reports whether t will fire, or has fired and its callback has not begun.
func waiting(t *ev.Timer) bool { return t.Active() || t.Pending() }
