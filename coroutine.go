package ev

import (
	"iter"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync/atomic" // whose Uint64 is aligned on 32-bit machines, anywhere in a struct

	"github.com/goevlib/ev/internal/goroutine"
)

// coroutine is a stack of its own, on which the functions of tasks run, one after the
// other. The goroutine that calls next and the coroutine never run at the same time: a
// switch is a call for one and a return for the other, without the scheduler. So whatever
// the loop's goroutine owns, the coroutine owns while it runs.
//
// A coroutine remembers the thread that the goroutine that made it was locked to, and how
// often. A switch from a goroutine of another state ends the process. So a coroutine is made when
// it is first needed, by the goroutine in Run, and idle ones end with the outermost Run.
type coroutine struct {
	id    uint64 // of its goroutine; immutable
	next  func() (struct{}, bool)
	yield func(struct{}) bool // called on the coroutine
	task  *Task               // nil while it is idle: then a further next ends it
	ends  func()              // what beginStep has started, for the end of the step; may be nil
}

// coroutines is a loop's part for tasks.
type coroutines struct {
	task    *Task         // the one that runs now; nil in a plain callback
	running atomic.Uint64 // the goroutine of the coroutine that runs now; 0 is none
	spare   []*coroutine  // whose tasks are done
	asked   []uintptr     // see stack; nil unless a tool asks
	found   int           // how many of them were set
}

// maxSpare is how many coroutines wait for the next task: to make one takes microseconds.
const maxSpare = 64

// get returns an idle coroutine, or a new one.
func (cs *coroutines) get(t *Task) (c *coroutine) {
	if n := len(cs.spare); n > 0 {
		c = cs.spare[n-1]
		cs.spare[n-1] = nil
		cs.spare = cs.spare[:n-1]
	} else {
		c = newCoroutine()
	}
	c.task = t
	return c
}

func newCoroutine() *coroutine {
	c := new(coroutine)
	c.next, _ = iter.Pull(c.run) // keeping its stop would keep a closure
	c.next()                     // it notes its number
	return c
}

// put takes back a coroutine whose task is done. It ends it outside of Run.
func (cs *coroutines) put(c *coroutine, inRun bool) {
	if inRun && len(cs.spare) < maxSpare {
		cs.spare = append(cs.spare, c)
		return
	}
	c.next()
}

// endSpare ends the coroutines that wait for a task.
func (cs *coroutines) endSpare() {
	for _, c := range cs.spare {
		c.next()
	}
	cs.spare = nil
}

// run is the coroutine's function.
func (c *coroutine) run(yield func(struct{}) bool) {
	c.id, c.yield = goroutine.ID(), yield
	yield(struct{}{})
	for c.task != nil {
		c.runTask()
		c.task = nil
		yield(struct{}{})
	}
}

func (c *coroutine) runTask() {
	c.beginStep()
	defer c.endStep() // also if fn calls runtime.Goexit
	c.task.run()
}

// answer sets what stack asks for. It is called on the coroutine.
func (c *coroutine) answer() {
	cs := &c.task.loop.coroutines
	cs.found = runtime.Callers(2, cs.asked)
	c.yield(struct{}{})
}

// stack sets pcs as runtime.Callers does, for a task that waits, and returns how many it
// has set. The coroutine itself walks its stack: package runtime shows the stack of another
// goroutine only together with those of all, for which it stops the process.
func (c *coroutine) stack(pcs []uintptr) int {
	cs := &c.task.loop.coroutines
	cs.asked = pcs
	c.next()
	cs.asked = nil
	return cs.found
}

// beginStep has the CPU profiler and the execution tracer see the coroutine as the loop's
// goroutine.
func (c *coroutine) beginStep() {
	l := c.task.loop
	if l.labels != nil && l.labels.now != nil {
		pprof.SetGoroutineLabels(l.labels.now)
	}
	if trace.IsEnabled() {
		c.ends = trace.StartRegion(l.traceContext(), CallbackOf(c.task).String()).End
	}
}

func (c *coroutine) endStep() {
	if c.ends != nil {
		c.ends()
		c.ends = nil
	}
}

// goroutineID returns the number of the coroutine, or 0 for nil.
func (c *coroutine) goroutineID() uint64 {
	if c == nil {
		return 0
	}
	return c.id
}

// notATask has Loop.Task return nil until the function that it returns is called: in a
// pass within a task's step, by Invoke or a nested Run. A wait in one of its callbacks
// would suspend the pass.
func (l *Loop) notATask() (restore func()) {
	task := l.task
	l.task = nil
	return func() { l.task = task }
}
