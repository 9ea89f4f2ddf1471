package ev

import (
	"slices"

	"go.uber.org/atomic"
)

// Async lets any goroutine request a callback on the loop's goroutine; libev's ev_async. It
// carries no data and counts nothing: any number of sends before the callback collapse into one.
// Before the Send, store the data in a place that both sides know, under a lock or in an atomic
// variable. In the callback, take all of it. A Queue does just that.
//
// Every Send on an active Async is followed by a callback that starts after that Send began,
// unless the watcher is stopped or cleared first. There are at most as many callbacks as sends,
// and at most one per iteration. Within a priority they come in the order of the first sends.
// The callback for a Send made by a callback comes in the next iteration, so an Async that sends
// to itself does not starve other watchers.
type Async struct {
	_ noCopy
	request
	watcher
	fn       func(*Async)
	notifier *notifier // nil until Notifier is called
}

// NewAsync makes an Async. It panics if l or fn is nil.
func NewAsync(l *Loop, fn func(*Async), opts ...Option) *Async {
	a := &Async{fn: fn}
	a.watcher.init("NewAsync", a, l, fn == nil, opts)
	a.request.init(&a.watcher, AsyncEvent)
	return a
}

// Start activates the watcher. Earlier sends are forgotten. Start has no effect on an active
// watcher or on a closed loop.
func (a *Async) Start() {
	a.own("Start")
	if a.begin() {
		a.loop.requests.activate(&a.request)
		if a.notifier != nil {
			a.notifier.watch(a)
		}
	}
}

// Send requests a callback; libev's ev_async_send. It is safe for concurrent use, at any time,
// even after Close. On a watcher that is not active it does not wake the loop.
//
// Send never blocks, allocates or takes a lock. If a request is outstanding already, it costs
// one atomic load. It makes no system call unless the loop is parked, and then at most one for
// all senders together.
//
// A Send that finds no request outstanding synchronizes before the callback that answers it. A
// Send that finds one outstanding adds no such edge, and a program without data races needs
// none.
func (a *Async) Send() {
	if a.state.Load()&requested != 0 {
		return
	}
	a.send(a.loop)
}

// Sent reports whether there is a Send that the loop has not collected yet; libev's
// ev_async_pending. It is safe for concurrent use. It becomes false before the callback begins,
// and is independent of Pending. Stop does not change it. Start of an inactive watcher makes it
// false.
func (a *Async) Sent() bool { return a.state.Load()&requested != 0 }

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
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

// request is the word by which other goroutines request a watcher's callback, and its link in
// the loop's list of such requests.
type request struct {
	state atomic.Uint32
	next  uint32 // label of the next in the list; the goroutine that set linked owns it until take
	label uint32 // in the list; see requests
	event Events
	w     *watcher // nil for the mailbox of Post
}

// The bits of request.state. They are in one word, which is changed by compare-and-swap only.
// With separate words, a Send that has read "not active" could set "requested" after Start had
// reset it, and every later Send would return early, for ever.
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
			if notes := l.requests.sends.Load(); notes != nil {
				notes.note(r)
			}
			l.requests.push(r)
			if l.parked.Load() != 0 {
				l.wake()
			} else if l.advisor != nil {
				l.advisor.sent()
			}
		}
		return
	}
}

// change clears some bits and sets others, in one step, and returns the word as it was before.
func (r *request) change(clear, set uint32) uint32 {
	for {
		s := r.state.Load()
		if r.state.CompareAndSwap(s, s&^clear|set) {
			return s
		}
	}
}

