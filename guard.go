package ev

import (
	"log/slog"
	"runtime/debug"
	"runtime/trace"
	"time"

	"go.uber.org/atomic"
)

// guarding is what a loop has because somebody wants to know of its callbacks.
type guarding struct {
	guardFunc func(entry)               // l.guard, as a value
	guarded   bool                      // an option needs guard around every callback
	labels    *labels                   // nil without WithProfileLabels; the loop goroutine's
	observers atomic.Pointer[observers] // nil while there are none
}

func (l *Loop) initGuard() {
	l.guardFunc = l.guard
	l.guarded = l.onPanic != nil || l.slow > 0 || l.profiled
	if l.profiled {
		l.labels = &labels{loop: l.String()}
	}
}

// callPending is a pass. Its calls are guarded if somebody wants to know of
// them: for everybody else that costs two loads a pass, and nothing a call.
func (l *Loop) callPending(closed *atomic.Uint32) {
	o := l.observers.Load()
	if o != nil && l.pending.count > 0 {
		l.tellPass(o)
	}
	var guard func(entry)
	if o != nil || l.guarded || trace.IsEnabled() {
		guard = l.guardFunc
	}
	l.pending.pass(closed, guard)
}

// guard makes a callback, with all around it that was asked for. What it defers
// is done too when the callback panics or calls runtime.Goexit.
func (l *Loop) guard(e entry) {
	if e.w == &l.looks.watcher { // whoever looks does not want to see that
		e.call()
		return
	}
	c := e.callback()
	e.take()
	if l.labels != nil {
		outer := l.labels.enter(c)
		defer l.labels.set(outer)
	}
	if trace.IsEnabled() {
		defer l.traceRegion(c)()
	}
	if l.slow > 0 {
		defer l.logSlow(c, time.Now())
	}
	if l.onPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				l.recovered(c, v, debug.Stack())
			}
		}()
	}
	if o := l.observers.Load(); o != nil { // innermost: what the others do is not the callback's time
		l.observed(o, e, c)
		return
	}
	e.callWith(c.Events)
}

// recovered logs what it then gives to the handler. Both are user code: the handler
// is called also if the logger panics, and may panic again itself.
func (l *Loop) recovered(c Callback, v any, stack []byte) {
	defer l.onPanic(c.Watcher, v, stack)
	if l.logger != nil {
		l.logger.Error("ev: panic in a callback", c.attributes(l), "panic", v, "stack", string(stack))
	}
}

func (l *Loop) logSlow(c Callback, start time.Time) {
	took := time.Since(start)
	if took <= l.slow {
		return
	}
	logger := l.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("ev: slow callback", c.attributes(l), "took", took)
}
