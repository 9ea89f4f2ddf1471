package ev

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// What the profilers and tracers of the Go distribution are told.

// traceRegion begins a task and, in it, a region, both named after the callback,
// for the execution tracer; it returns what ends them. They belong to the task, if
// there is one, of the context that Run was given.
func (l *Loop) traceRegion(c Callback) (end func()) {
	ctx := l.ctx
	if ctx == nil { // called by Invoke, outside Run
		ctx = context.Background()
	}
	name := c.String()
	ctx, task := trace.NewTask(ctx, name)
	trace.Log(ctx, "loop", l.Title())
	region := trace.StartRegion(ctx, name)
	return func() {
		region.End()
		task.End()
	}
}

// labels sets the goroutine's labels for the CPU profiler: which loop, and in a
// callback which watcher. It belongs to the loop's goroutine.
type labels struct {
	loop    string
	run     context.Context // Run's, with the label of the loop
	now     context.Context // whose labels are set
	watcher map[CallbackKey]context.Context
}

// maxLabels is how many names of watchers are remembered: a program may give
// each of its connections another.
const maxLabels = 1024

// enterRun labels the goroutine for a Run, and returns what leaveRun needs.
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

// leaveRun gives the goroutine back the labels of the callback that the Run was
// in or, if that was none, of Run's context: the goroutine's own cannot be read.
func (p *labels) leaveRun(outer labels) {
	p.set(outer.now)
	*p = outer
	if p.run == nil {
		p.now = nil
	}
}

// enter labels the goroutine for a callback and returns whose labels it had.
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
