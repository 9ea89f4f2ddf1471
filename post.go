package ev

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// mailbox holds the posted jobs. Its request is always active and has no watcher. Collecting it
// takes the jobs.
type mailbox struct {
	request
	inbox[job]
	calls calls // guarded by mu
}

// waiting reports whether a posted job was not collected yet. The request alone may also be for
// a question: see looks.
func (m *mailbox) waiting() bool {
	if m.state.Load()&requested == 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in) > 0
}

// put queues a job, which is that of a Call if c is not nil.
func (m *mailbox) put(l *Loop, j job, c *caller) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.isClosed() {
		return ErrClosed
	}
	m.in = append(m.in, j)
	if c != nil {
		m.calls.add(l, c)
	}
	return nil
}

// Post queues fn to run on the loop's goroutine, at priority 0. It is safe for concurrent use,
// and does not wait for a busy loop. It returns ErrClosed after Close, which drops the functions
// that have not begun. It panics if fn is nil.
//
// Functions run in the order in which they were posted. Functions posted while these run are for
// the next iteration. A function that was posted and has not run keeps Run going.
//
// Unlike Async.Send, Post takes a lock and memory for fn. There is no limit: functions posted to
// a loop that is stuck stay in memory, and posts that come faster than they run make each
// iteration longer than the last. A Queue with a limit returns an error instead.
func (l *Loop) Post(fn func()) error {
	l.checkConstructed("Post")
	if fn == nil {
		panic("ev: Loop.Post: nil function")
	}
	return l.post(posted(fn), nil)
}

func (l *Loop) post(j job, c *caller) error {
	if err := l.mail.put(l, j, c); err != nil {
		return err
	}
	l.mail.send(l)
	return nil
}

// posted is a function given to Post.
type posted func()

func (fn posted) run()         { fn() }
func (fn posted) source() any  { return fn }
func (fn posted) kind() string { return "Post" }

// takePosts makes the posted jobs pending, one by one: a panic in one leaves
// the others where they are.
func (l *Loop) takePosts() {
	jobs := l.mail.takeAll(l.pending.posts == 0)
	for _, j := range jobs {
		l.pending.post(j)
	}
	l.mail.recycle(jobs)
	l.looks.mark()
}

// takeAll takes the jobs. begun means that those taken before have all begun.
func (m *mailbox) takeAll(begun bool) []job {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls.collect(begun)
	return m.swap()
}

// PanicError is the error of Call, Go, Await and Task.Err for a function that panicked.
type PanicError struct {
	Value any    // what the function panicked with
	Stack []byte // of its goroutine, at that moment
}

func (e *PanicError) Error() string { return fmt.Sprintf("ev: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errGoexit = errors.New("ev: the function called runtime.Goexit")

// outcome runs fn and calls r.deliver exactly once, however fn ends: with its results, or with
// the error for a panic (and the value of the panic) or for a Goexit.
func outcome[T any](fn func() (T, error), r receiver[T]) {
	var (
		v        T
		err      = errGoexit
		panicked any
		returned bool
	)
	defer func() {
		if !returned {
			if panicked = recover(); panicked != nil {
				err = &PanicError{Value: panicked, Stack: debug.Stack()}
			}
		}
		r.deliver(v, err, panicked)
	}()
	v, err = fn()
	returned = true
}

type receiver[T any] interface {
	deliver(v T, err error, panicked any)
}

// Go runs work on a goroutine of its own, then done on the loop's goroutine with the results of
// work. It must be called on the loop's goroutine. Go holds a reference: Run goes on until done
// has run. If work panics or calls runtime.Goexit, done gets an error (a *PanicError for a
// panic). If the loop is closed before work ends, done does not run. If it is closed already,
// work does not run either. Go panics if work or done is nil.
func Go[T any](l *Loop, work func() (T, error), done func(T, error)) {
	if work == nil || done == nil {
		panic("ev: Go: nil function")
	}
	l.own("Go")
	if l.isClosed() {
		return
	}
	l.Ref()
	go outcome(work, receiver[T](&finished[T]{l: l, done: done}))
}

// finished is the second half of a Go.
type finished[T any] struct {
	l     *Loop
	done  func(T, error)
	value T
	err   error
}

func (f *finished[T]) deliver(v T, err error, _ any) {
	f.value, f.err = v, err
	_ = f.l.post(f, nil) // ErrClosed: the loop, and with it the reference, is gone
}

func (f *finished[T]) source() any  { return f.done }
func (f *finished[T]) kind() string { return "Go" }

func (f *finished[T]) run() {
	defer f.l.Unref()
	f.done(f.value, f.err)
}
