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
	Stats      evmeter.Stats  `json:"stats"`
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

func lately(history []evmeter.Second) recent {
	history = history[max(0, len(history)-span):]
	r := recent{Seconds: len(history)}
	if r.Seconds == 0 {
		return r
	}
	each := 1 / float64(r.Seconds)
	for _, s := range history {
		r.Busy += s.Busy.Seconds() * each
		r.Iterations += float64(s.Iterations) * each
		r.Callbacks += float64(s.Callbacks) * each
		r.Parks += float64(s.Parks) * each
		r.Slowest = max(r.Slowest, s.Slowest)
		r.Lag = max(r.Lag, s.Lag)
		r.Wakeup = max(r.Wakeup, s.Wakeup)
	}
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
		Title: l.Title(), ID: r.ID, Name: r.Name, Backend: r.Backend, State: state,
		Stats: r.Stats, Recent: lately, InProgress: r.InProgress,
	}
	if len(r.Slowest) > 0 {
		s.Slowest = &r.Slowest[0]
	}
	return s
}

// read asks only a loop that is awake whether it is stuck: one that sleeps is
// left to it.
func (h *handler) read(l *ev.Loop) (evmeter.Reading, recent, state) {
	m, prompt := evmeter.On(l), true
	if l.Running() && !l.Parked() {
		_, _, prompt = h.ask.ask(l)
	}
	r := m.Read()
	lately := lately(r.History)
	return r, lately, stateOf(r, lately, prompt)
}

// examine asks before it reads, so that the reading is as new as can be.
func (h *handler) examine(l *ev.Loop) report {
	m := evmeter.On(l)
	r, prompt := report{Title: l.Title()}, true
	var q *question
	if answers(l) {
		q, r.Answer, prompt = h.ask.ask(l)
	} else {
		r.Answer = h.ask.known(l)
	}
	r.Reading = m.Read()
	r.Recent = lately(r.History)
	r.State = stateOf(r.Reading, r.Recent, prompt)
	if r.State == stuck && q != nil {
		r.Stack = q.stack.of(l)
	}
	return r
}
