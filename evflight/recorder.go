// Package evflight is a flight recorder for loops: it keeps the last things that
// a loop did, and writes them, when something went wrong, as a trace that
// https://ui.perfetto.dev and chrome://tracing open. (For what the scheduler and
// the collector did meanwhile, see runtime/trace, which names callbacks too.)
package evflight

import (
	"fmt"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// Recorder records one loop. Any goroutine may call its methods.
type Recorder struct {
	loop *ev.Loop
	stop func()

	// Guarded by mu, which the loop holds for some nanoseconds per event, and Write
	// while it copies.
	mu      sync.Mutex
	ring    []event // filled up to its capacity, and then written in turns
	next    int
	open    []event                  // callbacks in progress, the outermost first
	asleep  time.Time                // since when; zero is awake
	due     map[ev.Watcher]time.Time // timers that have expired and were not called
	names   map[ev.CallbackKey]string
	stopped time.Time // zero is not
}

// event is something that the loop did, or that happened to it.
type event struct {
	name  string // "" is sleep
	depth int    // so many callbacks were in progress
	began time.Time
	took  time.Duration
	late  time.Duration // of a timer's callback, after it was due; negative: it is none
	woken time.Duration // of a sleep: how long before its end somebody sent; negative: nobody did
}

// Start has a new Recorder keep the last n events of l: callbacks, and the times
// that it slept. Memory for all of them is taken at once. Recording costs a few
// hundred nanoseconds per callback, until Stop; a Recorder that is not stopped is
// kept by its loop. Start panics when l is nil or n is not positive. Any goroutine
// may call it.
func Start(l *ev.Loop, n int) *Recorder {
	switch {
	case l == nil:
		panic("evflight: Start: nil loop")
	case n <= 0:
		panic(fmt.Sprintf("evflight: Start: cannot keep %d events", n))
	}
	r := &Recorder{loop: l, ring: make([]event, 0, n), due: make(map[ev.Watcher]time.Time), names: make(map[ev.CallbackKey]string)}
	r.stop = l.Observe(&ev.Observer{
		Begin: r.begin, End: r.end, Due: r.expired, Park: r.park, Unpark: r.unpark, Leave: r.leave,
	})
	return r
}

// Stop ends recording. What was recorded can still be written. Of what is in
// progress, the end may still be recorded.
func (r *Recorder) Stop() {
	r.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped.IsZero() {
		r.stopped = time.Now()
	}
}

// add keeps an event in the place of the oldest one. It requires that mu is held.
func (r *Recorder) add(e event) {
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, e)
		return
	}
	r.ring[r.next] = e
	r.next = (r.next + 1) % len(r.ring)
}

func (r *Recorder) begin(c ev.Callback, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := event{name: r.nameOf(c), depth: len(r.open), began: at, late: -1}
	if due, ok := r.due[c.Watcher]; ok {
		delete(r.due, c.Watcher)
		e.late = at.Sub(due)
	}
	r.open = append(r.open, e)
}

func (r *Recorder) end(_ ev.Callback, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	e.took = at.Sub(e.began)
	r.add(e)
}

// maxDue and maxNames bound what is remembered of a loop that never parks, where
// timers that have expired are stopped before they are called, and of watchers that
// each have another name.
const maxDue, maxNames = 10_000, 1000

func (r *Recorder) expired(w ev.Watcher, due, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.due) >= maxDue {
		clear(r.due)
	}
	r.due[w] = due
}

func (r *Recorder) park(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asleep = at
	clear(r.due) // timers that were stopped after they had expired
}

func (r *Recorder) leave(time.Time) {
	if r.loop.Depth() > 1 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.due)
}

func (r *Recorder) unpark(at time.Time, woken time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asleep.IsZero() { // since before the recording
		return
	}
	r.add(event{depth: len(r.open), began: r.asleep, took: at.Sub(r.asleep), late: -1, woken: woken})
	r.asleep = time.Time{}
}

// nameOf is c.String, which takes most of a microsecond, remembered.
func (r *Recorder) nameOf(c ev.Callback) string {
	k := c.Key()
	s, ok := r.names[k]
	if !ok {
		if len(r.names) >= maxNames {
			clear(r.names)
		}
		s = c.String()
		r.names[k] = s
	}
	return s
}
