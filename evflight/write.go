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
// below the outer ones. A callback or a sleep in progress ends at the present, or at Stop, and
// is marked as unfinished: for a loop that is stuck, that is the event to look for. Recording
// goes on meanwhile.
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
	if len(all) > 0 {
		base = all[0].began
	}
	t := trace{Unit: "ns", Other: map[string]string{"began": base.Format(time.RFC3339Nano)}}
	process := os.Getpid()
	t.meta("process_name", process, 0, filepath.Base(os.Args[0]))
	for _, r := range recorders {
		t.meta("thread_name", process, r.loop.ID(), r.loop.String())
	}
	for _, e := range all {
		t.Events = append(t.Events, e.slice(process, base))
	}
	if err := json.NewEncoder(w).Encode(t); err != nil {
		return fmt.Errorf("evflight: %w", err)
	}
	return nil
}

// record is an event of a loop.
type record struct {
	event
	loop       uint64
	unfinished bool
}

func (r *Recorder) records(now time.Time) []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []record
	for _, e := range r.ring {
		all = append(all, record{e, r.loop.ID(), false})
	}
	if !r.stopped.IsZero() {
		now = r.stopped
	}
	for _, e := range r.unfinished() {
		e.took = max(0, now.Sub(e.began))
		all = append(all, record{e, r.loop.ID(), true})
	}
	return all
}

// unfinished requires that mu is held.
func (r *Recorder) unfinished() []event {
	if r.asleep.IsZero() {
		return r.open
	}
	return append(slices.Clone(r.open), event{depth: len(r.open), began: r.asleep, late: -1, woken: -1})
}

// trace is the JSON object format of Chrome's trace events.
type trace struct {
	Events []traceEvent      `json:"traceEvents"`
	Unit   string            `json:"displayTimeUnit"`
	Other  map[string]string `json:"otherData"`
}

// traceEvent has times in microseconds. Its Phase is "X" for a slice of time and "M" for a
// name.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Start    float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Process  int            `json:"pid"`
	Thread   uint64         `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

func (t *trace) meta(what string, process int, thread uint64, name string) {
	t.Events = append(t.Events, traceEvent{Name: what, Phase: "M", Process: process, Thread: thread, Args: map[string]any{"name": name}})
}

func (e record) slice(process int, base time.Time) traceEvent {
	s := traceEvent{
		Name: e.name, Category: "callback", Phase: "X", Process: process, Thread: e.loop,
		Start: micros(e.began.Sub(base)), Duration: micros(e.took), Args: e.args(),
	}
	if e.name == "" {
		s.Name, s.Category = "sleep", "sleep"
	}
	return s
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
