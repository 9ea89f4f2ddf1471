package evdebug

import (
	"time"

	"github.com/goevlib/ev/evmeter"
)

// An answer is good for freshFor, and for costFactor times as long as the question held up the
// loop. So questions take at most 1 % of the loop's time, for any number of watchers and viewers.
const (
	freshFor   = time.Second
	costFactor = 100
)

// question is one question to a loop.
type question struct {
	done   chan struct{} // closed when the fields below are set
	answer evmeter.Inspection
	at     time.Time
	err    error

	parts       bool      // the answer may take the loop several iterations
	previous    *answer   // the answer to an earlier question, or nil
	previousEnd time.Time // when an earlier question was answered
}

// answer is a loop's answer to an inspection.
type answer struct {
	evmeter.Inspection
	At time.Time `json:"at"` // when it was given
}

// next returns the question that follows q. q is nil or answered.
func (q *question) next() *question {
	next := &question{done: make(chan struct{})}
	if q != nil {
		next.previous, next.previousEnd = q.latest(), q.lastAnswer()
	}
	return next
}

// run waits until the loop has answered or is closed.
func (q *question) run(ask func() (evmeter.Inspection, error)) {
	defer close(q.done)
	q.answer, q.err = ask()
	q.at = time.Now()
	clipActive(q.answer.Active)
	clipTasks(q.answer.Tasks)
}

// wait waits for the answer, and reports whether it came in time.
func (q *question) wait(late <-chan time.Time) bool {
	select {
	case <-q.done:
		return true
	case <-late:
		return false
	}
}

func (q *question) answered() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

func (q *question) stale() bool {
	return q.answered() && time.Since(q.at) >= max(freshFor, costFactor*q.answer.Took)
}

// recent reports whether the question is on its way, or its answer shows the present.
func (q *question) recent() bool { return !q.answered() || time.Since(q.at) < freshFor }

// latest returns the last answer of the loop, or nil.
func (q *question) latest() *answer {
	if !q.answered() || q.err != nil {
		return q.previous
	}
	return &answer{q.answer, q.at}
}

// lastAnswer returns when the loop answered last, or the zero time.
func (q *question) lastAnswer() time.Time {
	switch {
	case q == nil:
		return time.Time{}
	case q.answered() && q.err == nil:
		return q.at
	}
	return q.previousEnd
}
