package ev

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// This file feeds the CPU profiler and the execution tracer of the Go distribution.

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
	if p.run == nil { // called by Invoke, outside Run: by a goroutine of whatever labels
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
