package proptest

import (
	"cmp"
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
	r.expire(func(w *refWatcher) bool { return w.kind == timer }, r.expireTimer)
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
		case w.kind == timer:
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

// Making watchers pending.

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

// The pass.

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

// Actions.

func (r *reference) do(a action) string {
	w := r.watchers[a.who]
	switch a.op {
	case start:
		return r.start(w)
	case stop:
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
	w.active = false
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
		if w.active && w.kind == timer {
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
