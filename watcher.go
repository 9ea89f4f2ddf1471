package ev

import (
	"fmt"
	"reflect"
	"strings"
)

// Watcher has the methods that all kinds of watchers, and Queue, share; libev's ev_watcher.
// Unless a method says otherwise, it must be called on the goroutine that runs the watcher's
// loop, or that sets it up before Run.
//
// Active and pending are independent. A watcher is active between Start and Stop. It is
// pending from the moment an event is queued for it until its callback begins. The loop keeps
// an active watcher alive: dropping the last reference does not stop it.
type Watcher interface {
	// Active reports whether the watcher is started (ev_is_active).
	Active() bool
	// Pending reports whether a callback is queued (ev_is_pending). It returns false inside
	// the callback itself, unless the watcher was fed again.
	Pending() bool
	// Stop clears a pending event, then deactivates the watcher. It is idempotent. No
	// callback begins after it has returned.
	Stop()
	// Loop returns the loop that the watcher was made for. It is safe for concurrent use.
	Loop() *Loop
	// Priority returns a number from MinPriority to MaxPriority.
	Priority() int
	// SetPriority changes the priority, clamped to [MinPriority, MaxPriority]. It returns an
	// error while the watcher is active or pending.
	SetPriority(p int) error
	// Data returns the value of the Data option or of SetData. The loop does not use it.
	Data() any
	// SetData stores v.
	SetData(v any)
	// Name returns the name of the Name option, or "". It is safe for concurrent use.
	Name() string
	// Feed queues the watcher as if events had happened (ev_feed_event). The watcher may be
	// inactive. Bits that are fed before the callback begins accumulate. If a callback feeds
	// its own watcher each time, the pass never ends; with Async.Send it does.
	Feed(events Events)
	// Clear makes the watcher not pending, and returns the accumulated bits, or None
	// (ev_clear_pending). It does not change Async.Sent.
	Clear() Events
	// Invoke calls the callback now, on this goroutine, with these events (ev_invoke). It
	// changes neither Active nor Pending, and needs no Run.
	Invoke(events Events)
	// Events returns, inside the callback, the events that it was called with (revents).
	Events() Events
	// Keep sets whether this watcher, while active, keeps Run going. The default is true.
	// Keep(false) is libuv's uv_unref. The watcher may be active or not.
	Keep(alive bool)

	base() *watcher
	call()         // make the callback
	onStop()       // undo what the kind's Start did
	callback() any // the func, for its source position
}

// watcher is the base that every kind embeds. Only the loop's goroutine uses it. The fields
// that a callback changes come last: a kind to which other goroutines send has its word in
// front, most of a cache line away. A Start, Stop or
// Reset of a Timer uses the last fields only, which are on one cache line with those of the Timer.
type watcher struct {
	data any
	name string
	self Watcher

	slot     uint32 // position in the pending queue, while pending
	received Events // that it is pending with
	events   Events // that its callback was called with
	priority int8

	loop    *Loop
	index   int32 // position in Loop.active plus one, or inHeap; 0 is inactive
	pending bool
	weak    bool // Keep(false)
	hidden  bool // the loop's own: not counted, and no reference
}

// Option configures a watcher as it is made.
type Option interface{ apply(w *watcher) }

type (
	priorityOption int
	nameOption     string
	dataOption     struct{ v any }
	hidden         struct{} // the loop's own
)

// Priority sets the watcher's priority, clamped to [MinPriority, MaxPriority]. The default
// is 0.
func Priority(p int) Option { return priorityOption(p) }

// Name sets the watcher's name, for logs and for debugging.
func Name(s string) Option { return nameOption(s) }

// Data attaches v to the watcher; see Watcher.Data.
func Data(v any) Option { return dataOption{v} }

func (o priorityOption) apply(w *watcher) { w.priority = clamp(int(o)) }
func (o nameOption) apply(w *watcher)     { w.name = string(o) }
func (o dataOption) apply(w *watcher)     { w.data = o.v }
func (hidden) apply(w *watcher)           { w.hidden = true }

func clamp(p int) int8 { return int8(max(MinPriority, min(p, MaxPriority))) }

// init completes a watcher for its constructor, and checks the constructor's arguments.
func (w *watcher) init(constructor string, self Watcher, l *Loop, noCallback bool, opts []Option) {
	if l == nil {
		panic("ev: " + constructor + ": nil loop")
	}
	if noCallback {
		panic("ev: " + constructor + ": nil callback")
	}
	w.self, w.loop = self, l
	for _, o := range opts {
		if o == nil {
			panic("ev: " + constructor + ": nil option")
		}
		o.apply(w)
	}
	if l.advisor != nil && !w.hidden {
		l.advisor.made(w)
	}
}

