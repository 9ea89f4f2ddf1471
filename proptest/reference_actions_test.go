package proptest

import (
	"cmp"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

func (r *reference) do(a action) string {
	w := r.watchers[a.who]
	switch a.op {
	case start:
		return r.start(w)
	case stop:
		if w.kind == task {
			r.interrupt(w, stopped)
			break
		}
		r.unmark(w)
		r.deactivate(w)
	case poke:
		return r.poke(w, a.n)
	case feed:
		if !r.closed {
			r.mark(w, fed(a.n))
		}
	case clearPending:
		return r.unmark(w).String()
	case invoke:
		r.callWatcher(w, fed(a.n))
	case keep:
		w.weak = a.n%2 == 0
	case setPriority:
		if w.active || w.isPending {
			return "error"
		}
		w.priority = max(ev.MinPriority, min(a.n%8-4, ev.MaxPriority))
	case setCallback:
		w.label = a.n
	case setParams:
		if w.active && (w.kind == timer || w.kind == periodic) {
			return "error"
		}
		return r.configure(w, a.n)
	case setRepeat:
		return r.setRepeat(w, a.n)
	default:
		return r.doLoop(a)
	}
	return "ok"
}

func (r *reference) doLoop(a action) string {
	switch a.op {
	case runNoWait:
		return r.run(a.op, never)
	case runOnce, run:
		return r.run(a.op, r.d.deadline(r.clock, a.n))
	case invokeAll:
		r.pass(false)
	case setInvoke:
		r.override = a.n % 3
	case post:
		return r.post(a.n % 2)
	case sleep:
		r.advance(r.clock+nap(a.n), false)
	case update:
		r.now = r.clock
	case suspend:
		r.suspend(nap(a.n))
	case stopRun:
		if n := len(r.runs); n > 0 {
			r.runs[n-1].stop, r.woken = true, true
		}
	case stopAll:
		for _, run := range r.runs {
			run.stop, r.woken = true, true
		}
	case ref:
		r.refs++
	case unref:
		r.refs--
	case closeLoop:
		r.close()
	}
	return "ok"
}

func (r *reference) start(w *refWatcher) string {
	switch {
	case r.closed && (w.kind == signal || w.kind == pipe && !w.active):
		return "closed" // if it is active, in a Cleanup, either answer is right
	case r.closed:
		return "ok"
	case w.active:
		return "ok"
	}
	r.counter++
	w.active, w.started = true, r.counter
	switch w.kind {
	case timer:
		w.due = r.now + w.after
	case periodic:
		r.plan(w)
	case scheduler:
		w.pause = 0
		r.ask(w, 0)
	case async, signal:
		w.sent = false
	case task:
		w.sent, w.done, w.over, w.end = false, false, true, ""
		r.send(w)
	case queue:
		w.sent = false
		if len(w.items) > 0 {
			r.send(w)
		}
	}
	return "ok"
}

func (r *reference) deactivate(w *refWatcher) {
	if w.active && w.kind == timer {
		w.after = w.due - r.now
	}
	if w.active && r.closed {
		w.items = nil
	}
	w.active, w.armed = false, false
}

// poke brings the watcher's own event.
func (r *reference) poke(w *refWatcher, n int) string {
	switch w.kind {
	case async:
		r.send(w)
	case queue:
		switch {
		case r.closed:
			return "closed"
		case len(w.items) >= queueLimit:
			return "full"
		}
		w.items = append(w.items, n)
		r.send(w)
	case signal:
		for _, s := range r.activeOf(signal) {
			if n%2 == 0 {
				r.send(s)
			} else if !r.closed {
				r.mark(s, ev.SignalEvent)
			}
		}
	case pipe:
		w.unread++
		if n%2 != 0 {
			w.unread = 0
		}
	case timer:
		r.resetTimer(w)
	case task:
		r.interrupt(w, stopped)
		r.start(w)
	case periodic, scheduler:
		r.unmark(w)
		switch {
		case !w.active:
			r.start(w)
		case w.kind == periodic:
			r.plan(w)
		default:
			w.pause = 0
			r.ask(w, 0)
		}
	}
	return "ok"
}

// send makes a request. If an earlier request of a watcher is still in the list, after
// a Stop and a Start, the request keeps that place.
func (r *reference) send(w *refWatcher) {
	if w.sent {
		return
	}
	w.sent = true
	if w.active && !slices.Contains(r.requests, w) {
		r.requests, r.woken = append(r.requests, w), true
	}
}

func (r *reference) post(number int) string {
	if r.closed {
		return "closed"
	}
	if len(r.posts) == 0 {
		r.requests, r.woken = append(r.requests, nil), true
	}
	r.posts = append(r.posts, number)
	return "ok"
}

func (r *reference) resetTimer(w *refWatcher) {
	r.unmark(w)
	switch {
	case w.active && w.repeat == 0:
		r.deactivate(w)
	case w.active:
		r.arm(w, r.now+w.repeat)
	case w.repeat > 0:
		w.after = w.repeat
		r.start(w)
	}
}

// configure is Set, where the kind has it, or SetNext.
func (r *reference) configure(w *refWatcher, n int) string {
	switch w.kind {
	case timer:
		after, repeat := r.d.p.timerSpans(n)
		if repeat < 0 {
			return "error"
		}
		w.after, w.repeat = after, repeat
	case periodic:
		offset, interval := r.d.p.slots(n)
		if !checkSlots(offset, interval) {
			return "error"
		}
		w.offset, w.interval = offset, interval
	case scheduler:
		w.n = n
	}
	return "ok"
}

func (r *reference) setRepeat(w *refWatcher, n int) string {
	repeat := r.d.p.newRepeat(n)
	switch {
	case w.kind != timer:
	case repeat < 0:
		return "error"
	default:
		w.repeat = repeat
	}
	return "ok"
}

// suspend delays the Timers by the time between. The others compute their next moments,
// in the order in which they were due, unless they catch up.
func (r *reference) suspend(d time.Duration) {
	r.now = r.clock
	suspended := r.now
	r.advance(r.clock+d, false)
	r.now = r.clock
	for _, w := range r.watchers {
		if w.active && (w.kind == timer || w.armed) {
			w.due += r.now - suspended
		}
	}
	waiting := r.sorted(func(w *refWatcher) bool { return w.active && (w.kind == periodic || w.kind == scheduler) })
	slices.SortStableFunc(waiting, func(a, b *refWatcher) int { return cmp.Compare(a.due, b.due) })
	for _, w := range waiting {
		switch {
		case w.catchUp && w.due <= r.now:
		case w.kind == periodic && w.interval > 0:
			r.plan(w)
		case w.kind == scheduler && !w.failed:
			r.ask(w, 0)
		}
	}
}
