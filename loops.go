package ev

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
	"weak"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/goroutine"
	"github.com/goevlib/ev/internal/look"
)

// This file is the view of tools on live loops: the list of the loops, and the questions of
// internal/look.

// Version is the version of this package, not of libev's ABI.
const Version = "0.1.0"

// live is every loop of the process that is not closed, for tools. It keeps none of them
// alive; see resources.
var live struct {
	mu    sync.Mutex
	last  uint64
	loops map[uint64]weak.Pointer[Loop]
}

// Loops returns the loops that were made and not closed yet, the oldest first. A loop that
// is closed during a Run is among them until that Run returns. Loops is for tools that
// inspect a process. Any goroutine may call it.
func Loops() []*Loop {
	live.mu.Lock()
	var loops []*Loop
	for _, p := range live.loops {
		if l := p.Value(); l != nil {
			loops = append(loops, l)
		}
	}
	live.mu.Unlock()
	slices.SortFunc(loops, func(a, b *Loop) int { return cmp.Compare(a.id, b.id) })
	return loops
}

// ID returns a number that no other loop of the process has: 1 for the first one made. Any
// goroutine may call it.
func (l *Loop) ID() uint64 { return l.id }

// String returns the name by which profiles, traces and tools call the loop: that of
// WithName or, without one, its number, "loop 7". Any goroutine may call it.
func (l *Loop) String() string {
	l.checkConstructed("String")
	if l.name != "" {
		return l.name
	}
	return "loop " + strconv.FormatUint(l.id, 10)
}

func (l *Loop) register() {
	live.mu.Lock()
	defer live.mu.Unlock()
	if live.loops == nil {
		live.loops = make(map[uint64]weak.Pointer[Loop])
	}
	live.last++
	l.id = live.last
	live.loops[l.id] = weak.Make(l)
	runtime.AddCleanup(l, unregister, l.id)
}

func unregister(id uint64) {
	live.mu.Lock()
	defer live.mu.Unlock()
	delete(live.loops, id)
}

var defaultLoop struct {
	mu sync.Mutex
	l  *Loop
}

// Default returns the process-wide loop (ev_default_loop). The first call makes it by New,
// and so does the first one after it was closed. Default is safe for concurrent use. The
// loop belongs to one goroutine, like every loop. It has no privileges: a loop that you
// make and pass on does the same and is easier to test.
func Default() (*Loop, error) {
	d := &defaultLoop
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.l != nil && !d.l.isClosed() {
		return d.l, nil
	}
	l, err := New(WithName("default"))
	if err != nil {
		return nil, err
	}
	d.l = l
	return l, nil
}

// How tools look at a live loop. Package internal/look has the contract.

func init() {
	look.Ask = func(ctx context.Context, loop any, fn func()) error { return loop.(*Loop).ask(ctx, fn) }
	look.Part = func(loop any, from look.Cursor, n int, see func(any, bool)) look.Cursor {
		return loop.(*Loop).part(from, n, see)
	}
	look.Sends = func(loop any) func() { return loop.(*Loop).recordSends() }
	look.Sent = func(loop, w any) (time.Time, [8]uintptr, bool) {
		of, _ := w.(Watcher) // nil for Post, Call and Go
		return loop.(*Loop).sentFor(of)
	}
	look.TaskOf = func(task any) look.Task { return task.(*Task).state() }
	look.TaskStack = func(task any, pcs []uintptr) int { return task.(*Task).stack(pcs) }
}

// looks is the questions of tools to a loop. A question uses the request of the mailbox,
// as a post does, but is not in the mailbox: waiting does not count it, so it keeps no Run
// going. The watcher is never active, and is pending while there is a question to answer.
// guard shows it to no observer.
//
// No question is lost. put appends it, and sets asked, before it makes the request. The
// loop collects that request, or an earlier one that the send found not collected yet.
// Then it calls mark, after put has set asked.
type looks struct {
	watcher
	asked atomic.Uint32 // 1: questions is not empty; changed with mu held

	mu        sync.Mutex
	questions []*question // guarded by mu
}

// question is taken from the list once, with mu held: by the loop, to answer it, or by the
// asker, to give up on it.
type question struct {
	fn   func()
	done chan struct{} // closed when fn has returned
}

