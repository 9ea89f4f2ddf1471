package ev

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/goroutine"
)

// mailbox holds the posted jobs. Its request is always active and has no watcher. Collecting it
// takes the jobs.
type mailbox struct {
	request
	inbox[job]
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

func (m *mailbox) put(l *Loop, j job) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.isClosed() {
		return ErrClosed
	}
	m.in = append(m.in, j)
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
	return l.post(posted(fn))
}

func (l *Loop) post(j job) error {
	if err := l.mail.put(l, j); err != nil {
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
	jobs := l.mail.take()
	for _, j := range jobs {
		l.pending.post(j)
	}
	l.mail.recycle(jobs)
	l.looks.mark()
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

// outcome runs fn and calls deliver exactly once, however fn ends: with its results, or with the
// error for a panic (and the value of the panic) or for a Goexit.
func outcome[T any](fn func() (T, error), deliver func(v T, err error, panicked any)) {
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
		deliver(v, err, panicked)
	}()
	v, err = fn()
	returned = true
}

// call is one Call. It is claimed either by the loop, to run it, or by the caller, to give up.
type call[T any] struct {
	fn      func() (T, error)
	claimed atomic.Uint32
	value   T
	err     error
	done    chan struct{} // closed after value and err are written
}

func (c *call[T]) claim() bool { return c.claimed.CompareAndSwap(0, 1) }

func (c *call[T]) source() any  { return c.fn }
func (c *call[T]) kind() string { return "Call" }

func (c *call[T]) run() {
	if !c.claim() {
		return
	}
	outcome(c.fn, func(v T, err error, panicked any) {
		c.value, c.err = v, err
		close(c.done)
		if panicked != nil {
			panic(panicked) // on, to the loop's panic policy
		}
	})
}

// slowAnswer is the time after which Call checks whether it waits for itself.
const slowAnswer = 20 * time.Millisecond

// Call runs fn on l's goroutine, as Post does, and waits for its results. It is safe for
// concurrent use. On the loop's own goroutine it would wait for ever. It panics there: inside
// Run as soon as the answer takes long, inside RunOnce and RunNoWait only with EV_DEBUG=1. An
// embedded loop's own goroutine is that of its host's Run. While the loop does not run, Call
// waits for a Run or for ctx. Call panics if fn is nil.
//
// # Errors
//
//   - If ctx is done first, Call returns ctx.Err(). If fn has not begun, it does not run. If it
//     has begun, it goes on, and its results are dropped.
//   - If the loop is closed first, Call returns ErrClosed, unless fn has begun: then Call
//     returns the results of fn.
//   - If fn panics or calls runtime.Goexit, Call returns an error (a *PanicError for a panic),
//     and the loop's panic policy applies to the loop.
func Call[T any](ctx context.Context, l *Loop, fn func() (T, error)) (T, error) {
	var zero T
	l.checkConstructed("Call")
	if fn == nil {
		panic("ev: Call: nil function")
	}
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	c := &call[T]{fn: fn, done: make(chan struct{})}
	if err := l.post(c); err != nil {
		return zero, err
	}
	slow := time.NewTimer(slowAnswer)
	defer slow.Stop()
	closed := l.done
	for {
		select {
		case <-c.done:
			return c.value, c.err
		case <-ctx.Done():
			c.claim() // if that fails, fn has begun
			return zero, ctx.Err()
		case <-closed:
			if c.claim() {
				return zero, ErrClosed
			}
			closed = nil
		case <-slow.C:
			if l.ownerIs(goroutine.ID()) {
				c.claim()
				panic("ev: Call on the loop's own goroutine would wait for itself for ever")
			}
		}
	}
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
	go outcome(work, func(v T, err error, _ any) {
		// ErrClosed: the loop, and with it the reference, is gone.
		_ = l.post(&finished[T]{l, done, v, err})
	})
}

// finished is the second half of a Go.
type finished[T any] struct {
	l     *Loop
	done  func(T, error)
	value T
	err   error
}

func (f *finished[T]) source() any  { return f.done }
func (f *finished[T]) kind() string { return "Go" }

func (f *finished[T]) run() {
	defer f.l.Unref()
	f.done(f.value, f.err)
}
