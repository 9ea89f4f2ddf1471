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
	mu     sync.Mutex
	ring   []event // grows up to its capacity, and is then written in turns
	next   int
	open   []event // callbacks in progress, the outermost first
	asleep time.Time
	due    map[ev.Watcher]time.Time
	names  map[name]string
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
// that it slept. An event takes 88 bytes; recording costs some 150 ns per
// callback, until Stop. Start panics when l is nil or n is not positive. Any
// goroutine may call it.
func Start(l *ev.Loop, n int) *Recorder {
	switch {
	case l == nil:
		panic("evflight: Start: nil loop")
	case n <= 0:
		panic(fmt.Sprintf("evflight: Start: cannot keep %d events", n))
	}
	r := &Recorder{loop: l, ring: make([]event, 0, n), due: make(map[ev.Watcher]time.Time), names: make(map[name]string)}
	r.stop = l.Observe(&ev.Observer{Begin: r.begin, End: r.end, Due: r.expired, Park: r.park, Unpark: r.unpark})
	return r
}

// Stop ends recording. What was recorded can still be written.
func (r *Recorder) Stop() { r.stop() }

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
	if len(r.open) == 0 { // it had begun before the recording did
		return
	}
	e := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	e.took = at.Sub(e.began)
	r.add(e)
}

// maxDue and maxNames bound what is remembered of timers that expired and were
// stopped before they were called, and of watchers that each have another name.
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

// name is the same for callbacks that are called the same.
type name struct {
	kind, name string
	pc         uintptr
}

// nameOf is c.String, which takes most of a microsecond, remembered.
func (r *Recorder) nameOf(c ev.Callback) string {
	k := name{c.Kind(), c.Name(), c.PC()}
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
