package evdebug

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// survey is the data of list.html, and its JSON.
type survey struct {
	At    time.Time `json:"at"`
	Loops []summary `json:"loops"`
}

// summary is the row of a loop in the list.
type summary struct {
	Title      string         `json:"-"`
	ID         uint64         `json:"id"`
	Name       string         `json:"name"`
	Backend    string         `json:"backend"`
	State      state          `json:"state"`
	Stats      ev.Stats       `json:"stats"`
	Recent     recent         `json:"recent"`
	InProgress []evmeter.Call `json:"in_progress"`
	Slowest    []evmeter.Call `json:"slowest"` // the first of those of the report, or none
}

// report is the JSON of one loop.
type report struct {
	evmeter.Reading
	Title  string  `json:"-"`
	State  state   `json:"state"`
	Recent recent  `json:"recent"`
	Answer *answer `json:"inspection"`      // null until the loop has answered once
	Stack  string  `json:"stack,omitempty"` // if the loop does not answer

	StackAt time.Time  `json:"stack_at,omitzero"`
	Asked   *askedTask `json:"task,omitempty"` // that ?task= names

	Watcher *evmeter.Detail `json:"watcher,omitempty"` // that ?watcher= names
}

// askedTask is a task with its stack.
type askedTask struct {
	evmeter.Task
	Found bool   `json:"found"`
	Stack string `json:"stack"` // "" if the task does not wait, or the loop does not answer
}

// state is the state of a loop, in one word.
type state string

const (
	parked  state = "parked"
	busy    state = "busy"
	stuck   state = "stuck"   // in Run, awake, and not answering
	between state = "between" // not in Run, but active in the last seconds: embedded, or run now and then
	stopped state = "stopped" // not in Run
)

// stateOf returns stuck for a loop that does not answer in time. A loop in a long callback is
// stuck too: prompt may be about an earlier moment.
func stateOf(r evmeter.Reading, lately recent, prompt bool) state {
	c := r.Current()
	late := !prompt || c != nil && c.Took >= answerTimeout
	switch {
	case r.Running && r.Parked:
		return parked
	case r.Running && late:
		return stuck
	case r.Running:
		return busy
	case lately.Iterations > 0:
		return between
	}
	return stopped
}

// span is the number of seconds of the recent figures.
const span = 10

// recent has the averages per second of the last seconds, and their maxima.
type recent struct {
	Seconds    int           `json:"seconds"` // less than span if measuring has just begun
	Busy       float64       `json:"busy"`    // share of the time
	Iterations float64       `json:"iterations"`
	Callbacks  float64       `json:"callbacks"`
	Parks      float64       `json:"parks"`
	Slowest    time.Duration `json:"max_slowest_ns"`
	Lag        time.Duration `json:"max_lag_ns"`
	Wakeup     time.Duration `json:"max_wakeup_ns"`
}

// lately counts the callback in progress, too, with its duration so far.
func lately(reading evmeter.Reading) recent {
	history := reading.History[max(0, len(reading.History)-span):]
	r := recent{Seconds: len(history)}
	if c := reading.Current(); c != nil {
		r.Slowest = c.Took
	}
	if r.Seconds == 0 {
		return r
	}
	each, busy := 1/float64(r.Seconds), time.Duration(0)
	for _, s := range history {
		busy += s.Busy
		r.Iterations += float64(s.Iterations) * each
		r.Callbacks += float64(s.Callbacks) * each
		r.Parks += float64(s.Parks) * each
		r.Slowest = max(r.Slowest, s.Slowest)
		r.Lag = max(r.Lag, s.Lag)
		r.Wakeup = max(r.Wakeup, s.Wakeup)
	}
	r.Busy = busy.Seconds() / float64(r.Seconds)
	return r
}

// survey reads all loops concurrently: it waits for stuck loops only once.
func (h *handler) survey(loops []*ev.Loop) survey {
	s := survey{At: time.Now(), Loops: make([]summary, len(loops))}
	var all sync.WaitGroup
	for i, l := range loops {
		all.Go(func() { s.Loops[i] = h.summarize(l) })
	}
	all.Wait()
	return s
}

func (h *handler) summarize(l *ev.Loop) summary {
	r, lately, state := h.read(l)
	s := summary{
		Title: clip(l.String()), ID: r.ID, Name: r.Name, Backend: r.Backend, State: state,
		Stats: r.Stats, Recent: lately, InProgress: r.InProgress,
	}
	s.Slowest = r.Slowest[:min(1, len(r.Slowest))]
	return s
}

// read asks a loop that is awake whether it answers. It does not wake a loop that is asleep.
func (h *handler) read(l *ev.Loop) (evmeter.Reading, recent, state) {
	m, prompt := evmeter.On(l), true
	if l.Running() && !l.Parked() {
		prompt = h.ask.prompt(l)
	}
	r := clipped(m.Read())
	lately := lately(r)
	return r, lately, stateOf(r, lately, prompt)
}

// examine asks first and reads then, so that the reading is as new as possible.
func (h *handler) examine(l *ev.Loop) report {
	m := evmeter.On(l)
	r, asked, prompt, slept := report{Title: clip(l.String())}, willAnswer(l), true, l.Parked()
	if asked {
		r.Answer, prompt = h.ask.ask(l)
	} else {
		r.Answer = h.ask.known(l)
	}
	r.Reading = clipped(m.Read())
	if slept && prompt && r.Current() == nil { // it was awake for the question, and may not sleep again yet
		r.Parked = true
	}
	r.Recent = lately(r.Reading)
	r.State = stateOf(r.Reading, r.Recent, prompt)
	if r.State == stuck && asked {
		r.Stack, r.StackAt = h.ask.stacks.of(l, h.lastReturn(r.Reading, l))
	}
	return r
}

// askTask asks the loop for the stack of the task with this number among those of the report. Only
// the loop is held up for that, and no other goroutine.
func (h *handler) askTask(ctx context.Context, r report, number string) *askedTask {
	if r.Answer == nil {
		return &askedTask{}
	}
	for _, t := range r.Answer.Tasks {
		if t.Goroutine == 0 || strconv.FormatUint(t.Goroutine, 10) != number {
			continue
		}
		asked := &askedTask{Task: t, Found: true}
		if r.State != stuck && r.State != stopped {
			ctx, cancel := context.WithTimeout(ctx, answerTimeout)
			defer cancel()
			asked.Stack, _ = t.Stack(ctx) // without an answer there is no stack
		}
		return asked
	}
	return &askedTask{}
}

// lastReturn returns the last known time at which the loop was outside the callback in which it is
// stuck. A stack from before that time shows another callback.
func (h *handler) lastReturn(r evmeter.Reading, l *ev.Loop) time.Time {
	last := h.ask.lastAnswer(l)
	if c := r.Current(); c != nil && c.Began.After(last) {
		return c.Began
	}
	return last
}
