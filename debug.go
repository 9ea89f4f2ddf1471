package ev

import (
	"fmt"
	"os"
	"reflect"

	"github.com/goevlib/ev/internal/goroutine"
)

// debugging reports whether EV_DEBUG=1 is set. New looks, not the program's
// start, so that a test can set it for one loop.
func debugging() bool { return os.Getenv("EV_DEBUG") == "1" }

// Misuse: a method of nothing, of something that no constructor made, or with
// EV_DEBUG=1 one called by a goroutine that does not own the loop. To ask for all
// three costs a correct program two loads and two branches a call. What watchers
// share does not ask for the second where the zero value has an answer: it is
// not active, not pending, and Stop leaves it so.

// own begins every method of the loop that belongs to its goroutine.
func (l *Loop) own(method string) {
	if l == nil || l.id == 0 || l.debug {
		l.misused(method)
	}
}

// made begins every method of the loop that any goroutine may call.
func (l *Loop) checkConstructed(method string) {
	if l == nil || l.id == 0 {
		l.misused(method)
	}
}

func (l *Loop) misused(method string) {
	switch {
	case l == nil:
		panic(fmt.Sprintf("ev: Loop.%s: nil Loop", method))
	case l.id == 0:
		panic(fmt.Sprintf("ev: Loop.%s: a Loop that New did not make", method))
	}
	l.checkOwner(nil, method)
}

// misused is what a kind's own leads to.
func misused(w Watcher, method string) {
	kind := kindOf(w)
	switch {
	case reflect.ValueOf(w).IsNil():
		panic(fmt.Sprintf("ev: %s.%s: nil %s", kind, method, kind))
	case w.base().loop == nil:
		panic(fmt.Sprintf("ev: %s.%s: a watcher that no constructor made", kind, method))
	}
	w.base().loop.checkOwner(w, method)
}

// own begins every method that a kind adds. One for each kind: a nil pointer does
// not get as far as a method of the embedded watcher.
func (w *Async) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Queue[T]) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Timer) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Periodic) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Scheduler) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *IO) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Signal) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Child) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Stat) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Idle) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Prepare) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Check) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Cleanup) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

func (w *Embed) own(method string) {
	if w == nil || w.loop == nil || w.loop.debug {
		misused(w, method)
	}
}

// checkOwner panics when another goroutine than the one in Run calls a method
// of the loop or of w. It is called with EV_DEBUG=1 only: it costs microseconds.
func (l *Loop) checkOwner(w Watcher, method string) {
	l.mu.Lock()
	owner := l.owner
	l.mu.Unlock()
	if owner == 0 {
		return
	}
	if caller := goroutine.ID(); caller != owner {
		panic(l.trespass(w, method, caller, owner))
	}
}

// trespass says who called what, and shows where both goroutines are: the stack
// that a panic prints is the caller's only, and none if somebody recovers it.
func (l *Loop) trespass(w Watcher, method string, caller, owner uint64) string {
	kind, name := "Loop", ""
	if w != nil {
		kind = kindOf(w)
		if w.Name() != "" {
			name = fmt.Sprintf(" (watcher %q)", w.Name())
		}
	}
	stacks := goroutine.Stacks(caller, owner)
	return fmt.Sprintf("ev: %s.%s: called by goroutine %d, but goroutine %d runs the loop %q%s\n\nthe caller is\n%s\n\nthe loop is run by\n%s\n",
		kind, method, caller, owner, l.name, name, stacks[0], stacks[1])
}