// requests is the list of the requests that other goroutines make of a loop. Any goroutine
// pushes; the loop takes the whole list. So collecting costs O(requests), however many
// watchers are active. Taking all at once also rules out the ABA problem of lists that pop.
// The list links labels: swapping a pointer costs the sender a call, for the garbage
// collector, and swapping a number does not. A label is twice the number of the request, plus
// 0 or 1.
//
// The loop does not write head. It remembers in taken what head was when it took the list: the
// newest of the requests that it has taken. The list consists of the requests that were pushed
// since then, from head to the one before taken. So it costs the loop no locked instruction to
// take the list, or to find it empty. That requires that each push makes head differ from taken,
// whichever requests were pushed before it: no request that can be pushed has taken as its
// label. take sees to that, as it gives the newest request, which it has just taken, its other
// label. The other requests have other numbers. activate and move see to it when they give a
// number to another request. A request is in the list at most once, and until the loop has taken
// it and cleared linked. So a walk from head comes to taken, and no label comes twice.
//
// A label is changed by the loop, either while no sender can read it, because the request is
// not active, or while no sender will, because it is linked and was taken. A sender reads it
// after it has set linked.
//
// Why Send may return after one load of a word that says "requested". Let the sender write W,
// then load; let the loop clear the bit (C), then run the callback, which reads (R). In a
// program without data races W and R are ordered by a lock or an atomic of the program's own.
// If W is before R, the callback sees it. If R is before W, then so is C, and in the single
// order of all atomics the sender's load comes after C: it finds the bit clear, or set again by
// a later send whose callback is still to come. So the bit must be cleared before the callback;
// after it, updates would be missed.
type requests struct {
	head atomic.Uint32 // label of the request that was pushed last

	sends atomic.Pointer[sends] // nil while nobody records them

	// The loop's goroutine's. A request has a number while it is active or linked.
	taken uint32     // what head was at the last take
	all   []*request // by number less one; nil is free
	free  []uint32   // numbers
}

func (q *requests) empty() bool { return q.head.Load() == q.taken }

func (r *request) number() uint32 { return r.label / 2 }

// relabel gives r a number. r is not active, or linked and not in the list.
func (q *requests) relabel(r *request, number uint32) {
	r.label = 2 * number
	if r.label == q.taken {
		r.label++
	}
	q.all[number-1] = r
}

func (q *requests) push(r *request) {
	for {
		head := q.head.Load()
		r.next = head
		if q.head.CompareAndSwap(head, r.label) {
			return
		}
	}
}

// activate forgets an old request but keeps linked: r may still be in the list, and linking it
// twice would corrupt the list. The label is set before active, because a sender reads it
// after active.
func (q *requests) activate(r *request) {
	if r.label == 0 {
		if n := len(q.free); n > 0 {
			q.relabel(r, q.free[n-1])
			q.free = q.free[:n-1]
		} else {
			q.all = append(q.all, nil)
			q.relabel(r, uint32(len(q.all)))
		}
	}
	if notes := q.sends.Load(); notes != nil {
		notes.forget(r)
	}
	r.change(requested, active)
}

// deactivate releases the number, unless the request is linked: then collect releases it.
func (q *requests) deactivate(r *request) {
	if r.change(active, 0)&linked == 0 {
		q.release(r)
	}
}

func (q *requests) release(r *request) {
	q.all[r.number()-1] = nil
	q.free = append(q.free, r.number())
	r.label = 0
}

// shrink frees the numbers that a burst has used. most is how many were used at the same time.
// It reports whether it could free more the next time, if nothing happens until then.
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

// renumber gives low numbers to requests with high ones, and returns the highest number left. It
// stops when no number below that is free, or at a request that is linked.
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
// A sender reads the label of a request after it has set linked. So the loop may change the
// number only while it has set linked itself. The request must go into the list then, as if it
// was sent: a sender that finds it linked relies on that. It is collected there: as requested
// if such a sender has requested it, otherwise like a request that was linked when Start forgot
// it.
func (q *requests) move(r *request, to int) bool {
	s := r.state.Load()
	if s&linked != 0 || !r.state.CompareAndSwap(s, s|linked) {
		return false
	}
	q.all[r.number()-1] = nil
	q.relabel(r, uint32(to+1))
	q.push(r)
	return true
}

// take takes the list and returns the label of the oldest request, which is linked to the newer
// ones, or 0 if the list is empty. The newest request gets its other label.
func (q *requests) take() (oldest uint32) {
	head := q.head.Load()
	if head == q.taken {
		return 0
	}
	q.all[head/2-1].label ^= 1
	for n := head; n != q.taken; {
		r := q.all[n/2-1]
		n, r.next, oldest = r.next, oldest, n
	}
	q.taken = head
	return oldest
}

// collect makes the watchers pending whose callbacks were requested. It does not change the
// requests of inactive watchers: only Start resets them.
func (l *Loop) collect() {
	q := &l.requests
	notes := l.requests.sends.Load()
	if notes != nil {
		notes.prepare(len(q.all))
	}
	for n := q.take(); n != 0; {
		r := q.all[n/2-1]
		n = r.next // before r is unlinked: a sender may link it again right after
		if notes != nil {
			notes.take(r)
		}
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

// unlink clears linked and, if the watcher is active and the request was made, requested too. It
// reports the latter. It is one step, so that a later send finds both cleared, or neither.
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
