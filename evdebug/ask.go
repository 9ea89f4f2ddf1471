package evdebug

import (
	"context"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// patience is how long a page waits for the answer of a loop.
const patience = 200 * time.Millisecond

// An answer is good for a second, and for a hundred times as long as the loop
// was held up by the question: so that asking takes it no more than 1 % of its
// time, however many watchers it has, and however many people look.
const (
	fresh    = time.Second
	sparsely = 100
)

// answers reports whether the loop will answer a question. One that nobody runs
// would not, and the page would wait in vain. A loop that is parked and not running
// is embedded: its host has it answer.
func answers(l *ev.Loop) bool { return l.Running() || l.Parked() }

// asker asks loops what only they can tell. A loop that does not answer is asked
// once: the next who wants to know waits for the same answer.
type asker struct {
	mu        sync.Mutex
	questions map[uint64]*question // for their watchers; by the loop's number
	pings     map[uint64]*question // for nothing but an answer

	stacks stacks
}

type question struct {
	done   chan struct{} // closed when the fields below are set
	answer evmeter.Inspection
	at     time.Time
	err    error

	parts  bool      // it may take the loop several iterations
	before *answer   // what the loop answered the last time
	heard  time.Time // when it answered the last time
}

// answer is what a loop tells of itself.
type answer struct {
	evmeter.Inspection
	At time.Time `json:"at"` // when it was given
}

// ask returns what the loop answers, or has answered before, and whether it answers
// in time. An answer in many parts may be late, though the loop gives each part at
// once, and one that is still good may tell how the loop was some seconds ago: then a
// ping tells.
func (a *asker) ask(l *ev.Loop) (latest *answer, prompt bool) {
	q := a.question(l)
	ping := q
	if q.parts || !q.recent() {
		ping = a.ping(l)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	if !ping.answered(late.C) || !q.answered(late.C) {
		return q.latest(), ping.ended() && ping.err == nil
	}
	return q.latest(), q.err == nil
}

// prompt reports whether the loop answers in time.
func (a *asker) prompt(l *ev.Loop) bool {
	q := a.ping(l)
	late := time.NewTimer(patience)
	defer late.Stop()
	return q.answered(late.C) && q.err == nil
}

// question returns the one that is on its way or was answered just now, or else
// puts it again.
func (a *asker) question(l *ev.Loop) *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.questions[l.ID()]
	if q != nil && !q.stale() {
		return q
	}
	next := q.next()
	next.parts = l.Stats().Active > evmeter.PartSize
	a.questions = with(a.questions, l.ID(), next)
	go next.put(func() (evmeter.Inspection, error) { return evmeter.Inspect(context.Background(), l) })
	return next
}

// ping is question, for one that does not ask for the watchers. A question for
// those does for a ping, if it has one part.
func (a *asker) ping(l *ev.Loop) *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.questions[l.ID()]; q != nil && !q.parts && q.recent() {
		return q
	}
	q := a.pings[l.ID()]
	if q != nil && q.recent() {
		return q
	}
	next := q.next()
	a.pings = with(a.pings, l.ID(), next)
	go next.put(func() (evmeter.Inspection, error) { return evmeter.Inspection{}, evmeter.Ping(context.Background(), l) })
	return next
}

func with(m map[uint64]*question, id uint64, q *question) map[uint64]*question {
	if m == nil {
		m = make(map[uint64]*question)
	}
	m[id] = q
	return m
}

// known returns what the loop has answered before, without asking.
func (a *asker) known(l *ev.Loop) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.questions[l.ID()]; q != nil {
		return q.latest()
	}
	return nil
}

// heard returns when the loop gave its last answer, whatever it was asked.
func (a *asker) heard(l *ev.Loop) (last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range []*question{a.questions[l.ID()], a.pings[l.ID()]} {
		if at := q.lastHeard(); at.After(last) {
			last = at
		}
	}
	return last
}

// keep drops what other loops have answered: they are closed.
func (a *asker) keep(loops []*ev.Loop) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.questions, a.pings = ofThese(a.questions, loops), ofThese(a.pings, loops)
}

func ofThese(questions map[uint64]*question, loops []*ev.Loop) map[uint64]*question {
	live := make(map[uint64]*question)
	for _, l := range loops {
		if q := questions[l.ID()]; q != nil {
			live[l.ID()] = q
		}
	}
	return live
}

// next returns the question that comes after q, which is done, or nil.
func (q *question) next() *question {
	next := &question{done: make(chan struct{})}
	if q != nil {
		next.before, next.heard = q.latest(), q.lastHeard()
	}
	return next
}

// put waits for as long as it takes; Close ends it too.
func (q *question) put(ask func() (evmeter.Inspection, error)) {
	defer close(q.done)
	q.answer, q.err = ask()
	q.at = time.Now()
	clipActive(q.answer.Active)
}

// answered waits for the answer.
func (q *question) answered(late <-chan time.Time) bool {
	select {
	case <-q.done:
		return true
	case <-late:
		return false
	}
}

func (q *question) ended() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

func (q *question) stale() bool {
	return q.ended() && time.Since(q.at) >= max(fresh, sparsely*q.answer.Took)
}

// recent reports whether the question is on its way, or tells how the loop is now.
func (q *question) recent() bool { return !q.ended() || time.Since(q.at) < fresh }

// latest returns the last answer that there is.
func (q *question) latest() *answer {
	if !q.ended() || q.err != nil {
		return q.before
	}
	return &answer{q.answer, q.at}
}

func (q *question) lastHeard() time.Time {
	switch {
	case q == nil:
		return time.Time{}
	case q.ended() && q.err == nil:
		return q.at
	}
	return q.heard
}
