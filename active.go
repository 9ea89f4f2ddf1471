package ev

import (
	"iter"
	"slices"
)

// Which watchers are active, and whether that keeps Run going.

// inHeap is the index of an active timer. Loop.timers keeps it alive, and it is not in
// roster.active: a second table would cost each Start and each Stop a cache miss or two.
const inHeap = -1

// roster is a loop's active watchers.
type roster struct {
	active []*watcher // without the timers
	inHeap int        // active timers
	hidden int        // active watchers that are the loop's own
	starts uint64     // how often a watcher was put into active
	refs   int        // active watchers that keep Run going, and extra
	extra  int        // Refs less Unrefs
}

// activate adds w to the active watchers, which the loop keeps alive.
func (l *Loop) activate(w *watcher) {
	l.starts++
	l.active = push(l.active, w)
	w.index = int32(len(l.active))
	l.count(w, 1)
	l.publishIfIdle()
}

// activateTimer is activate for a watcher in the heap.
func (l *Loop) activateTimer(w *watcher) {
	w.index = inHeap
	l.inHeap++
	l.count(w, 1)
	l.publishIfIdle()
}

func (l *Loop) deactivate(w *watcher) {
	if w.index == inHeap {
		w.index = 0
		l.inHeap--
		l.count(w, -1)
		return
	}
	last := l.active[len(l.active)-1]
	l.active[w.index-1] = last
	last.index = w.index
	l.active[len(l.active)-1] = nil
	l.active = l.active[:len(l.active)-1]
	w.index = 0
	l.count(w, -1)
}

// count adds n, which is 1 or -1, to the count that an active watcher belongs to.
func (l *Loop) count(w *watcher, n int) {
	switch {
	case w.hidden:
		l.hidden += n
	case !w.weak:
		l.refs += n
	}
}

// actives returns the number of the user's active watchers.
func (l *Loop) actives() int { return len(l.active) + l.inHeap - l.hidden }

// push is append, but doubles the room. With append's own growth, large slices are copied
// four times as often.
func push[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		s = slices.Grow(s, max(len(s), 8))
	}
	return append(s, v)
}

// Alive reports whether anything keeps Run going. pyev's start returns that.
func (l *Loop) Alive() bool {
	l.own("Alive")
	return !l.freed && l.alive()
}

func (l *Loop) alive() bool {
	return l.refs != 0 || l.pending.posts > 0 || l.mail.waiting() || len(l.reports) > 0
}

// Ref makes Run go on as if one more watcher were active (ev_ref). For a single
// watcher, Watcher.Keep is safer.
func (l *Loop) Ref() {
	l.own("Ref")
	l.refs++
	l.extra++
}

// Unref undoes a Ref. Without one, Run does not wait for one of the active watchers
// (ev_unref).
func (l *Loop) Unref() {
	l.own("Unref")
	l.refs--
	l.extra--
}

// Watchers yields the active watchers, in no particular order. A watcher that is started or
// stopped meanwhile may be missed, or seen twice. libev's ev_walk. Keepers yields those
// that keep Run going.
func (l *Loop) Watchers() iter.Seq[Watcher] {
	l.own("Watchers")
	return func(yield func(Watcher) bool) {
		for i := 0; i < len(l.active); i++ {
			if w := l.active[i]; !w.hidden && !yield(w.self) {
				return
			}
		}
		for a := range l.timers.all {
			if a.index == inHeap && !yield(a.self) {
				return
			}
		}
	}
}
