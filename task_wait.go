package ev

import (
	"context"
	"fmt"
	"reflect"
	"syscall"
	"time"

	"go.uber.org/atomic"
)

// The waits of a Task.

// Sleep waits until d has passed from the present on, not from Loop.Now, and never less. It
// is as precise as a Timer. A d of zero or less is a Yield.
func (t *Task) Sleep(d time.Duration) error {
	if d <= 0 {
		return t.yield("Sleep")
	}
	if err := t.mayWait("Sleep"); err != nil {
		return err
	}
	return t.suspend(nil, after(t.present(), d))
}

// Yield lets everything else have its turn, and goes on in the next iteration.
func (t *Task) Yield() error { return t.yield("Yield") }

func (t *Task) yield(method string) error {
	if err := t.mayWait(method); err != nil {
		return err
	}
	t.over = true
	t.send(t.loop)
	return t.suspend(nextIteration{}, never)
}

// Join waits until other has ended, and returns its Err. It returns at once if other has
// ended already, and waits for a Start if other is not active. If it returns
// context.Canceled, t.Context tells whether t itself was stopped. It panics if other is nil,
// of another loop, or t itself.
func (t *Task) Join(other *Task) error {
	t.mustRun("Join")
	other.mustBeOf(t.loop, "Task.Join")
	if other == t {
		panic("ev: Task.Join: a task that joins itself would wait for ever")
	}
	if err := t.refusal(); err != nil {
		return err
	}
	if other.done {
		return other.err
	}
	other.joining.push(t)
	if err := t.suspend((*joined)(other), never); err != nil {
		return err
	}
	return t.err // see leave
}

// Within calls fn and returns its result. Once d has passed, from the present on, the waits
// in fn fail with context.DeadlineExceeded. If d is zero or less, they fail at once. It
// nests: the earliest deadline counts. The error does not tell whose deadline has passed, but
// if that of an outer Within has, its next wait fails too. It panics if fn is nil.
func (t *Task) Within(d time.Duration, fn func() error) error {
	t.mustRun("Within")
	if fn == nil {
		panic("ev: Task.Within: nil function")
	}
	s := t.needSeldom()
	outer := s.deadline
	defer func() { s.deadline = outer }()
	deadline := longAgo
	if d > 0 {
		deadline = after(t.present()-t.loop.delayed, d)
	}
	s.deadline = min(outer, deadline)
	return fn()
}

// WaitFD waits until the descriptor is ready for one of the events, Read and Write, and
// returns the events that hold. An error or a hang-up counts as every event, as for an IO.
// It fails as IO.Start does, and with syscall.EBADF if the descriptor is closed before the
// wait begins. Do not close the descriptor during the wait: the wait would not end.
func (t *Task) WaitFD(fd int, events Events) (Events, error) {
	return t.waitReady("WaitFD", fd, nil, events)
}

// WaitConn is WaitFD for a connection, an *os.File and the like. The task keeps it alive until
// it waits for another one, or ends. A wait that follows a wait for the same connection of
// package net or os costs no system call.
func (t *Task) WaitConn(c syscall.Conn, events Events) (Events, error) {
	t.mustRun("WaitConn")
	if c == nil {
		panic("ev: Task.WaitConn: nil connection")
	}
	return t.waitReady("WaitConn", -1, c, events)
}

func (t *Task) waitReady(method string, fd int, c syscall.Conn, events Events) (Events, error) {
	if err := t.mayWait(method); err != nil {
		return None, err
	}
	err := checkEvents(events)
	if err == nil && events == None {
		err = fmt.Errorf("no events")
	}
	if err == nil {
		err = t.watchOnce(fd, c, events)
	}
	if err != nil {
		return None, fmt.Errorf("ev: Task.%s: %w", method, err)
	}
	t.got = None
	err = t.suspend(t.io, never)
	if t.io.of == nil || !constant(t.io.of) {
		t.io.Stop()
	}
	switch {
	case err != nil:
		return None, err
	case t.got == Error:
		return None, fmt.Errorf("ev: Task.%s: %w", method, syscall.EBADF)
	}
	return t.got, nil
}

// watchOnce starts the task's own IO. The IO of a connection stays active until the task waits
// for something else, and so until the next wait for the connection, in a loop. It is known then
// whether that is still open. The number of a descriptor may denote another file by then.
func (t *Task) watchOnce(fd int, c syscall.Conn, events Events) error {
	if t.io == nil {
		t.io = new(readiness)
		t.io.init("NewIO", &t.io.IO, t.loop, false, []Option{hidden{}})
		t.io.internal = t.becameReady
	}
	w := t.io
	if w.index != 0 {
		if c != nil && constant(c) && c == w.of && w.conn.Control(noControl) == nil {
			return w.SetEvents(events)
		}
		w.Stop()
	}
	w.fd, w.interest = fd, events
	switch {
	case c == nil:
		w.conn, w.of = nil, nil
	case !constant(c) || c != w.of:
		w.conn, w.of = nil, nil
		conn, err := c.SyscallConn() // it allocates
		if err != nil {
			return err
		}
		w.conn, w.of = conn, c
	}
	return w.start()
}

// constant reports whether c is of the standard library: then its SyscallConn returns the same
// connection each time, and c may be compared.
func constant(c syscall.Conn) bool {
	t := reflect.TypeOf(c)
	if t.Kind() != reflect.Pointer {
		return false
	}
	from := t.Elem().PkgPath()
	return from == "net" || from == "os"
}

// noControl asks only whether the connection is open, without the allocation of IO.lost.
func noControl(uintptr) {}

// unwatch stops the task's own IO.
func (t *Task) unwatch() {
	if t.io != nil && t.io.index != 0 {
		t.io.Stop()
	}
}

func (t *Task) becameReady(events Events) {
	switch {
	case t.running: // in a nested Run, or the number of a closed connection is used again
		t.unwatch()
	case !t.over:
		t.over, t.got = true, events
		t.loop.pending.mark(&t.watcher, events)
	}
}

// Await runs work on a goroutine of its own, waits, and returns the results of work. ctx is
// the task's Context, with the deadline of Within. When the task is stopped or the deadline
// passes, Await returns at once. Then work goes on without it, and its results are dropped:
// work must close such a result itself, for example by context.AfterFunc(t.Context(), close).
// A panic in work is returned as a *PanicError. Await panics if work is nil.
func Await[T any](t *Task, work func(ctx context.Context) (T, error)) (T, error) {
	var zero T
	if work == nil {
		panic("ev: Await: nil function")
	}
	if t == nil {
		panic("ev: Await: nil task")
	}
	if err := t.mayWait("Await"); err != nil {
		return zero, err
	}
	ctx := t.Context()
	if until := t.until(); until != never {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, t.loop.base.Add(until))
		defer cancel()
	}
	a := &await[T]{t: t}
	go outcome(func() (T, error) { return work(ctx) }, receiver[T](a))
	if err := t.suspend(a, never); err != nil {
		return zero, err
	}
	return a.value, a.err
}

// await is one Await. The goroutine writes value and err before done, and the task reads
// them after it.
type await[T any] struct {
	t     *Task
	value T
	err   error
	done  atomic.Bool
}

func (a *await[T]) deliver(v T, err error, _ any) {
	a.value, a.err = v, err
	a.done.Store(true)
	a.t.send(a.t.loop)
}

func (a *await[T]) ready(*Task) bool { return a.done.Load() }
func (a *await[T]) abandon(*Task)    {}
func (a *await[T]) method() string   { return "Await" }
