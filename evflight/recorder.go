// Package evflight is a flight recorder for loops. It keeps the last callbacks and sleeps of
// a loop in memory. When something goes wrong, the program writes them as a trace that
// https://ui.perfetto.dev and chrome://tracing can open.
//
// For the scheduler and the garbage collector, see package runtime/trace. Its traces have
// the loop's callbacks, too.
package evflight

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/lateness"
	"github.com/goevlib/ev/internal/look"
)

// Recorder records one loop. Its methods are safe for concurrent use.
type Recorder struct {
	loop      *ev.Loop
	stop      func()
	stopSends func()

	// Guarded by mu. The loop holds mu for some nanoseconds per event, Write while it
	// copies.
	mu      sync.Mutex
	ring    []event   // filled up to its capacity, then overwritten from the beginning
	next    int       // index of the oldest event in a full ring
	open    []event   // callbacks in progress, the outermost first
	asleep  time.Time // since when the loop sleeps; zero if it is awake
	late    lateness.Timers
	names   map[ev.CallbackKey]string
	senders map[[8]uintptr]string // by the stack of the Send
	tasks   map[*ev.Task]uint32   // the tracks of the tasks that have begun and not ended
	tracks  uint32                // how many there were
	stopped time.Time             // zero while recording
}

// event is a callback or a sleep.
type event struct {
	name  string // "" for a sleep
	depth int    // how many callbacks were in progress
	began time.Time
	took  time.Duration
	late  time.Duration // how late a timer's callback began; negative for other events
	woken time.Duration // how long before the end of a sleep the waking Send came; negative: no Send woke it
	track uint32        // of the task whose step this is; 0 for other events
	sent  time.Duration // how long before the begin the callback was requested; negative if no Send is known
	by    string        // the function that sent
	waits string        // the call in which the task waits after the step; "" if it has ended
}

// Start records the last n events of l from now on, until Stop. An event is a callback, or a
// time in which the loop slept. Start is safe for concurrent use. It panics if l is nil or n
// is not positive. It allocates the memory for all n events at once. Recording costs a few
// hundred nanoseconds per callback, and about as many for the first Send of each. A Recorder
// that is not stopped lives as long as its loop.
func Start(l *ev.Loop, n int) *Recorder {
	switch {
	case l == nil:
		panic("evflight: Start: nil loop")
	case n <= 0:
		panic(fmt.Sprintf("evflight: Start: cannot keep %d events", n))
	}
	r := &Recorder{loop: l, ring: make([]event, 0, n), names: make(map[ev.CallbackKey]string),
		senders: make(map[[8]uintptr]string), tasks: make(map[*ev.Task]uint32)}
	r.stopSends = look.Sends(l)
	r.stop = l.Observe(&ev.Observer{
		Begin: r.begin, End: r.end, Due: r.due, Park: r.park, Unpark: r.unpark, Leave: r.leave,
	})
	return r
}

// Stop ends the recording. Write can still write the events. If a callback or a sleep is in
// progress, its end may still be recorded.
func (r *Recorder) Stop() {
	r.stop()
	r.stopSends()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped.IsZero() {
		r.stopped = time.Now()
	}
	clear(r.tasks)
}

// add replaces the oldest event if the ring is full. It requires that mu is held.
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
	e := event{name: r.nameOf(c), depth: len(r.open), began: at, late: -1, sent: -1}
	if sent, stack, ok := look.Sent(r.loop, c.Watcher); ok {
		e.sent, e.by = max(0, at.Sub(sent)), r.senderOf(stack)
	}
	if late, ok := r.late.Begin(c.Watcher, at); ok {
		e.late = late
	}
	if t, ok := c.Watcher.(*ev.Task); ok {
		e.track = r.trackOf(t)
	}
	r.open = append(r.open, e)
}

// trackOf requires that mu is held.
func (r *Recorder) trackOf(t *ev.Task) uint32 {
	track, ok := r.tasks[t]
	if !ok {
		r.tracks++
		track = r.tracks
		r.tasks[t] = track
	}
	return track
}

func (r *Recorder) end(c ev.Callback, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	e.took = at.Sub(e.began)
	if t, ok := c.Watcher.(*ev.Task); ok {
		e.waits = look.TaskOf(t).Method
		if !t.Active() {
			delete(r.tasks, t)
		}
	}
	r.add(e)
}

func (r *Recorder) due(w ev.Watcher, due, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late.Expired(w, due)
}

func (r *Recorder) park(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asleep = at
	r.late.Clear()
}

func (r *Recorder) leave(time.Time) {
	if r.loop.Depth() > 1 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late.Clear()
}

func (r *Recorder) unpark(at time.Time, woken time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asleep.IsZero() { // the sleep began before the recording
		return
	}
	r.add(event{depth: len(r.open), began: r.asleep, took: at.Sub(r.asleep), late: -1, woken: woken, sent: -1})
	r.asleep = time.Time{}
}

// senderOf returns the function that sent: the innermost that is not of package ev.
func (r *Recorder) senderOf(stack [8]uintptr) string {
	s, ok := r.senders[stack]
	if !ok {
		if len(r.senders) >= maxNames {
			clear(r.senders)
		}
		s = sender(stack)
		r.senders[stack] = s
	}
	return s
}

func sender(stack [8]uintptr) string {
	for frames, more := runtime.CallersFrames(stack[:]), true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "" || strings.HasPrefix(f.Function, "runtime.") {
			break
		}
		if !strings.HasPrefix(f.Function, "github.com/goevlib/ev.") {
			return fmt.Sprintf("%s (%s:%d)", f.Function[strings.LastIndexByte(f.Function, '/')+1:], filepath.Base(f.File), f.Line)
		}
	}
	return "ev" // a goroutine of the package's own: that of Go, a signal
}

// maxNames bounds the memory for the names of watchers: each may have another one.
const maxNames = 1000

// nameOf returns c.String, which takes most of a microsecond, from a cache.
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