func (s *looks) init(l *Loop) { s.watcher.init("New", s, l, false, nil) }

func (l *Loop) ask(ctx context.Context, fn func()) error {
	l.checkConstructed("ask")
	if l.ownerIs(goroutine.ID()) {
		panic("ev: a question to the loop on its own goroutine would wait for itself for ever")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q := &question{fn: fn, done: make(chan struct{})}
	l.looks.put(q)
	l.mail.send(l) // harmless when the loop is closed
	var why error
	select {
	case <-q.done: // with a loop that has closed meanwhile, or not
		return nil
	case <-ctx.Done():
		why = ctx.Err()
	case <-l.done:
		why = ErrClosed
	}
	if l.looks.remove(q) {
		return why
	}
	<-q.done // it is being answered
	return nil
}

func (s *looks) put(q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.questions = append(s.questions, q)
	s.note()
}

// remove reports whether the question was not taken yet.
func (s *looks) remove(q *question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.questions, q)
	if i < 0 {
		return false
	}
	s.questions = slices.Delete(s.questions, i, i+1)
	s.note()
	return true
}

// take returns the oldest question, or nil, and whether there are more.
func (s *looks) take() (q *question, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.questions) > 0 {
		q = s.questions[0]
		s.questions = slices.Delete(s.questions, 0, 1)
	}
	s.note()
	return q, len(s.questions) > 0
}

// note requires that mu is held.
func (s *looks) note() {
	asked := uint32(0)
	if len(s.questions) > 0 {
		asked = 1
	}
	s.asked.Store(asked)
}

// mark makes the watcher pending if there are questions. It is called when the request of
// the mailbox is collected.
func (s *looks) mark() {
	if s.asked.Load() != 0 {
		s.loop.pending.mark(&s.watcher, AsyncEvent)
	}
}

// waiting is 1 while the watcher is pending, and 0 otherwise: counts of callbacks do not
// include it. It is called on the loop's goroutine.
func (s *looks) waiting() int {
	if s.pending {
		return 1
	}
	return 0
}

// call answers one question. The next question waits for the next iteration, so many
// tools do not hold up the loop for longer than one does.
func (s *looks) call() {
	q, more := s.take()
	if more {
		s.loop.mail.send(s.loop)
	}
	if q == nil { // its asker has given up
		return
	}
	defer close(q.done)
	q.fn()
}

func (s *looks) callback() any { return s.call }
func (s *looks) onStop()       {}

// part is look.Part.
func (l *Loop) part(at look.Cursor, n int, see func(watcher any, keeps bool)) look.Cursor {
	if !at.Timers {
		for ; at.Index < len(l.active); at.Index++ {
			if n--; n < 0 {
				return at
			}
			if w := l.active[at.Index]; !w.hidden {
				see(w.self, !w.weak)
			}
		}
		at = look.Cursor{Timers: true}
	}
	for ; at.Index < len(l.timers.heap); at.Index++ {
		if n--; n < 0 {
			return at
		}
		if a := l.timers.heap[at.Index].a; a != nil && a.index == inHeap {
			see(a.self, !a.weak)
		}
	}
	at.Done = true
	return at
}

// state is look.TaskOf.
func (t *Task) state() look.Task {
	l, s := t.loop, look.Task{Runs: t.running, FD: -1, Goroutine: t.on.goroutineID()}
	if t.running || t.on == nil {
		return s
	}
	s.Over = t.over || t.pending || t.source != nil && t.source.ready(t)
	s.Since = l.base.Add(t.since)
	if t.alarm.armed() {
		s.Until = l.base.Add(t.due)
	}
	s.Method = "Sleep"
	if t.source != nil {
		s.Method = t.source.method()
	}
	switch of := t.source.(type) {
	case *joined:
		s.Of = (*Task)(of)
	case *readiness:
		s.FD, s.Read, s.Write = of.fd, of.interest&Read != 0, of.interest&Write != 0
	}
	return s
}

// stack is look.TaskStack.
func (t *Task) stack(pcs []uintptr) int {
	if t.running || t.on == nil || len(pcs) == 0 {
		return 0
	}
	return t.on.stack(pcs)
}
