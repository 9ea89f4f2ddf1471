package ev

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"go.uber.org/atomic"
)

// guarding is for loops whose callbacks are logged, profiled, observed or recovered.
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

// callPending is a pass. Its calls are guarded if an option or an observer needs that.
// Without one, this costs two loads per pass, and nothing per call.
func (l *Loop) callPending(closed *atomic.Uint32) {
	o := l.observers.Load()
	if o != nil && l.pending.count > 0 {
		l.notifyPass(o)
	}
	var guard func(entry)
	if o != nil || l.guarded || trace.IsEnabled() {
		guard = l.guardFunc
	}
	l.pending.pass(closed, guard)
}

// guard makes a callback, with everything around it that options and observers need. Its
// deferred calls are made too when the callback panics or calls runtime.Goexit.
func (l *Loop) guard(e entry) {
	if e.w == &l.looks.watcher { // tools are not shown their own questions
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
	if o := l.observers.Load(); o != nil { // innermost: the callback's time does not include the rest
		l.observed(o, e, c)
		return
	}
	e.callWith(c.Events)
}

// recovered logs a panic, then calls the handler. Both are user code. The handler is called
// even if the logger panics, and may panic itself.
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

// traceRegion begins a task, and in it a region, both named after the callback, for the
// execution tracer. It returns a function that ends them. They belong to the task of the
// context that Run was given, if there is one.
func (l *Loop) traceRegion(c Callback) (end func()) {
	ctx := l.ctx
	if ctx == nil { // called by Invoke, outside Run
		ctx = context.Background()
	}
	name := c.String()
	ctx, task := trace.NewTask(ctx, name)
	trace.Log(ctx, "loop", l.String())
	region := trace.StartRegion(ctx, name)
	return func() {
		region.End()
		task.End()
	}
}

// labels sets the goroutine's labels for the CPU profiler: the loop and, in a callback,
// the watcher. It belongs to the loop's goroutine.
type labels struct {
	loop    string
	run     context.Context // Run's, with the label of the loop
	now     context.Context // whose labels are set
	watcher map[CallbackKey]context.Context
}

// maxLabels is how many names of watchers are remembered. A program may give each of its
// connections a name.
const maxLabels = 1024

// enterRun labels the goroutine for a Run. It returns the state that leaveRun restores.
func (p *labels) enterRun(ctx context.Context) (outer labels) {
	outer = *p
	if outer.now == nil {
		outer.now = ctx
	}
	p.run = pprof.WithLabels(ctx, pprof.Labels("loop", p.loop))
	p.watcher = make(map[CallbackKey]context.Context)
	p.set(p.run)
	return outer
}

// leaveRun restores the labels of the callback that the Run was nested in or, without
// one, of Run's context. The goroutine's own labels cannot be read.
func (p *labels) leaveRun(outer labels) {
	p.set(outer.now)
	*p = outer
	if p.run == nil {
		p.now = nil
	}
}

// enter labels the goroutine for a callback. It returns the context whose labels the
// goroutine had.
func (p *labels) enter(c Callback) (outer context.Context) {
	outer = p.now
	if p.run == nil { // called by Invoke, outside Run: the goroutine has labels of its own
		return nil
	}
	key := c.Key()
	ctx, ok := p.watcher[key]
	if !ok {
		if len(p.watcher) >= maxLabels {
			clear(p.watcher)
		}
		ctx = pprof.WithLabels(p.run, pprof.Labels("watcher", c.String()))
		p.watcher[key] = ctx
	}
	p.set(ctx)
	return outer
}

func (p *labels) set(ctx context.Context) {
	if ctx == nil {
		return
	}
	p.now = ctx
	pprof.SetGoroutineLabels(ctx)
}
