package evflight

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Write writes the events of all recorders to w, as one trace in Chrome's JSON format. The
// trace has a line for each loop, with its callbacks by name, its sleeps, and nested callbacks
// below the outer ones. A task has a line of its own, too, with its steps and, between them,
// its waits. An arrow comes from each Send that requested a callback, see below. A callback or
// a sleep in progress ends at the present, or at Stop, and is marked as unfinished: for a loop
// that is stuck, that is the event to look for. Recording goes on meanwhile.
//
// # Arrows
//
// An arrow leads from the moment of a Send to the callback that answers it. It begins on a line
// of its own for each loop, such as "main: senders", at the name of the function that sent. A
// callback has an arrow
//
//   - if it is of an Async or a Queue, from the first Send that it answers: later ones are not
//     known, because they cost one load and change nothing;
//   - if it is a step of a Task, from its start, or from the code that ended its wait;
//   - if it is of Post, Call or Go and the first of its iteration: the loop collects all posts
//     together.
//
// There is none from a Send before the recording, from a write to the descriptor of
// Async.Notifier, and for callbacks that nobody sends for, such as those of timers and
// descriptors. A Send right after a Stop and Start of its watcher may have none.
//
// Write is safe for concurrent use. It panics if a recorder is nil. It returns the error of w,
// wrapped.
func Write(w io.Writer, recorders ...*Recorder) error {
	if slices.Contains(recorders, nil) {
		panic("evflight: Write: nil recorder")
	}
	now := time.Now()
	var all []record
	for _, r := range recorders {
		all = append(all, r.records(now)...)
	}
	slices.SortStableFunc(all, func(a, b record) int {
		return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.depth, b.depth)) // the outer one first
	})
	base := now
	for _, e := range all {
		if at := e.began.Add(-max(0, e.sent)); at.Before(base) {
			base = at
		}
	}
	t := trace{Unit: "ns", Other: map[string]string{"began": base.Format(time.RFC3339Nano)}}
	process := os.Getpid()
	t.meta("process_name", process, 0, filepath.Base(os.Args[0]))
	for _, r := range recorders {
		t.meta("thread_name", process, r.loop.ID(), r.loop.String())
	}
	threads := tracks{trace: &t, process: process, base: base, threads: make(map[trackID]uint64), waits: make(map[trackID]record)}
	for _, r := range recorders {
		threads.last = max(threads.last, r.loop.ID())
	}
	for _, r := range recorders { // first: of two events at one time, a viewer takes the first first
		threads.senders(r, all)
	}
	for i, e := range all {
		t.Events = append(t.Events, e.slice(process, base))
		if e.sent >= 0 {
			t.Events = append(t.Events, e.arrow("f", uint64(i+1), process, e.of.loop.ID(), base))
		}
		if e.track != 0 {
			threads.step(e)
		}
	}
	threads.unfinished(now)
	if err := json.NewEncoder(w).Encode(t); err != nil {
		return fmt.Errorf("evflight: %w", err)
	}
	return nil
}

// record is an event of a loop.
type record struct {
	event
	of         *Recorder
	unfinished bool
}

func (r *Recorder) records(now time.Time) []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []record
	for _, e := range r.ring {
		all = append(all, record{e, r, false})
	}
	if !r.stopped.IsZero() {
		now = r.stopped
	}
	for _, e := range r.unfinished() {
		e.took = max(0, now.Sub(e.began))
		all = append(all, record{e, r, true})
	}
	return all
}

// unfinished requires that mu is held.
func (r *Recorder) unfinished() []event {
	if r.asleep.IsZero() {
		return r.open
	}
	return append(slices.Clone(r.open), event{depth: len(r.open), began: r.asleep, late: -1, woken: -1, sent: -1})
}

// trace is the JSON object format of Chrome's trace events.
type trace struct {
	Events []traceEvent      `json:"traceEvents"`
	Unit   string            `json:"displayTimeUnit"`
	Other  map[string]string `json:"otherData"`
}

