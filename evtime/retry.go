package evtime

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Retry makes attempts at something that can fail until one succeeds, with
// growing waits between them. An attempt is asynchronous: its function begins it
// and returns, and reports from a later callback; an [ev.Go] that dials, say.
// There is one attempt at a time.
//
// While it is active it keeps Run going, also during an attempt.
type Retry struct {
	timer   *ev.Timer
	backoff Backoff
	try     func(*Attempt)
	done    func(*Retry, error)

	ctx     context.Context // of the Start in effect; nil is inactive
	unwatch func() bool     // undoes the watch on ctx
	current *Attempt        // has begun, and was not reported
	failed  int             // attempts, since Start
	last    error           // of the last one
	ended   bool            // only done is left to be called,
	outcome error           // with this
}

// Attempt is one attempt of a Retry. It belongs to the loop's goroutine.
type Attempt struct {
	retry  *Retry
	number int
}

// NewRetry makes a Retry that, once started, calls try for each attempt, and in
// the end done: with nil when an attempt has succeeded, else with the reason. When
// try panics before its attempt was reported, the Retry ends as by Stop, without a
// call of done; what was reported before a panic holds. NewRetry panics when l, try
// or done is nil, or a field of b is out of its range.
func NewRetry(l *ev.Loop, b Backoff, try func(*Attempt), done func(r *Retry, err error), opts ...ev.Option) *Retry {
	if err := b.check(); err != nil {
		panic("evtime: NewRetry: " + err.Error())
	}
	r := &Retry{backoff: b, try: try, done: done}
	r.timer = newTimer("NewRetry", l, try == nil || done == nil, r.step, opts)
	return r
}

// Start has the first attempt begin in the loop's next iteration. It has no
// effect on an active Retry.
//
// When ctx is done, done is called with an error that wraps its cause and that of
// the last failed attempt. An attempt in progress is not waited for: give its work
// the same ctx. A deadline of ctx bounds the whole; when the next attempt would be
// after it, done is called at once. Start panics when ctx is nil.
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
		_ = l.Post(r.cancel) // ErrClosed: there is nothing to end any more
	})
}

// Stop ends the Retry without a call of done. An attempt in progress goes on, but
// what it reports has no effect.
func (r *Retry) Stop() {
	r.timer.Stop()
	if !r.Active() {
		return
	}
	r.unwatch()
	r.ctx, r.current, r.unwatch = nil, nil, nil
	r.timer.Loop().Unref()
}

// Active reports whether the Retry is started, and done is still to be called.
func (r *Retry) Active() bool { return r.ctx != nil }

// Number returns which attempt since Start this is; the first is 1.
func (a *Attempt) Number() int { return a.number }

// Report says how the attempt went. nil is success, and ends the Retry; after
// another err there will be a further attempt, unless there have been
// Backoff.Attempts: then done gets an error that wraps err. It may be called
// inside the attempt's function. Only the first Report or Fail of an attempt has
// an effect, and none when the Retry has ended meanwhile.
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

// Fail ends the Retry with err, for a failure that no further attempt would
// mend. Otherwise it is as Report. It panics when err is nil.
func (a *Attempt) Fail(err error) {
	if err == nil {
		panic("evtime: Attempt.Fail: nil error")
	}
	if a.retry.current == a {
		a.retry.end(err)
	}
}

// cancel is for the loop to call when a context of the Retry's is done: the one
// that has it called may be that of an earlier Start.
func (r *Retry) cancel() {
	if r.Active() && !r.ended && r.ctx.Err() != nil {
		r.end(r.whenDone(context.Cause(r.ctx)))
	}
}

// whenDone is the reason to give when ctx leaves no time.
func (r *Retry) whenDone(cause error) error {
	if r.last == nil {
		return fmt.Errorf("evtime: Retry: %w", cause)
	}
	return fmt.Errorf("evtime: Retry: %w; attempt %d: %w", cause, r.failed, r.last)
}

// end has done called. It does not call it: it may be inside try.
func (r *Retry) end(outcome error) {
	r.current, r.ended, r.outcome = nil, true, outcome
	arm(r.timer, time.Now())
}

// step is what the timer calls: for each attempt, and for the end.
func (r *Retry) step(*ev.Timer) {
	r.cancel() // the loop may not have been told yet
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
		if !returned && r.current == a { // a panic: nobody is left who would report
			r.Stop()
		}
	}()
	r.try(a)
	returned = true
}
