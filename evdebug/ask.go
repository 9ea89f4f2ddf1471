package evdebug

import (
	"context"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// answerTimeout is how long a page waits for the answer of a loop.
const answerTimeout = 200 * time.Millisecond

// willAnswer reports whether the loop answers questions now. A loop that is parked and not
// running is embedded: it answers when its host runs it. Any other loop that is not in Run does
// not answer, and the page would wait in vain.
func willAnswer(l *ev.Loop) bool { return l.Running() || l.Parked() }

// asker asks loops for what only their goroutines can read. It sends a loop no second question
// while the first is not answered: all viewers wait for the same answer.
type asker struct {
	mu        sync.Mutex
	questions map[uint64]*question // inspections, by the loop's ID
	pings     map[uint64]*question // questions without an inspection

	stacks stacks
}

// ask returns the last answer of the loop, and whether the loop answers in time.
//
// The last inspection does not always show that the loop answers now: one in many parts can be
// late though the loop runs each part at once, and an old one may still be good. Then a ping
// shows it.
func (a *asker) ask(l *ev.Loop) (latest *answer, prompt bool) {
	q := a.question(l)
	ping := q
	if q.parts || !q.recent() {
		ping = a.ping(l)
	}
	late := time.NewTimer(answerTimeout)
	defer late.Stop()
	if !ping.wait(late.C) || !q.wait(late.C) {
		return q.latest(), ping.answered() && ping.err == nil
	}
	return q.latest(), q.err == nil
}

// prompt reports whether the loop answers in time.
func (a *asker) prompt(l *ev.Loop) bool {
	q := a.ping(l)
	late := time.NewTimer(answerTimeout)
	defer late.Stop()
	return q.wait(late.C) && q.err == nil
}

// question returns an inspection that is on its way or still good. Otherwise it starts one.
func (a *asker) question(l *ev.Loop) *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.questions[l.ID()]
	if q != nil && !q.stale() {
		return q
	}
	next := q.next()
	next.parts = l.Stats().Active > evmeter.PartSize || next.previous == nil || len(next.previous.Tasks) > 0
	a.questions = with(a.questions, l.ID(), next)
	go next.run(func() (evmeter.Inspection, error) { return evmeter.Inspect(context.Background(), l) })
	return next
}

// ping returns a question that shows whether the loop answers now. An inspection with one part
// serves too.
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
	go next.run(func() (evmeter.Inspection, error) { return evmeter.Inspection{}, evmeter.Ping(context.Background(), l) })
	return next
}

func with(m map[uint64]*question, id uint64, q *question) map[uint64]*question {
	if m == nil {
		m = make(map[uint64]*question)
	}
	m[id] = q
	return m
}

// known returns the last answer of the loop, or nil, without asking.
func (a *asker) known(l *ev.Loop) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.questions[l.ID()]; q != nil {
		return q.latest()
	}
	return nil
}

// lastAnswer returns when the loop answered last, to an inspection or a ping.
func (a *asker) lastAnswer(l *ev.Loop) (last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range []*question{a.questions[l.ID()], a.pings[l.ID()]} {
		if at := q.lastAnswer(); at.After(last) {
			last = at
		}
	}
	return last
}

// keep drops the questions to all loops but these: the others are closed.
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