// checkCallback is for SetCallback. Each kind has a SetCallback of its own: a method promoted
// from a generic type would be documented with the type parameter in its signature.
func (w *watcher) checkCallback(isNil bool) {
	if isNil {
		panic("ev: " + kindOf(w.self) + ".SetCallback: nil callback")
	}
}

func (w *watcher) base() *watcher { return w }

// begin activates the watcher for its Start, which has called own. It returns false if the
// watcher is active already or the loop is closed.
func (w *watcher) begin() bool {
	if !w.startable() {
		return false
	}
	w.loop.activate(w)
	return true
}

func (w *watcher) startable() bool { return w.index == 0 && !w.loop.isClosed() }

// Active reports whether the watcher is started.
func (w *watcher) Active() bool {
	w.ownIfConstructed("Active")
	return w.index != 0
}

// Pending reports whether a callback is queued and has not begun.
func (w *watcher) Pending() bool {
	w.ownIfConstructed("Pending")
	return w.pending
}

// Loop returns the loop that the watcher was made for. It is safe for concurrent use.
func (w *watcher) Loop() *Loop { return w.loop }

// Priority returns the watcher's priority, from MinPriority to MaxPriority.
func (w *watcher) Priority() int {
	w.ownIfConstructed("Priority")
	return int(w.priority)
}

// Data returns the value of the Data option or of SetData.
func (w *watcher) Data() any {
	w.ownIfConstructed("Data")
	return w.data
}

// SetData stores v. The loop does not use it.
func (w *watcher) SetData(v any) {
	w.ownIfConstructed("SetData")
	w.data = v
}

// Name returns the name of the Name option, or "". It is safe for concurrent use.
func (w *watcher) Name() string { return w.name }

// Events returns, inside the callback, the events that it was called with.
func (w *watcher) Events() Events {
	w.ownIfConstructed("Events")
	return w.events
}

// Stop clears a pending event and deactivates the watcher. It is idempotent. No callback
// begins after it has returned.
func (w *watcher) Stop() {
	l := w.loop
	if l == nil {
		return
	}
	w.ownIfConstructed("Stop")
	if w.pending {
		l.pending.clear(w)
	}
	if w.index != 0 {
		w.self.onStop()
		l.deactivate(w)
	}
	l.publishIfIdle()
}

// SetPriority changes the priority, clamped to [MinPriority, MaxPriority]. It returns an error
// while the watcher is active or pending.
func (w *watcher) SetPriority(p int) error {
	w.ownIfConstructed("SetPriority")
	switch {
	case w.index != 0:
		return fmt.Errorf("ev: %s.SetPriority: the watcher is active", kindOf(w.self))
	case w.pending:
		return fmt.Errorf("ev: %s.SetPriority: the watcher is pending", kindOf(w.self))
	}
	w.priority = clamp(p)
	return nil
}

// Feed queues the watcher as if events had happened. Bits that are fed before the callback
// begins accumulate.
func (w *watcher) Feed(events Events) {
	w.own("Feed")
	l := w.loop
	if l.isClosed() {
		return
	}
	l.pending.mark(w, events)
	l.publishIfIdle()
}

// Clear makes the watcher not pending, and returns the accumulated bits, or None.
func (w *watcher) Clear() Events {
	w.own("Clear")
	l := w.loop
	events := l.pending.clear(w)
	l.publishIfIdle()
	return events
}

// Invoke calls the callback now, on this goroutine, with these events.
func (w *watcher) Invoke(events Events) {
	w.own("Invoke")
	w.run(events)
}

// Keep sets whether this watcher, while active, keeps Run going.
func (w *watcher) Keep(alive bool) {
	l := w.loop
	w.ownIfConstructed("Keep")
	if w.weak == !alive {
		return
	}
	w.weak = !alive
	if w.index == 0 {
		return
	}
	if alive {
		l.refs++
	} else {
		l.refs--
	}
}

// run makes the callback with these events. It restores the previous events afterwards, for a
// callback that has invoked its own watcher.
func (w *watcher) run(events Events) {
	outer := w.events
	defer func() { w.events = outer }() // also when the callback panics
	w.events = events
	w.self.call()
}

func (w *watcher) takeEvents() Events {
	w.pending = false
	return w.received
}

// kindOf returns the name of a watcher's type, without type arguments: "Timer", "Queue".
func kindOf(w Watcher) string {
	kind, _, _ := strings.Cut(reflect.TypeOf(w).Elem().Name(), "[")
	return kind
}

// noCopy makes go vet's copylocks check report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
