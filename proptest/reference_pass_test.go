package proptest

import (
	"fmt"
	"slices"

	"github.com/goevlib/ev"
)

func (r *reference) invoke() {
	switch r.override {
	case hookInvokes:
		r.d.hook()
		r.pass(false)
	case hookOnly:
		r.d.hook()
	default:
		r.pass(false)
	}
}

func (r *reference) pass(closing bool) {
	for len(r.pending) > 0 && (closing || !r.closed) {
		next := 0
		for i, e := range r.pending {
			if e.priority() > r.pending[next].priority() {
				next = i
			}
		}
		e := r.pending[next]
		r.pending = slices.Delete(r.pending, next, next+1)
		r.call(e)
	}
}

func (e refEntry) priority() int {
	if e.w == nil {
		return 0
	}
	return e.w.priority
}

func (r *reference) call(e refEntry) {
	name := "a post"
	if e.w != nil {
		name = r.d.p.name(e.w.who)
	}
	if r.d.p.tolerant {
		defer func() {
			if v := recover(); v != nil {
				r.d.handled(name, v)
			}
		}()
	}
	if e.w == nil {
		r.d.posted(e.post)
		return
	}
	e.w.isPending = false
	r.callWatcher(e.w, e.w.received)
}

func (r *reference) callWatcher(w *refWatcher, events ev.Events) {
	outer := w.current
	defer func() { w.current = outer }()
	w.current = events
	if w.kind == task {
		r.step(w)
		return
	}
	with, items := "", w.items
	if w.kind == queue {
		w.items = nil
		with = fmt.Sprintf(" with %v", items)
	}
	if w.kind != queue || len(items) > 0 || events != ev.AsyncEvent {
		r.d.callback(w.who, w.label, with)
	}
}

func (r *reference) mark(w *refWatcher, events ev.Events) {
	if !w.isPending {
		r.pending = append(r.pending, refEntry{w: w})
		w.isPending, w.received = true, 0
	}
	w.received |= events
}

func (r *reference) unmark(w *refWatcher) ev.Events {
	if !w.isPending {
		return ev.None
	}
	w.isPending = false
	r.pending = slices.DeleteFunc(r.pending, func(e refEntry) bool { return e.w == w })
	return w.received
}

// The end.

func (r *reference) close() {
	if r.closed {
		return
	}
	r.closed, r.woken = true, true
	if len(r.runs) == 0 {
		r.teardown()
	}
}

func (r *reference) teardown() {
	defer func() {
		r.dropPending()
		for _, w := range r.watchers {
			r.deactivate(w)
			w.items = nil
		}
		r.posts, r.freed = nil, true
	}()
	r.dropPending()
	r.endTasks()
	r.dropPending()
	for _, w := range r.activeOf(cleanup) {
		r.mark(w, ev.CleanupEvent)
	}
	r.callCleanups()
}

// callCleanups calls them all, even if some panic. The first panic continues after
// that.
func (r *reference) callCleanups() {
	defer func() {
		if v := recover(); v != nil {
			r.callCleanups()
			panic(v)
		}
	}()
	r.pass(true)
}

func (r *reference) dropPending() {
	for _, e := range slices.Clone(r.pending) {
		if e.w != nil {
			e.w.isPending = false
		}
	}
	r.pending = nil
}
