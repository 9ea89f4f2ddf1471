package ev

import (
	"context"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/goroutine"
)

// This file is Call: a posted job whose sender waits.
//
// The sender waits for one thing, or for two if its context can be cancelled. Everything else
// that may end the wait comes to it: Close and the watch find the callers in a list. The list
// costs a Call almost nothing, because the lock of the mailbox, which guards it, is held anyway
// when a job is put or when the jobs are taken.
//
// Every Call that was put is answered. It is in the list until it has begun: see collect. The
// loop may run it. Else the loop is closed one day: Close marks it closed, then locks mu and
// answers all that are in the list. put holds mu while it reads that mark. Either it finds the
// loop closed, and refuses, or Close finds the caller in the list.

// caller is the sender of a Call. It is claimed once: by the loop, to run the function, by Close,
// or by the sender itself, to give up. The claimant, unless it is the sender, writes the results
// and then calls answer.
type caller struct {
	next    *caller // in the list
	claimed atomic.Uint32
	state   atomic.Uint32
	asleep  sync.WaitGroup // 1 while state is waiting; unused if there is …
	woken   chan struct{}  // … a channel, for a context that can be cancelled
	err     error
}

// The states of a caller. A change from waiting wakes the sender, once: then only the sender makes
// it waiting again. So woken, which holds one, never blocks.
const (
	waiting  = iota
	asked    // to check whether it waits for itself: see watch
	answered // the results are there
)

func (c *caller) claim() bool { return c.claimed.CompareAndSwap(0, 1) }

func (c *caller) answer() {
	if c.state.Swap(answered) == waiting {
		c.wake()
	}
}

func (c *caller) ask() {
	if c.state.CompareAndSwap(waiting, asked) {
		c.wake()
	}
}

func (c *caller) wake() {
	if c.woken != nil {
		c.woken <- struct{}{}
	} else {
		c.asleep.Done()
	}
}

// prepare is called by the sender before the job is put.
func (c *caller) prepare(done <-chan struct{}) {
	if done != nil {
		c.woken = make(chan struct{}, 1)
	} else {
		c.asleep.Add(1)
	}
}

// sleep waits for a change of the state. It reports whether done was closed first.
func (c *caller) sleep(done <-chan struct{}) (given bool) {
	if done == nil {
		c.asleep.Wait()
		return false
	}
	select {
	case <-c.woken:
		return false
	case <-done:
		return true
	}
}

// goOn makes the state waiting after asked. It reports whether it could: there may be results.
func (c *caller) goOn() bool {
	if c.woken == nil {
		c.asleep.Add(1)
	}
	return c.state.CompareAndSwap(asked, waiting)
}

// mayWait is called when the sender was asked. It reports whether the sender goes on waiting.
func (c *caller) mayWait(l *Loop) bool {
	if l.ownerIs(goroutine.ID()) {
		c.claim()
		panic("ev: Call on the loop's own goroutine would wait for itself for ever")
	}
	return c.goOn()
}

// calls are the lists of callers. mailbox.mu guards them.
type calls struct {
	queued    *caller // jobs in the mailbox, the newest first
	oldest    *caller // the last of queued
	collected *caller // jobs that the loop has taken and that may not have begun

	watched bool   // a look is to come
	taken   uint64 // how often the jobs were taken
	seen    uint64 // taken when the watch began
}

func (cs *calls) add(l *Loop, c *caller) {
	if cs.queued == nil {
		cs.oldest = c
	}
	c.next = cs.queued
	cs.queued = c
	if !cs.watched && !l.isAsleep() {
		cs.watch(l)
	}
}

// isAsleep reports whether the loop's goroutine is parked, and so is not the caller. While
// another goroutine parks in an embedded loop, its host's goroutine may run.
func (l *Loop) isAsleep() bool {
	if l.parked.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.delegated
}

// collect is called when the jobs are taken. begun means that all the collected ones have begun.
// They are kept until then: nested Runs and panics may have left some in the loop's queue.
func (cs *calls) collect(begun bool) {
	cs.taken++
	if begun {
		cs.collected = nil
	}
	if cs.queued != nil {
		cs.oldest.next = cs.collected
		cs.collected, cs.queued, cs.oldest = cs.queued, nil, nil
	}
}

// refuse is called after the loop was marked closed.
func (m *mailbox) refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	cs := &m.calls
	for _, c := range []*caller{cs.queued, cs.collected} {
		for ; c != nil; c = c.next {
			if c.claim() {
				c.err = ErrClosed
				c.answer()
			}
		}
	}
	cs.queued, cs.oldest, cs.collected = nil, nil, nil
}

// slowAnswer is the time after which a Call checks whether it waits for itself.
const slowAnswer = 20 * time.Millisecond

// watch finds a Call on the loop's own goroutine. Its job stays in the mailbox, because only
// that goroutine takes the jobs. Of all goroutines only the sender can find out, and that costs
// microseconds. So a look comes after slowAnswer, for all Calls that are made meanwhile. If the
// jobs were not taken since the last look, all senders whose jobs are in the mailbox are asked
// to check. Else another look follows. There are no looks while no jobs come.
//
// No Call on the loop's own goroutine is missed. If it is put while a look is to come, that look,
// or one that follows, finds it. Else add calls watch, because the loop is not asleep.
func (cs *calls) watch(l *Loop) {
	cs.watched, cs.seen = true, cs.taken
	time.AfterFunc(slowAnswer, l.mail.lookAtCalls(l))
}

func (m *mailbox) lookAtCalls(l *Loop) func() {
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		cs := &m.calls
		if cs.taken != cs.seen && cs.queued != nil {
			cs.watch(l)
			return
		}
		cs.watched = false
		for c := cs.queued; c != nil; c = c.next {
			c.ask()
		}
	}
}

// call is the job of a Call.
type call[T any] struct {
	caller
	fn    func() (T, error)
	value T
}

func (c *call[T]) source() any  { return c.fn }
func (c *call[T]) kind() string { return "Call" }

func (c *call[T]) run() {
	if c.claim() {
		fn := c.fn
		c.fn = nil // the list may keep c
		outcome(fn, receiver[T](c))
	}
}

func (c *call[T]) deliver(v T, err error, panicked any) {
	c.value, c.err = v, err
	c.answer()
	if panicked != nil {
		panic(panicked) // on, to the loop's panic policy
	}
}

// wait returns the results, or the error of ctx.
func (c *call[T]) wait(ctx context.Context, l *Loop) (T, error) {
	var zero T
	done := ctx.Done()
	for {
		if c.sleep(done) {
			c.claim() // if that fails, fn has begun
			return zero, ctx.Err()
		}
		if c.state.Load() == answered || !c.mayWait(l) {
			v := c.value
			c.value = zero
			return v, c.err
		}
	}
}

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
	c := &call[T]{fn: fn}
	c.prepare(ctx.Done())
	if err := l.post(c, &c.caller); err != nil {
		return zero, err
	}
	return c.wait(ctx, l)
}
