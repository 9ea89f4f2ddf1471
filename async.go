package ev

import "go.uber.org/atomic"

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
	fn func(*Async)
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
	if a.begin() {
		a.request.activate()
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
	if fn == nil {
		panic("ev: Async.SetCallback: nil callback")
	}
	a.fn = fn
}

func (a *Async) call()         { a.fn(a) }
func (a *Async) halt()         { a.request.deactivate() }
func (a *Async) callback() any { return a.fn }

// request is the word by which other goroutines ask for a watcher's callback,
// and its link in the loop's list of such requests.
type request struct {
	state atomic.Uint32
	event Events
	next  *request // owned by whoever set linked, until the list is taken
	w     *watcher // nil for the mailbox of Post
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

// activate forgets an old request but keeps linked: the request may be in the
// list still, and linking it twice would corrupt that.
func (r *request) activate() {
	for {
		s := r.state.Load()
		if r.state.CompareAndSwap(s, s&^requested|active) {
			return
		}
	}
}

func (r *request) deactivate() {
	for {
		s := r.state.Load()
		if r.state.CompareAndSwap(s, s&^active) {
			return
		}
	}
}

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
			l.wake()
		}
		return
	}
}

// collect unlinks the request and takes it, if it is for an active watcher,
// both in one step: from then on a send links it anew.
func (r *request) collect() bool {
	for {
		s := r.state.Load()
		next := s &^ linked
		took := s&(active|requested) == active|requested
		if took {
			next &^= requested
		}
		if r.state.CompareAndSwap(s, next) {
			return took
		}
	}
}

// requests is the list of all that other goroutines ask of a loop: pushed to by
// any goroutine, taken whole by the loop, so that collecting costs O(requests)
// however many watchers are active. Taking all at once also rules out the ABA
// problem of lists that pop.
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
	head atomic.Pointer[request]
}

func (q *requests) empty() bool { return q.head.Load() == nil }

func (q *requests) push(r *request) {
	for {
		head := q.head.Load()
		r.next = head
		if q.head.CompareAndSwap(head, r) {
			return
		}
	}
}

// take empties the list and returns it, oldest request first.
func (q *requests) take() *request {
	if q.empty() {
		return nil
	}
	var oldest *request
	for r := q.head.Swap(nil); r != nil; {
		next := r.next
		r.next = oldest
		oldest = r
		r = next
	}
	return oldest
}

// collect makes the watchers pending whose callbacks were asked for.
func (l *Loop) collect() {
	for r := l.requests.take(); r != nil; {
		next := r.next // before collect: a sender may link r again right after
		r.next = nil
		if r.collect() {
			l.collected++
			if r.w != nil {
				l.pending.mark(r.w, r.event)
			} else {
				l.takePosts()
			}
		}
		r = next
	}
}
