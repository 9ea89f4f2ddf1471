package ev

import (
	"slices"

	"go.uber.org/atomic"
)

// Async lets any goroutine get a callback on the loop's goroutine; libev's
// ev_async. It carries no data and counts nothing: any number of sends before
// the callback collapse into one. Put the data where both sides find it, under
// a lock or an atomic, before the Send, and let the callback take all of it; or
// use a Queue, which is just that.
//
// Every Send on an active Async is followed by a callback that starts after
// that Send began, unless the watcher is stopped first. Callbacks never
// outnumber sends, and there is at most one per iteration. Inside a priority
// they come in the order of the first sends. A Send made by a callback is
// answered in the next iteration, so an Async that sends itself starves nobody.
type Async struct {
	_ noCopy
	request
	watcher
	fn       func(*Async)
	notifier *notifier // nil until Notifier is called
}

// NewAsync makes an Async. It does nothing until Start. It panics when l or fn
// is nil.
func NewAsync(l *Loop, fn func(*Async), opts ...Option) *Async {
	a := &Async{fn: fn}
	a.watcher.init("NewAsync", a, l, fn == nil, opts)
	a.request.init(&a.watcher, AsyncEvent)
	return a
}

// Start activates the watcher. A Send made before is forgotten. Start has no
// effect on an active watcher or a closed loop.
func (a *Async) Start() {
	a.own("Start")
	if a.begin() {
		a.loop.requests.activate(&a.request)
		if a.notifier != nil {
			a.notifier.watch(a)
		}
	}
}

// Send asks for a callback. Any goroutine may call it, at any time, even after
// Close. It never blocks, allocates or takes a lock: one atomic load when a
// request is outstanding already; no system call unless the loop is parked,
// and then at most one for all senders together. On a watcher that is not
// active it wakes nobody. libev's ev_async_send.
//
// A Send that finds nothing requested synchronizes before the callback that
// answers it. A Send that finds a request outstanding adds no edge of its own,
// and a program without data races needs none: see requests.
func (a *Async) Send() {
	if a.state.Load()&requested != 0 {
		return
	}
	a.send(a.loop)
}

// Sent reports whether a Send has not been collected by the loop yet; any
// goroutine may call it. It turns false before the callback begins, says
// nothing about Pending, survives Stop, and is reset by Start on an inactive
// watcher. libev's ev_async_pending.
func (a *Async) Sent() bool { return a.state.Load()&requested != 0 }

// SetCallback replaces the callback, from the next call on.
func (a *Async) SetCallback(fn func(*Async)) {
	a.own("SetCallback")
	a.checkCallback(fn == nil)
	a.fn = fn
}

func (a *Async) call()         { a.fn(a) }
func (a *Async) callback() any { return a.fn }

func (a *Async) onStop() {
	a.loop.requests.deactivate(&a.request)
	if a.notifier != nil {
		a.notifier.unwatch()
	}
}

// request is the word by which other goroutines ask for a watcher's callback,
// and its link in the loop's list of such requests.
type request struct {
	state  atomic.Uint32
	next   uint32 // number of the next in the list; owned by whoever set linked, until the list is taken
	number uint32 // in requests.all; changed by the loop, never while linked
	event  Events
	w      *watcher // nil for the mailbox of Post
}

// The bits of request.state. They live in one word, changed by
// compare-and-swap only: were they apart, a Send that has read "not active"
// could set "requested" after Start had reset it, and every later Send would
// return early, for ever.
const (
	active    = 1 << iota // between Start and Stop; changed by the loop
	requested             // a send has not been collected
	linked                // the request is in the list, or about to be put there
)

func (r *request) init(w *watcher, event Events) { r.w, r.event = w, event }

// send is Send, after its fast path.
func (r *request) send(l *Loop) {
	for {
		s := r.state.Load()
		if s&requested != 0 {
			return
		}
		next := s | requested
		if s&active != 0 {
			next |= linked
		}
		if !r.state.CompareAndSwap(s, next) {
			continue
		}
		if next&^s&linked != 0 {
			l.requests.push(r)
			if l.parked.Load() != 0 {
				l.wake()
			}
		}
		return
	}
}

// change clears some bits and sets others, in one step, and returns the word as
// it was.
func (r *request) change(clear, set uint32) uint32 {
	for {
		s := r.state.Load()
		if r.state.CompareAndSwap(s, s&^clear|set) {
			return s
		}
	}
}

