package proptest

import (
	"context"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

// A task makes some steps, with a wait before each but the first. Its number says how many
// steps, which waits, and whether they have a deadline.

type wait int

const (
	yields wait = iota
	sleeps
	joins
)

// soon is the deadline of a wait that has one.
const soon = 2 * ms

func stepsOf(s spec) int { return 1 + s.n%4 }

func hasDeadline(s spec) bool { return s.n >= 40 }

// waitOf is the wait before a step: how long it sleeps, or whom it joins.
func (p *program) waitOf(who, step int) (kind wait, d time.Duration, other int) {
	n := p.watchers[who].n
	switch kind = wait((n/4 + step) % 3); kind {
	case sleeps:
		d = spans[1+(n/12+step)%5]
	case joins:
		for other = (who + 1) % len(p.watchers); p.watchers[other].kind != task; {
			other = (other + 1) % len(p.watchers)
		}
		if other == who {
			kind = yields
		}
	}
	return kind, d, other
}

// The real task.

func (m *subject) taskFunc(i, label int) func(*ev.Task) error {
	return func(t *ev.Task) error {
		s := m.d.p.watchers[i]
		for step := range stepsOf(s) {
			if step > 0 {
				switch err := m.wait(t, i, step); err {
				case nil:
				case context.DeadlineExceeded:
					m.d.note("%s is late", m.d.p.name(i))
				case context.Canceled:
					m.d.note("%s is stopped", m.d.p.name(i))
					return err
				default: // the loop is closed: tasks end in no order
					return err
				}
			}
			m.d.callback(i, label, "")
		}
		return nil
	}
}

func (m *subject) wait(t *ev.Task, i, step int) (err error) {
	kind, d, other := m.d.p.waitOf(i, step)
	wait := func() error {
		switch kind {
		case sleeps:
			return t.Sleep(d)
		case joins:
			err := t.Join(m.watchers[other].task)
			if err == ev.ErrClosed || err == context.DeadlineExceeded || t.Context().Err() != nil {
				return err
			}
			return nil // the other's error
		}
		return t.Yield()
	}
	if hasDeadline(m.d.p.watchers[i]) {
		return t.Within(soon, wait)
	}
	return wait()
}

// The reference's.

const (
	stopped  = "stopped"
	closed   = "closed"
	returned = "returned"
)

type refTask struct {
	begun, waits, running, done bool
	over, late, toLate, armed   bool
	end                         string // why its waits fail
	steps                       int    // made
	as                          int    // label of the function that has begun
	joining                     []*refWatcher
}

// step is the callback: it goes on until the next wait.
func (r *reference) step(w *refWatcher) {
	if !w.active || w.running || !w.over {
		return
	}
	w.over = false
	if !w.begun {
		w.begun, w.steps, w.as = true, 0, w.label
	}
	w.running = true
	ended := false
	defer func() {
		w.running = false
		v := recover()
		if v != nil || ended {
			r.leave(w)
		}
		if v != nil {
			if !r.d.p.tolerant {
				r.d.logged(r.d.p.name(w.who))
			}
			panic(v)
		}
	}()
	for {
		switch {
		case w.waits:
			w.waits, w.armed = false, false
			for _, other := range r.watchers {
				other.joining = slices.DeleteFunc(other.joining, func(j *refWatcher) bool { return j == w })
			}
			if w.end == "" && w.late {
				r.d.note("%s is late", r.d.p.name(w.who))
			}
		case w.steps == stepsOf(r.d.p.watchers[w.who]):
			ended = true
			return
		case w.steps > 0:
			r.wait(w)
			if w.waits {
				return
			}
		}
		if w.steps > 0 && (w.end != "" || r.closed) {
			if w.end == stopped {
				r.d.note("%s is stopped", r.d.p.name(w.who))
			}
			ended = true
			return
		}
		w.steps++
		r.d.callback(w.who, w.as, "")
	}
}

// wait begins the wait before the next step, unless there is none.
func (r *reference) wait(w *refWatcher) {
	if w.end != "" || r.closed {
		return
	}
	kind, d, other := r.d.p.waitOf(w.who, w.steps)
	due := never
	w.late, w.toLate = false, false
	switch kind {
	case yields:
		w.over = true
		r.send(w)
		w.waits = true
		return
	case sleeps:
		due = r.clock + d
	case joins:
		if r.watchers[other].done {
			return
		}
		r.watchers[other].joining = append(r.watchers[other].joining, w)
	}
	w.waits = true
	if hasDeadline(r.d.p.watchers[w.who]) && r.clock+soon < due {
		due, w.toLate = r.clock+soon, true
	}
	if due != never {
		r.arm(w, due)
		w.armed = true
	}
}

func (r *reference) expireTask(w *refWatcher) {
	w.armed = false
	if !w.over {
		w.over, w.late = true, w.toLate
		r.mark(w, ev.TimerEvent)
	}
}

// interrupt stops a task. One that runs is only marked.
func (r *reference) interrupt(w *refWatcher, why string) {
	if !w.active {
		r.unmark(w)
		return
	}
	if w.end == "" {
		w.end = why
	}
	switch {
	case w.running:
	case !w.begun:
		r.leave(w)
	default:
		r.unmark(w)
		w.over = true
		r.callNow(w)
	}
}

func (r *reference) callNow(w *refWatcher) {
	if r.d.p.tolerant {
		defer func() {
			if v := recover(); v != nil {
				r.d.handled(r.d.p.name(w.who), v)
			}
		}()
	}
	r.callWatcher(w, ev.None)
}

func (r *reference) leave(w *refWatcher) {
	r.unmark(w)
	r.deactivate(w)
	w.begun, w.waits, w.done = false, false, true
	if w.end == "" {
		w.end = returned
	}
	joining := w.joining
	w.joining = nil
	for _, j := range joining {
		if !j.over && j.end == "" {
			j.over = true
			r.send(j)
		}
	}
}

// endTasks ends the tasks of a closed loop. They make no further step, so their order does
// not show.
func (r *reference) endTasks() {
	for _, w := range r.activeOf(task) {
		r.interrupt(w, closed)
	}
}
