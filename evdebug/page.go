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

// A table shows so many rows; JSON has more. Where their number changes while one
// looks, empty ones fill them up to a multiple of reserved, so that what is below
// hardly ever moves.
const (
	most     = 100
	reserved = 8
)

// page is what loop.html shows.
type page struct {
	report
	Now     string // what the loop does, if it is in no callback
	Calls   []call
	Empty   []struct{} // rows that Calls lacks
	Sources []source
	More    int // sources that are not shown
	Active  []evmeter.Active
	Others  int // groups of watchers that are not shown
	Listed  int // those that JSON has
	Pending []pending
	Plots   []plot
}

// call is one of the slowest, with its share of the slowest of all.
type call struct {
	evmeter.Call
	Share float64
}

type source struct {
	evmeter.Source
	Mean  time.Duration
	Share float64 // of the time that all took
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
		p.Listed = len(r.Answer.Active) - min(1, r.Answer.More) // the last stands for those that are not
		p.Active = r.Answer.Active[:min(p.Listed, most)]
		p.Others = p.Listed - len(p.Active) + r.Answer.More
	}
	var err error
	p.Plots, err = h.draw.of(r)
	return p, err
}

// now says what a loop does of which no callback in progress is known.
func now(r report) string {
	switch r.State {
	case parked:
		return "Asleep, until something happens or the next timer is due."
	case stuck:
		return "In a callback that began before anybody looked, and has not answered."
	case between:
		return "Not in Run at this moment: another loop runs it, or Run is called now and then."
	case stopped:
		return "Nobody is in its Run."
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
	for _, s := range measured[:min(len(measured), most)] {
		mean := s.Total / time.Duration(max(1, s.Calls))
		all = append(all, source{s, mean, share(s.Total, total)})
	}
	return all, len(measured) - len(all)
}

func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// byPriority has the highest first, as the loop does.
func byPriority(r evmeter.Reading) []pending {
	var all []pending
	for i, d := range slices.Backward(r.Pending[:]) {
		all = append(all, pending{i + ev.MinPriority, d})
	}
	return all
}

// Blank has the rows that a table of n rows lacks.
func (page) Blank(n int) []struct{} {
	full := max(1, (n+reserved-1)/reserved) * reserved
	return make([]struct{}, full-n)
}

// Current is the callback that the loop waits for, or nil.
func (s summary) Current() *evmeter.Call {
	return evmeter.Reading{InProgress: s.InProgress}.Current()
}

// Outer is the callback in whose nested Run the loop goes on, or nil.
func (p page) Outer() *evmeter.Call {
	if len(p.InProgress) == 0 || p.Current() != nil {
		return nil
	}
	return &p.InProgress[len(p.InProgress)-1]
}

// Keepers is how many watchers keep Run going.
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