// requests is the list of all that other goroutines ask of a loop: pushed to by
// any goroutine, taken whole by the loop, so that collecting costs O(requests)
// however many watchers are active. Taking all at once also rules out the ABA
// problem of lists that pop. It links numbers: swapping a pointer costs the
// sender a call, for the garbage collector's sake, and swapping a number does
// not.
//
// Why Send may return after one load of a word that says "requested". Let the
// sender write W, then load; let the loop clear the bit (C), then run the
// callback, which reads (R). In a program without data races W and R are
// ordered by a lock or an atomic of the program's own. If W is before R, the
// callback sees it. If R is before W, then so is C, and in the single order of
// all atomics the sender's load comes after C: it finds the bit clear, or set
// again by a later send whose callback is still to come. So the bit must be
// cleared before the callback; after it, updates would be missed.
type requests struct {
	head atomic.Uint32 // number of the newest request; 0 is an empty list

	// The loop goroutine's. A request has a number while it is active or linked.
	all  []*request // by number less one; nil is free
	free []uint32
}

func (q *requests) empty() bool { return q.head.Load() == 0 }

func (q *requests) push(r *request) {
	for {
		head := q.head.Load()
		r.next = head
		if q.head.CompareAndSwap(head, r.number) {
			return
		}
	}
}

// activate forgets an old request but keeps linked: r may be in the list still,
// and linking it twice would corrupt that. The number is there before active
// is, for the sender who reads it after.
func (q *requests) activate(r *request) {
	if r.number == 0 {
		if n := len(q.free); n > 0 {
			r.number = q.free[n-1]
			q.free = q.free[:n-1]
		} else {
			q.all = append(q.all, nil)
			r.number = uint32(len(q.all))
		}
		q.all[r.number-1] = r
	}
	r.change(requested, active)
}

// deactivate leaves the number to a request that is linked; collect releases it.
func (q *requests) deactivate(r *request) {
	if r.change(active, 0)&linked == 0 {
		q.release(r)
	}
}

func (q *requests) release(r *request) {
	q.all[r.number-1] = nil
	q.free = append(q.free, r.number)
	r.number = 0
}

// shrink lets go of numbers that were used by a burst: most is how many were used at
// the same time. It reports whether there is more to be let go of if nothing happens
// until the next time.
func (q *requests) shrink(most int) (more bool) {
	if oversized[*request](cap(q.all), most) {
		q.all = q.all[:q.renumber()]
		if most = max(most, len(q.all)); oversized[*request](cap(q.all), most) {
			q.all, q.free = trimmed(q.all, most), nil
		}
		q.free = q.free[:0]
		for i, r := range slices.Backward(q.all) { // renumber may have stopped early
			if r == nil {
				q.free = append(q.free, uint32(i+1))
			}
		}
	}
	return oversized[*request](cap(q.all), len(q.all)-len(q.free))
}

// renumber gives requests with high numbers low ones, and returns the highest one
// left. It stops when no number is free below that, or at a request that is linked.
func (q *requests) renumber() (last int) {
	low := 0
	for last = len(q.all); low < last; last-- {
		if q.all[last-1] == nil {
			continue
		}
		for low < last && q.all[low] != nil {
			low++
		}
		if low == last || !q.move(q.all[last-1], low) {
			break
		}
	}
	return last
}

// move gives a request another number, unless it is linked.
//
// A sender reads the number of a request after it has set linked, so the loop may
// change it only while it has set linked itself. The request has to go into the list
// then, as if it was sent: a sender that finds it linked relies on that. It is
// collected there, as requested if such a sender asked, and else as one that was
// linked when Start forgot the request.
func (q *requests) move(r *request, to int) bool {
	s := r.state.Load()
	if s&linked != 0 || !r.state.CompareAndSwap(s, s|linked) {
		return false
	}
	q.all[r.number-1], q.all[to] = nil, r
	r.number = uint32(to + 1)
	q.push(r)
	return true
}

// take empties the list and returns the number of the oldest request, linked to
// the newer ones.
func (q *requests) take() uint32 {
	if q.empty() {
		return 0
	}
	oldest := uint32(0)
	for n := q.head.Swap(0); n != 0; {
		r := q.all[n-1]
		n, r.next, oldest = r.next, oldest, n
	}
	return oldest
}

// collect makes the watchers pending whose callbacks were asked for. Requests of
// inactive ones stay what they are: only Start resets those.
func (l *Loop) collect() {
	q := &l.requests
	for n := q.take(); n != 0; {
		r := q.all[n-1]
		n = r.next // before r is unlinked: a sender may link it again right after
		switch {
		case !r.unlink():
			if r.state.Load()&active == 0 {
				q.release(r)
			}
			continue
		case r.w != nil:
			l.pending.mark(r.w, r.event)
		default:
			l.takePosts()
		}
		l.collected++
	}
}

// unlink takes the request too, if it is for an active watcher, and reports
// that: in one step, so that a send from then on finds both undone, or neither.
func (r *request) unlink() bool {
	for {
		s := r.state.Load()
		clear := uint32(linked)
		took := s&(active|requested) == active|requested
		if took {
			clear |= requested
		}
		if r.state.CompareAndSwap(s, s&^clear) {
			return took
		}
	}
}
