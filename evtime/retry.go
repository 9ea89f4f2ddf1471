package evtime

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Retry repeats an attempt that can fail until one succeeds, with growing waits between the
// attempts. There is one attempt at a time. An attempt is asynchronous: try begins it and
// returns, and a later callback reports the result. For example, try dials with [ev.Go].
//
// An active Retry keeps Run going, during attempts too.
type Retry struct {
	timer   *ev.Timer
	backoff Backoff
	try     func(*Attempt)
	done    func(*Retry, error)

	ctx     context.Context // of the last Start; nil while inactive
	unwatch func() bool     // stops watching ctx
	current *Attempt        // the attempt that was not reported yet, or nil
	failed  int             // failed attempts since Start
	last    error           // of the last of them
	ended   bool            // only the call of done is left
	outcome error           // the error for done, once ended
}

// Attempt is one attempt of a Retry. It belongs to the loop's goroutine.
type Attempt struct {
	retry  *Retry
	number int
}

// NewRetry makes a Retry that, once started, calls try for each attempt and done at the end.
// done gets nil if an attempt has succeeded, and otherwise the reason.
//
// If try panics before reporting, the Retry stops without calling done. A result reported
// before the panic still counts.
//
// NewRetry panics if l, try or done is nil, or if a field of b is out of range.
func NewRetry(l *ev.Loop, b Backoff, try func(*Attempt), done func(r *Retry, err error), opts ...ev.Option) *Retry {
	if err := b.check(); err != nil {
		panic("evtime: NewRetry: " + err.Error())
	}
	r := &Retry{backoff: b, try: try, done: done}
	r.timer = newTimer("NewRetry", l, try == nil || done == nil, r.step, opts)
	return r
}

// Start makes the Retry active. The first attempt begins in the loop's next iteration. Start
// has no effect on an active Retry. It panics if ctx is nil.
//
// When ctx is done, done is called with an error that wraps the cause and the error of the
// last failed attempt. The Retry does not wait for an attempt in progress: use the same ctx
// for its work. If the next attempt would begin after the deadline of ctx, done is called at
// once.
func (r *Retry) Start(ctx context.Context) {
	if ctx == nil {
		panic("evtime: Retry.Start: nil context")
	}
	if r.Active() {
		return
	}
	arm(r.timer, time.Now())
	if !r.timer.Active() {
		return // the loop is closed
	}
	l := r.timer.Loop()
	l.Ref()
	r.ctx, r.failed, r.last, r.ended = ctx, 0, nil, false
	r.unwatch = context.AfterFunc(ctx, func() {
		_ = l.Post(r.cancel) // on a closed loop there is nothing to end
	})
}

// Stop makes the Retry inactive without calling done. The work of an attempt in progress goes
// on, but its Report has no effect.
func (r *Retry) Stop() {
	r.timer.Stop()
	if !r.Active() {
		return
	}
	r.unwatch()
	r.ctx, r.current, r.unwatch = nil, nil, nil
	r.timer.Loop().Unref()
}

// Active reports whether the Retry was started and done was not called yet.
func (r *Retry) Active() bool { return r.ctx != nil }

// Number returns the number of the attempt since Start. The first is 1. It is safe for concurrent
// use.
func (a *Attempt) Number() int { return a.number }

// Report reports the result of the attempt. A nil err means success and ends the Retry. After
// any other err there is another attempt. If the number of attempts has reached
// Backoff.Attempts, the Retry ends and done gets an error that wraps err.
//
// Report may be called in try. Only the first Report or Fail of an attempt has an effect. If
// the Retry has ended meanwhile, neither has.
func (a *Attempt) Report(err error) {
	r := a.retry
	if r.current != a {
		return
	}
	r.current = nil
	if err == nil {
		r.end(nil)
		return
	}
	r.failed, r.last = a.number, err
	next := time.Now().Add(r.backoff.wait(r.failed))
	switch deadline, bounded := r.ctx.Deadline(); {
	case r.failed == r.backoff.Attempts:
		r.end(fmt.Errorf("evtime: Retry: attempt %d was the last: %w", r.failed, err))
	case bounded && next.After(deadline):
		r.end(r.whenDone(context.DeadlineExceeded))
	default:
		arm(r.timer, next)
	}
}

// Fail ends the Retry with err. Use it for a failure that another attempt would not fix. In all
// else it is like Report. It panics if err is nil.
func (a *Attempt) Fail(err error) {
	if err == nil {
		panic("evtime: Attempt.Fail: nil error")
	}
	if a.retry.current == a {
		a.retry.end(err)
	}
}

// cancel ends the Retry if its context is done. It is posted when a context is done, which may
// be that of an earlier Start.
func (r *Retry) cancel() {
	if r.Active() && !r.ended && r.ctx.Err() != nil {
		r.end(r.whenDone(context.Cause(r.ctx)))
	}
}

// whenDone returns the error for done when ctx leaves no time.
func (r *Retry) whenDone(cause error) error {
	if r.last == nil {
		return fmt.Errorf("evtime: Retry: %w", cause)
	}
	return fmt.Errorf("evtime: Retry: %w; attempt %d: %w", cause, r.failed, r.last)
}

// end makes the next step call done. It cannot call done itself: it may be called in try.
func (r *Retry) end(outcome error) {
	r.current, r.ended, r.outcome = nil, true, outcome
	arm(r.timer, time.Now())
}

// step is the timer's callback. It begins an attempt or ends the Retry.
func (r *Retry) step(*ev.Timer) {
	r.cancel() // the posted cancel may not have run yet
	if r.ended {
		outcome := r.outcome
		r.Stop()
		r.done(r, outcome)
		return
	}
	a := &Attempt{r, r.failed + 1}
	r.current = a
	returned := false
	defer func() {
		if !returned && r.current == a { // try panicked: there will be no report
			r.Stop()
		}
	}()
	r.try(a)
	returned = true
}
