package proptest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goevlib/ev"
)

// reference is the loop as the documentation describes it, with slices that are
// searched and sorted. Its clock moves only when it sleeps. All times are since the
// Unix epoch.
type reference struct {
	d        *driver
	watchers []*refWatcher
	pending  []refEntry    // in the order in which they became pending
	requests []*refWatcher // sent and not collected; nil is for posts
	posts    []int         // posted and not collected
	failures []refFailure  // of Schedulers, not reported
	runs     []*refRun
	outside  []outsideAction // still to come

	clock, now time.Duration // the true time, the cached time
	woken      bool
	closed     bool
	freed      bool // the teardown is done
	iteration  int
	refs       int // Ref less Unref
	override   int // set by SetInvoke
	counter    int // of starts
}

// lookAtWall is the longest park of a loop that waits for the wall clock. The
// documentation says a minute; this is libev's figure.
const lookAtWall = 59743 * ms

type refWatcher struct {
	kind                 kind
	who, label, priority int
	n                    int // a Scheduler's function
	active, isPending    bool
	weak, sent, failed   bool
	catchUp              bool          // Periodic, Scheduler
	pause                time.Duration // Scheduler: until it asks again
	started              int           // orders hooks, and alarms that are due together
	received, current    ev.Events
	after, repeat        time.Duration // Timer
	offset, interval, at time.Duration // Periodic, Scheduler: at
	due                  time.Duration
	items                []int // Queue
	unread               int   // IO: bytes
	refTask
}

type refRun struct {
	stop     bool
	deadline time.Duration
}

// refEntry is a pending callback: a watcher's, or a posted function's.
type refEntry struct {
	w    *refWatcher
	post int
}

type refFailure struct {
	w    *refWatcher
	v    any
	past bool
}

func newReference(d *driver, began time.Duration) *reference {
	r := &reference{d: d, clock: began, now: began, outside: d.p.outside}
	for i, s := range d.p.watchers {
		w := &refWatcher{kind: s.kind, who: i, priority: s.priority, n: s.n, weak: s.kind == cleanup, at: never, catchUp: catchesUp(s)}
		r.configure(w, s.n)
		r.watchers = append(r.watchers, w)
	}
	return r
}

// Running.

func (r *reference) run(mode op, deadline time.Duration) (result string) {
	switch {
	case deadline <= r.clock:
		return "deadline"
	case r.closed:
		return "closed"
	}
	r.runs = append(r.runs, &refRun{deadline: deadline})
	defer func() {
		r.runs = r.runs[:len(r.runs)-1]
		if r.closed {
			result = "closed"
			if len(r.runs) == 0 {
				r.teardown()
			}
		}
	}()
	r.invoke()
	for r.clock < deadline {
		r.iterate(mode)
		if mode != run || !r.alive() || r.interrupted() {
			break
		}
	}
	if r.clock >= deadline {
		return "deadline"
	}
	return "ok"
}

func (r *reference) iterate(mode op) {
	r.reportFailures()
	prepares := r.activeOf(prepare)
	for _, w := range prepares {
		r.mark(w, ev.PrepareEvent)
	}
	if len(prepares) > 0 {
		r.invoke()
	}
	if r.interrupted() {
		return
	}
	r.iteration++
	r.poll(mode)
	if r.d.p.real {
		r.clock += ms // as if: some time passes
	}
	r.now = r.clock
	r.collect()
	r.expire(func(w *refWatcher) bool { return w.kind == pipe && w.unread > 0 }, r.readable)
	r.expire(func(w *refWatcher) bool { return w.kind == timer || w.armed }, r.expireTimer)
	r.expire(func(w *refWatcher) bool { return w.kind == periodic || w.kind == scheduler }, r.expirePeriodic)
	r.markIdles()
	for _, w := range slices.Backward(r.activeOf(check)) { // before the watchers that are pending
		events := r.unmark(w) | ev.CheckEvent
		r.pending = slices.Insert(r.pending, 0, refEntry{w: w})
		w.isPending, w.received = true, events
	}
	r.invoke()
}

// poll parks until a timer is due or another goroutine wakes the loop.
func (r *reference) poll(mode op) {
	if mode == runNoWait || !r.alive() || len(r.requests) > 0 || len(r.failures) > 0 || len(r.activeOf(idle)) > 0 || r.interrupted() {
		return
	}
	until := never
	for _, w := range r.watchers {
		switch {
		case !w.active:
		case w.kind == pipe && w.unread > 0:
			return
		case w.kind == timer || w.armed:
			until = min(until, w.due)
		case w.kind == periodic || w.kind == scheduler:
			until = min(until, w.due)
			if !r.d.p.real {
				until = min(until, r.clock+lookAtWall) // the wall clock may be set
			}
		}
	}
	if r.d.p.real {
		if until > r.clock+time.Minute { // no goroutine wakes it
			r.do(action{op: stopAll})
		}
		return
	}
	r.woken = false
	r.advance(until, true)
}

// advance lets time pass. Other goroutines act at their moments.
func (r *reference) advance(until time.Duration, wakeable bool) {
	for r.clock < until && !(wakeable && r.woken) {
		next, act := until, func() {}
		if len(r.outside) > 0 && r.since(r.outside[0]) <= next {
			next, act = r.since(r.outside[0]), func() {
				r.outside = r.outside[1:]
				r.d.actOutside(len(r.d.p.outside) - len(r.outside) - 1)
			}
		}
		for _, run := range r.runs {
			if run.deadline > r.clock && run.deadline < next {
				next, act = run.deadline, func() { run.stop, r.woken = true, true }
			}
		}
		if next == never {
			panic("the reference waits for ever")
		}
		r.clock = next
		act()
	}
}

func (r *reference) since(a outsideAction) time.Duration { return bubbleEpoch + a.after }

func (r *reference) interrupted() bool { return r.closed || r.runs[len(r.runs)-1].stop }

func (r *reference) alive() bool {
	if r.freed {
		return false
	}
	refs := r.refs
	for _, w := range r.watchers {
		if w.active && !w.weak {
			refs++
		}
	}
	posted := slices.ContainsFunc(r.pending, func(e refEntry) bool { return e.w == nil })
	return refs != 0 || posted || len(r.posts) > 0 || len(r.failures) > 0
}

// The visible state.

func (r *reference) events(who int) ev.Events { return r.watchers[who].current }

func (r *reference) verify() error { return nil }

func (r *reference) state() string {
	var b strings.Builder
	active := 0
	for _, w := range r.watchers {
		if w.active {
			active++
		}
	}
	fmt.Fprintf(&b, "  iteration %d depth %d pending %d active %d alive %v", r.iteration, len(r.runs), len(r.pending), active, r.alive())
	for _, w := range r.watchers {
		fmt.Fprintf(&b, "; %s active %v pending %v priority %d", r.d.p.name(w.who), w.active, w.isPending, w.priority)
		if w.kind == async {
			fmt.Fprintf(&b, " sent %v", w.sent)
		}
		if w.kind == task {
			fmt.Fprintf(&b, " done %v", w.done)
		}
	}
	if r.d.p.real {
		return b.String()
	}
	fmt.Fprintf(&b, "; now %v", r.now-bubbleEpoch)
	for _, w := range r.watchers {
		switch w.kind {
		case timer:
			left := w.after
			if w.active {
				left = w.due - r.now
			}
			fmt.Fprintf(&b, "; %s remaining %v repeat %v", r.d.p.name(w.who), left, w.repeat)
		case periodic, scheduler:
			fmt.Fprintf(&b, "; %s at %d", r.d.p.name(w.who), w.at)
		}
	}
	return b.String()
}