// traceEvent has times in microseconds. Its Phase is "X" for a slice of time, "M" for a name, and
// "s" and "f" for the beginning and the end of an arrow, which have the same ID. Both belong to the
// slice that is there at that time.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Start    float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Process  int            `json:"pid"`
	Thread   uint64         `json:"tid"`
	ID       uint64         `json:"id,omitempty"`
	Binding  string         `json:"bp,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

func (t *trace) meta(what string, process int, thread uint64, name string) {
	t.Events = append(t.Events, traceEvent{Name: what, Phase: "M", Process: process, Thread: thread, Args: map[string]any{"name": name}})
}

func (e record) slice(process int, base time.Time) traceEvent {
	s := traceEvent{
		Name: e.name, Category: "callback", Phase: "X", Process: process, Thread: e.of.loop.ID(),
		Start: micros(e.began.Sub(base)), Duration: micros(e.took), Args: e.args(),
	}
	if e.name == "" {
		s.Name, s.Category = "sleep", "sleep"
	}
	return s
}

// arrow is one end of the arrow to the callback e: its beginning at the Send, or its end at the
// callback's beginning.
func (e record) arrow(phase string, id uint64, process int, thread uint64, base time.Time) traceEvent {
	a := traceEvent{
		Name: "send", Category: "send", Phase: phase, Process: process, Thread: thread,
		Start: micros(e.began.Sub(base)), ID: id,
	}
	if phase == "f" {
		a.Binding = "e" // the slice around it, not the next
	} else {
		a.Start = micros(e.began.Add(-e.sent).Sub(base))
	}
	return a
}

func (e record) args() map[string]any {
	args := make(map[string]any)
	if e.late >= 0 {
		args["late_us"] = micros(e.late)
	}
	switch {
	case e.unfinished:
		args["unfinished"] = true
	case e.name == "" && e.woken >= 0:
		args["woken_by"], args["wakeup_us"] = "a send", micros(e.woken)
	case e.name == "":
		args["woken_by"] = "a timer, a descriptor, or nothing"
	}
	return args
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// tracks are the lines of tasks.
type tracks struct {
	trace   *trace
	process int
	base    time.Time
	last    uint64 // of the threads in use; the first are the loops
	threads map[trackID]uint64
	waits   map[trackID]record // the last step of each task that waits
}

type trackID struct {
	of    *Recorder
	track uint32
}

// step writes the wait before the step, and the step. The steps of a task come in their order.
func (ts *tracks) step(e record) {
	id := trackID{e.of, e.track}
	thread, ok := ts.threads[id]
	if !ok {
		ts.last++
		thread = ts.last
		ts.threads[id] = thread
		ts.trace.meta("thread_name", ts.process, thread, e.of.loop.String()+": "+e.name)
	}
	if before, ok := ts.waits[id]; ok {
		ts.wait(before, thread, e.began, false)
		delete(ts.waits, id)
	}
	s := e.slice(ts.process, ts.base)
	s.Category, s.Thread = "step", thread
	ts.trace.Events = append(ts.trace.Events, s)
	if e.waits != "" {
		ts.waits[id] = e
	}
}

func (ts *tracks) wait(after record, thread uint64, until time.Time, unfinished bool) {
	began := after.began.Add(after.took)
	s := traceEvent{
		Name: after.waits, Category: "wait", Phase: "X", Process: ts.process, Thread: thread,
		Start: micros(began.Sub(ts.base)), Duration: micros(max(0, until.Sub(began))), Args: make(map[string]any),
	}
	if unfinished {
		s.Args["unfinished"] = true
	}
	ts.trace.Events = append(ts.trace.Events, s)
}

// unfinished writes the waits in progress.
func (ts *tracks) unfinished(now time.Time) {
	for id, after := range ts.waits {
		ts.wait(after, ts.threads[id], id.of.lastMoment(now), true)
	}
}

// lastMoment is the present, or the time of Stop.
func (r *Recorder) lastMoment(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped.IsZero() {
		return now
	}
	return r.stopped
}

// senders writes the line of a loop's senders. Each Send is a slice of a microsecond, or shorter
// if the next comes before: an arrow needs a slice, and slices of one line must not cross.
func (ts *tracks) senders(r *Recorder, all []record) {
	type send struct {
		record
		id uint64
		at time.Time
	}
	var sends []send
	for i, e := range all {
		if e.of == r && e.sent >= 0 {
			sends = append(sends, send{e, uint64(i + 1), e.began.Add(-e.sent)})
		}
	}
	if len(sends) == 0 {
		return
	}
	slices.SortStableFunc(sends, func(a, b send) int { return a.at.Compare(b.at) })
	ts.last++
	ts.trace.meta("thread_name", ts.process, ts.last, r.loop.String()+": senders")
	for i, s := range sends {
		took := time.Microsecond
		for _, next := range sends[i+1:] {
			if gap := next.at.Sub(s.at); gap > 0 { // those of one moment lie in each other
				took = min(took, gap)
				break
			}
		}
		ts.trace.Events = append(ts.trace.Events, traceEvent{
			Name: s.by, Category: "send", Phase: "X", Process: ts.process, Thread: ts.last,
			Start: micros(s.at.Sub(ts.base)), Duration: micros(took),
		}, s.arrow("s", s.id, ts.process, ts.last, ts.base))
	}
}
