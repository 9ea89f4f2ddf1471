package evdebug

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

//go:embed *.html
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"duration": duration,
	"count":    count[uint64],
	"number":   count[int],
	"rate":     rate,
	"percent":  percent,
	"place":    place,
	"clock":    func(t time.Time) string { return t.Format(time.TimeOnly) },
	"full":     func(t time.Time) string { return t.Format(time.RFC3339Nano) },
	"mul":      func(a, b float64) float64 { return a * b },
}).ParseFS(files, "*.html"))

func respond(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		http.Error(w, "evdebug: "+err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, r, status, "text/html; charset=utf-8", body.Bytes())
}

// A table has at most maxRows rows; JSON has more. A table whose number of rows changes has empty
// rows up to a multiple of rowStep, so that the page below it rarely moves.
const (
	maxRows = 100
	rowStep = 8
)

// page is the data of loop.html.
type page struct {
	report
	Now     string // the loop's state in words, outside a callback
	Calls   []call
	Empty   []struct{} // the empty rows below Calls
	Sources []source
	More    int // sources that are not shown
	Active  []evmeter.Active
	Others  int // groups of watchers that are not shown
	Listed  int // groups that JSON has
	Tasks   []task
	Further int // tasks that are not shown
	Pending []pending
	Plots   []plot
}

// call is one of the slowest calls, with its share of the duration of the slowest.
type call struct {
	evmeter.Call
	Share float64
}

type source struct {
	evmeter.Source
	Mean  time.Duration
	Share float64 // of the time in all callbacks
}

// task is a row of the table of tasks.
type task struct {
	evmeter.Task
	Kind   string
	Waited time.Duration // until the answer
	Left   time.Duration // from the answer until Sleep or Within ends the wait; 0 if neither does
}

type pending struct {
	Priority int
	evmeter.Depth
}

func (h *handler) show(r report) (page, error) {
	p := page{report: r, Now: now(r), Calls: calls(r.Slowest), Pending: byPriority(r.Reading)}
	p.Empty = make([]struct{}, max(0, evmeter.SlowestKept-len(p.Calls)))
	p.Sources, p.More = sources(r.Sources)
	if r.Answer != nil {
		p.Listed = len(r.Answer.Active) - min(1, r.Answer.More) // the last one may be "others"
		p.Active = r.Answer.Active[:min(p.Listed, maxRows)]
		p.Others = p.Listed - len(p.Active) + r.Answer.More
		p.Tasks = tasks(r.Answer)
		p.Further = len(r.Answer.Tasks) - len(p.Tasks)
	}
	var err error
	p.Plots, err = h.draw.of(r)
	return p, err
}

// now describes a loop for which no callback in progress is known.
func now(r report) string {
	switch r.State {
	case parked:
		return "Asleep until an event happens or the next timer is due."
	case stuck:
		return "In a callback that began before measuring did. The loop does not answer."
	case between:
		return "Not in Run at the moment: it is embedded, or Run is called now and then."
	case stopped:
		return "Not in Run."
	}
	return "Awake, between two callbacks."
}

func calls(slowest []evmeter.Call) []call {
	all := make([]call, len(slowest))
	for i, c := range slowest {
		all[i] = call{c, share(c.Took, slowest[0].Took)}
	}
	return all
}

func sources(measured []evmeter.Source) (all []source, more int) {
	var total time.Duration
	for _, s := range measured {
		total += s.Total
	}
	for _, s := range measured[:min(len(measured), maxRows)] {
		mean := s.Total / time.Duration(max(1, s.Calls))
		all = append(all, source{s, mean, share(s.Total, total)})
	}
	return all, len(measured) - len(all)
}

func tasks(a *answer) []task {
	all := make([]task, min(len(a.Tasks), maxRows))
	for i := range all {
		t := task{Task: a.Tasks[i], Kind: "Task"}
		if !t.Since.IsZero() {
			t.Waited = max(0, a.At.Sub(t.Since))
		}
		if !t.Until.IsZero() {
			t.Left = max(0, t.Until.Sub(a.At))
		}
		all[i] = t
	}
	return all
}

func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// byPriority returns the highest priority first, in the order of the loop's calls.
func byPriority(r evmeter.Reading) []pending {
	var all []pending
	for i, d := range slices.Backward(r.Pending[:]) {
		all = append(all, pending{i + ev.MinPriority, d})
	}
	return all
}

// Blank returns the empty rows below n rows.
func (page) Blank(n int) []struct{} {
	full := max(1, (n+rowStep-1)/rowStep) * rowStep
	return make([]struct{}, full-n)
}

// Current returns the callback that the loop waits for, or nil.
func (s summary) Current() *evmeter.Call {
	return evmeter.Reading{InProgress: s.InProgress}.Current()
}

// Outer returns the callback whose nested Run the loop is in, or nil.
func (p page) Outer() *evmeter.Call {
	if len(p.InProgress) == 0 || p.Current() != nil {
		return nil
	}
	return &p.InProgress[len(p.InProgress)-1]
}

// Keepers returns the number of watchers that keep Run going.
func (p page) Keepers() int {
	if p.Answer == nil {
		return 0
	}
	n := 0
	for _, a := range p.Answer.Active {
		n += a.Keeping
	}
	return n
}
