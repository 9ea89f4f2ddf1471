package ev

import (
	"context"
	"syscall"
	"time"
)

// This file is how a wait of a Task begins and ends: task_wait.go has the waits.

// mustBeOf panics unless t is a task of l, for a method that takes it as an argument.
func (t *Task) mustBeOf(l *Loop, method string) {
	switch {
	case t == nil || t.loop == nil:
		panic("ev: " + method + ": nil task, or one that no constructor made")
	case t.loop != l:
		panic("ev: " + method + ": the task is of another loop")
	}
}

// mustRun panics unless the task's own function calls.
func (t *Task) mustRun(method string) {
	t.own(method)
	if t.loop.task != t {
		panic("ev: " + qualified("Task", method) + ": only the function of the task itself may wait on it")
	}
}

// mayWait begins every wait. It returns why there will be none.
func (t *Task) mayWait(method string) error {
	t.mustRun(method)
	return t.refusal()
}

// allowance is how many operations a task may make that need not wait, before it yields.
const allowance = 64

// spend begins an operation that waits only if it must: without a Yield now and then, a task
// that always finds something to do would starve everything else.
func (t *Task) spend() error {
	if t.spent++; t.spent <= allowance {
		return nil
	}
	return t.Yield()
}

// refusal is why no wait begins.
func (t *Task) refusal() error {
	switch {
	case t.end.Load() != goesOn:
		return ends[t.end.Load()]
	case t.loop.isClosed():
		return ErrClosed
	case t.until() != never && t.until() <= t.loop.now():
		return context.DeadlineExceeded
	}
	return nil
}

// until is when the time of the innermost Within is over.
func (t *Task) until() time.Duration {
	switch s := t.seldom; {
	case s == nil:
		return never
	case s.deadline == never || s.deadline == longAgo:
		return s.deadline
	default:
		return after(s.deadline, t.loop.delayed)
	}
}

// present is the time, where the loop's would be that of the step's begin.
func (t *Task) present() time.Duration { return time.Since(t.loop.base) }

// suspend gives the loop back until the wait is over, by due at the latest. It returns why
// the wait has failed.
func (t *Task) suspend(s source, due time.Duration) error {
	if !t.over { // a Yield is not interested in the time: see tick
		t.loop.now()
	}
	t.source, t.since = s, t.loop.mono
	t.late, t.spent = false, 0
	t.suspendUntil(due)
	if t.io != nil && t.io.index != 0 && s != source(t.io) {
		t.io.Stop()
	}
	c := t.on
	c.endStep()
	c.yield(struct{}{}) // to the loop's stack, until the next step
	for t.loop.coroutines.asked != nil {
		c.answer()
	}
	c.beginStep()
	t.disarm()
	t.source = nil
	var err error
	if t.end.Load() != goesOn {
		err = ends[t.end.Load()]
	} else if t.late {
		err = context.DeadlineExceeded
	}
	if err != nil && s != nil {
		s.abandon(t)
	}
	return err
}

// suspendUntil has the wait in progress end by due at the latest.
func (t *Task) suspendUntil(due time.Duration) {
	if t.over {
		return
	}
	t.disarm()
	t.toLate = t.until() < due
	if due = min(due, t.until()); due != never {
		t.loop.timers.add(&t.alarm, due)
	}
}

// wake ends the wait: the step comes in the next iteration. It reports false if the wait is
// over already.
func (t *Task) wake() bool {
	if t.over || t.end.Load() != goesOn {
		return false
	}
	t.over = true
	t.send(t.loop)
	return true
}

// nextIteration is what Yield waits for.
type nextIteration struct{}

func (nextIteration) ready(*Task) bool { return false }
func (nextIteration) abandon(*Task)    {}
func (nextIteration) method() string   { return "Yield" }

// readiness is the IO of a task that waits for a descriptor.
type readiness struct {
	IO
	of syscall.Conn // whose RawConn IO.conn is, for the next wait; nil
}

func (r *readiness) ready(*Task) bool { return false }
func (r *readiness) abandon(*Task)    {}

func (r *readiness) method() string {
	if r.conn != nil {
		return "WaitConn"
	}
	return "WaitFD"
}

// joined is a task that others wait for.
type joined Task

func (j *joined) ready(*Task) bool { return false }
func (j *joined) abandon(t *Task)  { j.joining.remove(t) }
func (j *joined) method() string   { return "Join" }

// waiters is a queue of tasks, first come, first served.
type waiters struct{ first *Task } // whose prev is the last

func (q *waiters) push(t *Task) {
	if q.first == nil {
		q.first, t.prev = t, t
		return
	}
	last := q.first.prev
	last.next, t.prev, q.first.prev = t, last, t
}

// remove takes t out, and reports whether it was in.
func (q *waiters) remove(t *Task) bool {
	if t.prev == nil {
		return false
	}
	switch {
	case t.next != nil:
		t.next.prev = t.prev
	case q.first != t:
		q.first.prev = t.prev
	}
	if q.first == t {
		q.first = t.next
	} else {
		t.prev.next = t.next
	}
	t.next, t.prev = nil, nil
	return true
}

func (q *waiters) pop() *Task {
	t := q.first
	if t != nil {
		q.remove(t)
	}
	return t
}

func (q *waiters) wakeAll() {
	for t := q.pop(); t != nil; t = q.pop() {
		t.wake()
	}
}
