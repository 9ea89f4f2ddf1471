package proptest

import (
	"cmp"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

// activeOf returns the active watchers of a kind in the order of their starts.
func (r *reference) activeOf(k kind) []*refWatcher {
	return r.sorted(func(w *refWatcher) bool { return w.active && w.kind == k })
}

func (r *reference) sorted(which func(*refWatcher) bool) []*refWatcher {
	var all []*refWatcher
	for _, w := range r.watchers {
		if which(w) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *refWatcher) int { return a.started - b.started })
	return all
}

func (r *reference) collect() {
	requests := r.requests
	r.requests = nil
	for _, w := range requests {
		switch {
		case w == nil:
			for _, post := range r.posts {
				r.pending = append(r.pending, refEntry{post: post})
			}
			r.posts = nil
		case w.active && w.sent:
			w.sent = false
			r.mark(w, eventOf(w.kind))
		}
	}
}

// expire calls then for the watchers that are due, in the order of the due times, then
// of the starts.
func (r *reference) expire(which func(*refWatcher) bool, then func(*refWatcher)) {
	due := r.sorted(func(w *refWatcher) bool { return w.active && which(w) && w.due <= r.now })
	slices.SortStableFunc(due, func(a, b *refWatcher) int { return cmp.Compare(a.due, b.due) })
	for _, w := range due {
		then(w)
	}
}

func (r *reference) readable(w *refWatcher) { r.mark(w, ev.Read) }

func (r *reference) expireTimer(w *refWatcher) {
	if w.kind == task {
		r.expireTask(w)
		return
	}
	if w.repeat > 0 {
		r.arm(w, max(w.due+w.repeat, r.now+1)) // missed ticks are not replayed
	} else {
		w.after, w.active = w.due-r.now, false
	}
	r.mark(w, ev.TimerEvent)
}

func (r *reference) expirePeriodic(w *refWatcher) {
	if w.pause == 0 {
		r.mark(w, ev.PeriodicEvent)
	}
	switch {
	case w.kind == scheduler:
		r.ask(w, r.now+1)
	case w.interval > 0:
		r.plan(w)
	default:
		w.active = false
	}
}

// plan computes a Periodic's next moment after now.
func (r *reference) plan(w *refWatcher) {
	w.at = w.offset
	if w.interval > 0 {
		w.at += ((r.now-w.offset)/w.interval + 1) * w.interval
	}
	r.arm(w, w.at)
}

// ask calls a Scheduler's function.
func (r *reference) ask(w *refWatcher, earliest time.Duration) {
	r.arm(w, never)
	w.failed = true
	defer func() {
		if v := recover(); v != nil {
			r.failures = append(r.failures, refFailure{w, v, false})
		}
	}()
	at := nextMoment(w.n, time.Unix(0, int64(r.now)))
	switch {
	case at.IsZero():
		w.at, w.active, w.pause = never, false, 0
	case at.UnixNano() < int64(r.now):
		if w.pause == 0 {
			r.failures = append(r.failures, refFailure{w, errPast, true})
		}
		w.pause = min(max(2*w.pause, time.Second), time.Minute)
		w.started, w.due = r.counter, r.now+w.pause
	default:
		w.at, w.pause = time.Duration(at.UnixNano()), 0
		w.due = max(w.at, earliest)
	}
	w.failed = false
}

func (r *reference) arm(w *refWatcher, due time.Duration) {
	r.counter++
	w.started, w.due = r.counter, due
}

func (r *reference) reportFailures() {
	for len(r.failures) > 0 {
		f := r.failures[0]
		r.failures = r.failures[1:]
		switch {
		case f.past && !r.d.p.tolerant:
			r.d.logged(r.d.p.name(f.w.who))
			continue
		case !f.past && f.w.failed && f.w.active:
			f.w.failed, f.w.active = false, false
		}
		if !r.d.p.tolerant {
			panic(f.v)
		}
		r.d.handled(r.d.p.name(f.w.who), f.v)
	}
}

// markIdles marks the Idles of the highest priority that has any, unless a watcher of
// that or a higher priority is pending.
func (r *reference) markIdles() {
	idles := r.activeOf(idle)
	highest := ev.MinPriority - 1
	for _, w := range idles {
		highest = max(highest, w.priority)
	}
	for _, e := range r.pending {
		if e.priority() >= highest {
			return
		}
	}
	for _, w := range idles {
		if w.priority == highest {
			r.mark(w, ev.IdleEvent)
		}
	}
}
