package evdebug

import (
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// survey is the list of all loops, as JSON and for the page.
type survey struct {
	At    time.Time `json:"at"`
	Loops []summary `json:"loops"`
}

// summary is what the list tells of a loop.
type summary struct {
	Title      string         `json:"-"`
	ID         uint64         `json:"id"`
	Name       string         `json:"name"`
	Backend    string         `json:"backend"`
	State      state          `json:"state"`
	Stats      ev.Stats       `json:"stats"`
	Recent     recent         `json:"recent"`
	InProgress []evmeter.Call `json:"in_progress"`
	Slowest    *evmeter.Call  `json:"slowest"`
}

// report is all about one loop.
type report struct {
	evmeter.Reading
	Title  string  `json:"-"`
	State  state   `json:"state"`
	Recent recent  `json:"recent"`
	Answer *answer `json:"inspection"`      // null until the loop has answered once, in Run
	Stack  string  `json:"stack,omitempty"` // of a loop that does not answer

	StackAt time.Time `json:"stack_at,omitzero"`
}

// state is what a loop does, in a word.
type state string

const (
	parked  state = "parked"
	busy    state = "busy"
	stuck   state = "stuck"   // in Run, awake, and does not answer
	between state = "between" // not in Run, but it was in the last seconds: embedded, or run now and then
	stopped state = "stopped" // not in Run
)

// stateOf takes a loop for stuck that is late with an answer, or would be: what it
// answered may be some seconds old.
func stateOf(r evmeter.Reading, lately recent, prompt bool) state {
	c := r.Current()
	late := !prompt || c != nil && c.Took >= patience
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

// span is how many seconds the figures called recent are about.
const span = 10

// recent is what happened in the last seconds, each second on average or, where
// it says so, at worst.
type recent struct {
	Seconds    int           `json:"seconds"` // fewer when measuring has begun just now
	Busy       float64       `json:"busy"`    // share of the time
	Iterations float64       `json:"iterations"`
	Callbacks  float64       `json:"callbacks"`
	Parks      float64       `json:"parks"`
	Slowest    time.Duration `json:"max_slowest_ns"`
	Lag        time.Duration `json:"max_lag_ns"`
	Wakeup     time.Duration `json:"max_wakeup_ns"`
}

// lately counts the callback in progress among the slowest, for as long as it has
// run.
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

// survey looks at all loops at the same time: however many are stuck, it waits
// for one.
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
	if len(r.Slowest) > 0 {
		s.Slowest = &r.Slowest[0]
	}
	return s
}

// read asks only a loop that is awake whether it is stuck, and for nothing else: one
// that sleeps is left to it.
func (h *handler) read(l *ev.Loop) (evmeter.Reading, recent, state) {
	m, prompt := evmeter.On(l), true
	if l.Running() && !l.Parked() {
		prompt = h.ask.prompt(l)
	}
	r := clipped(m.Read())
	lately := lately(r)
	return r, lately, stateOf(r, lately, prompt)
}

// examine asks before it reads, so that the reading is as new as can be.
func (h *handler) examine(l *ev.Loop) report {
	m := evmeter.On(l)
	r, asked, prompt := report{Title: clip(l.String())}, answers(l), true
	if asked {
		r.Answer, prompt = h.ask.ask(l)
	} else {
		r.Answer = h.ask.known(l)
	}
	r.Reading = clipped(m.Read())
	r.Recent = lately(r.Reading)
	r.State = stateOf(r.Reading, r.Recent, prompt)
	if r.State == stuck && asked {
		r.Stack, r.StackAt = h.ask.stacks.of(l, h.lastSign(r.Reading, l))
	}
	return r
}

// lastSign is when the loop was seen to come back from a callback for the last time,
// as far as that is known: a stack from before shows something else.
func (h *handler) lastSign(r evmeter.Reading, l *ev.Loop) time.Time {
	heard := h.ask.heard(l)
	if c := r.Current(); c != nil && c.Began.After(heard) {
		return c.Began
	}
	return heard
}
