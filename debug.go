package ev

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/goevlib/ev/internal/advice"
	"github.com/goevlib/ev/internal/goroutine"
)

// debugging reports whether EV_DEBUG=1 is set. New reads it, so that a test can set it
// for one loop.
func debugging() bool { return os.Getenv("EV_DEBUG") == "1" }

// Misuse: a method of something that no constructor made or, with EV_DEBUG=1, a method
// called by a goroutine that does not own the loop. The checks cost two loads and two
// branches per call. The language checks that a watcher is not nil.

// own begins every method of the loop that belongs to its goroutine.
func (l *Loop) own(method string) {
	if l == nil || l.id == 0 || l.debug {
		l.misused(method)
	}
}

// checkConstructed begins every method of the loop that any goroutine may call.
func (l *Loop) checkConstructed(method string) {
	if l == nil || l.id == 0 {
		l.misused(method)
	}
}

func (l *Loop) misused(method string) {
	switch {
	case l == nil:
		panic(fmt.Sprintf("ev: %s: nil Loop", qualified("Loop", method)))
	case l.id == 0:
		panic(fmt.Sprintf("ev: %s: a Loop that New did not make", qualified("Loop", method)))
	}
	l.checkOwner(nil, method)
}

// own begins every method of a watcher that belongs to the loop's goroutine and needs a
// loop.
func (w *watcher) own(method string) {
	if w.loop == nil || w.loop.debug {
		w.misused(method)
	}
}

// ownIfConstructed begins the methods for which the zero watcher has an answer: it is not
// active and not pending, and Stop leaves it that way.
func (w *watcher) ownIfConstructed(method string) {
	if w.loop != nil && w.loop.debug {
		w.loop.checkOwner(w.self, method)
	}
}

func (w *watcher) misused(method string) {
	if w.loop != nil {
		w.loop.checkOwner(w.self, method)
		w.loop.advisor.used(w, method)
		return
	}
	if kind := kindOfCaller(method); kind != "watcher" {
		panic(fmt.Sprintf("ev: %s.%s: a watcher that no constructor made", kind, method))
	}
	panic(fmt.Sprintf("ev: %s of a watcher that no constructor made", method))
}

// kindOfCaller returns the type whose method is on the stack. A zero watcher does not
// know its kind.
func kindOfCaller(method string) string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next() // such as github.com/goevlib/ev.(*Timer).Start
		if at, ok := strings.CutSuffix(frame.Function, ")."+method); ok {
			_, kind, _ := strings.Cut(at, "(*")
			kind, _, _ = strings.Cut(kind, "[") // type arguments
			return kind
		}
		if !more {
			return "watcher"
		}
	}
}

// qualified returns the name of a method with its type, which it may have already: those of
// Cond, Mailbox and Group ask the loop or a task. Call and Go are functions.
func qualified(kind, method string) string {
	if strings.Contains(method, ".") || kind == "Loop" && (method == "Call" || method == "Go") {
		return method
	}
	return kind + "." + method
}

// checkOwner panics if the calling goroutine is not the one in Run. method is one of the
// loop or, if w is not nil, of w. It is called with EV_DEBUG=1 only: it costs
// microseconds.
func (l *Loop) checkOwner(w Watcher, method string) {
	l.mu.Lock()
	owner := l.owner
	l.mu.Unlock()
	if owner == 0 {
		return
	}
	if caller := goroutine.ID(); caller != owner && caller != l.running.Load() {
		panic(l.trespass(w, method, caller, owner))
	}
}

// trespass names the method and the goroutines, and shows the stacks of both. A panic
// prints the caller's stack only, and none if it is recovered.
func (l *Loop) trespass(w Watcher, method string, caller, owner uint64) string {
	kind, name := "Loop", ""
	if w != nil {
		kind = kindOf(w)
		if w.Name() != "" {
			name = fmt.Sprintf(" (watcher %q)", w.Name())
		}
	}
	stacks := goroutine.Stacks(caller, owner)
	return fmt.Sprintf("ev: %s: called by goroutine %d, but goroutine %d runs the loop %q%s\n%s\n\nthe caller is\n%s\n\nthe loop is run by\n%s\n",
		qualified(kind, method), caller, owner, l.name, name, advice.OtherGoroutine, stacks[0], stacks[1])
}
