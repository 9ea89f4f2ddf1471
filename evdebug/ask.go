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
// would not, and would be alive for as long as it is asked. A loop that is parked
// and not running is embedded: its host has it answer.
func answers(l *ev.Loop) bool { return l.Running() || l.Parked() }

// asker asks loops what only they can tell. A loop that does not answer is asked
// once: the next who wants to know waits for the same answer.
type asker struct {
	mu        sync.Mutex
	questions map[uint64]*question // by the loop's number
}

type question struct {
	done   chan struct{} // closed when the fields below are set
	answer evmeter.Inspection
	at     time.Time
	err    error

	before *answer // what the loop answered the last time

	stack stack
}

// answer is what a loop tells of itself.
type answer struct {
	evmeter.Inspection
	At time.Time `json:"at"` // when it was given
}

// ask returns what the loop answers, or has answered before, and whether the
// answer came in time.
func (a *asker) ask(l *ev.Loop) (q *question, latest *answer, prompt bool) {
	q = a.question(l)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-q.done:
		return q, q.latest(), q.err == nil
	case <-late.C:
		return q, q.before, false
	}
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
	next := &question{done: make(chan struct{})}
	if q != nil {
		next.before = q.latest()
	}
	a.questions[l.ID()] = next
	go next.put(l)
	return next
}

// known returns what the loop has answered before, without asking.
func (a *asker) known(l *ev.Loop) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.questions[l.ID()]
	if q == nil {
		return nil
	}
	select {
	case <-q.done:
		return q.latest()
	default:
		return q.before
	}
}

// keep drops what other loops have answered: they are closed.
func (a *asker) keep(loops []*ev.Loop) {
	a.mu.Lock()
	defer a.mu.Unlock()
	live := make(map[uint64]*question)
	for _, l := range loops {
		if q := a.questions[l.ID()]; q != nil {
			live[l.ID()] = q
		}
	}
	a.questions = live
}

// put waits for as long as it takes; Close ends it too.
func (q *question) put(l *ev.Loop) {
	defer close(q.done)
	q.answer, q.err = evmeter.Inspect(context.Background(), l)
	q.at = time.Now()
}

func (q *question) stale() bool {
	select {
	case <-q.done:
		return time.Since(q.at) >= max(fresh, sparsely*q.answer.Took)
	default:
		return false
	}
}

// latest requires that q is done.
func (q *question) latest() *answer {
	if q.err != nil {
		return q.before
	}
	return &answer{q.answer, q.at}
}

// stack is where a loop hangs. To find out stops the whole process for a moment:
// it is done once in a while only, however often somebody looks.
type stack struct {
	mu   sync.Mutex
	at   time.Time
	text string
}

const stackEvery = 10 * time.Second

func (s *stack) of(l *ev.Loop) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= stackEvery {
		s.text, s.at = evmeter.Stack(l), time.Now()
	}
	return s.text
}
