package evdebug

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
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
	"who":      whoOf,
	"zone":     zone,
}).ParseFS(files, "*.html"))

func respond(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		http.Error(w, "evdebug: "+err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, r, status, "text/html; charset=utf-8", body.Bytes())
}

// A table has at most maxRows rows; JSON has more.
const maxRows = 100

// listPage is the data of list.html.
type listPage struct {
	survey
	sorting
}

func showList(s survey, r *http.Request) listPage {
	p := listPage{s, sorting(r.URL.Query())}
	slices.SortStableFunc(p.Loops, stuckFirst)
	p.Loops = sorted(p.sorting, "loops", p.Loops, orderOfLoops)
	return p
}

// page is the data of loop.html.
type page struct {
	report
	sorting
	Now     string // the loop's state in words, outside a callback
	Calls   []call
	Sources []source
	More    int // sources that are not shown
	Active  []evmeter.Active
	Others  int // groups of watchers that are not shown
	Listed  int // groups that JSON has
	Tasks   []task
	Further int // tasks that are not shown
	Pending []pending
	Figures []figure
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

func show(r report, request *http.Request) page {
	p := page{report: r, sorting: sorting(request.URL.Query()), Now: now(r), Pending: byPriority(r.Reading)}
	p.Calls = sorted(p.sorting, "slowest", calls(r.Slowest), orderOfCalls)
	p.Sources, p.More = sources(r.Sources, sorted(p.sorting, "spent", r.Sources, orderOfSources))
	if r.Answer != nil {
		p.Listed = len(r.Answer.Active) - min(1, r.Answer.More) // the last one may be "others"
		active := sorted(p.sorting, "active", r.Answer.Active[:p.Listed], orderOfActive)
		p.Active = active[:min(p.Listed, maxRows)]
		p.Others = p.Listed - len(p.Active) + r.Answer.More
		p.Tasks = tasks(r.Answer.At, sorted(p.sorting, "tasks", r.Answer.Tasks, orderOfTasks))
		p.Further = len(r.Answer.Tasks) - len(p.Tasks)
	}
	p.Figures = figuresOf(r.Reading, detailsOf(r.Reading))
	return p
}

// detailsOf returns the figures of the watchers that have lines of their own.
func detailsOf(r evmeter.Reading) map[int]evmeter.Detail {
	details := make(map[int]evmeter.Detail)
	for _, l := range ev.Loops() {
		if l.ID() != r.ID {
			continue
		}
		for _, s := range slices.Concat(busiest(r.Sources), slowest(r.Sources)) {
			if d, ok := evmeter.On(l).Detail(s.ID); ok {
				details[s.ID] = d
			}
		}
	}
	return details
}

// watcherPage is the data of watcher.html.
type watcherPage struct {
	report
	Calls   []call // those among the slowest of the loop
	Figures []figure
	Buckets []bucket
	PerCent float64 // of the last three minutes
	Rate    float64 // calls per second, in the last ten
}

func showWatcher(r report, request *http.Request) watcherPage {
	p := watcherPage{report: r, Figures: figuresOfWatcher(r.Reading, *r.Watcher)}
	p.Buckets = buckets(p.Figures[len(p.Figures)-1])
	for _, c := range calls(r.Slowest) {
		if c.Source.ID == r.Watcher.Source.ID {
			p.Calls = append(p.Calls, c)
		}
	}
	p.Calls = sorted(sorting(request.URL.Query()), "slowest", p.Calls, orderOfCalls)
	history := r.Watcher.History[max(0, len(r.Watcher.History)-span):]
	for _, u := range history {
		p.Rate += float64(u.Calls) / float64(len(history))
	}
	if n := len(r.Watcher.History); n > 0 {
		p.PerCent = r.Watcher.Source.Recent.Seconds() / float64(n)
	}
	return p
}

// bucket is a bucket that is not empty, with its part of the fullest.
type bucket struct {
	bar
	Share float64
}

func buckets(h figure) (all []bucket) {
	most := uint64(0)
	for _, b := range h.Bars {
		most = max(most, b.Count)
	}
	for _, b := range h.Bars {
		if b.Count > 0 {
			all = append(all, bucket{b, float64(b.Count) / float64(most)})
		}
	}
	return all
}

// detailOf returns nil if the loop has no watcher with this number.
func detailOf(l *ev.Loop, number string) *evmeter.Detail {
	id, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	d, ok := evmeter.On(l).Detail(id)
	if !ok {
		return nil
	}
	clipSource(&d.Source)
	return &d
}

// zone returns the seconds by which the clock of the process is ahead of UTC: the script shows the
// same times as the page.
func zone() int {
	_, offset := time.Now().Zone()
	return offset
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

func sources(measured, inOrder []evmeter.Source) (all []source, more int) {
	var total time.Duration
	for _, s := range measured {
		total += s.Total
	}
	for _, s := range inOrder[:min(len(inOrder), maxRows)] {
		all = append(all, source{s, mean(s), share(s.Total, total)})
	}
	return all, len(measured) - len(all)
}

func mean(s evmeter.Source) time.Duration { return s.Total / time.Duration(max(1, s.Calls)) }

func tasks(at time.Time, found []evmeter.Task) []task {
	all := make([]task, min(len(found), maxRows))
	for i := range all {
		t := task{Task: found[i], Kind: "Task"}
		if !t.Since.IsZero() {
			t.Waited = max(0, at.Sub(t.Since))
		}
		if !t.Until.IsZero() {
			t.Left = max(0, t.Until.Sub(at))
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

// Lately returns the watcher with the longest callback of the last minutes, or nil.
func (p page) Lately() *evmeter.Source {
	var longest *evmeter.Source
	for i := range p.report.Sources {
		if s := &p.report.Sources[i]; s.RecentMax > 0 && (longest == nil || s.RecentMax > longest.RecentMax) {
			longest = s
		}
	}
	return longest
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
