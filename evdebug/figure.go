package evdebug

import (
	"encoding/json"
	"math"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/goevlib/ev/evmeter"
)

// figure is a chart. The page has it as a drawing, which needs no script, and as numbers, from
// which the script makes a chart with values at the pointer, a crosshair and a zoom.
type figure struct {
	Title, Text string // Text has the figures in words
	Unit        string // how the script formats the values: "ns", "percent", "rate" or "bars"
	Wide        bool
	Stacked     bool // each line stands on the one before it
	Lines       []line
	Times       []int64 // of the values, in Unix milliseconds
	Top         float64 // of the axis
	Bars        []bar   // of a histogram, which has no Lines
	format      func(float64) string
	least       float64 // the axis goes at least to this value
}

// line is the values of one watcher, or of the loop.
type line struct {
	Class  string // its colour: "s1" and so on
	Name   string
	ID     int // of the watcher; 0 if it has no page
	Values []float64
	Most   string // the highest value
}

// bar is one bucket of a histogram.
type bar struct {
	From, To time.Duration // To is 0 for the last one, which has no bound
	Count    uint64
}

// watched is the number of watchers that have a line of their own.
const watched = 5

const window = int(evmeter.Window / time.Second)

// missing is the value of a second that was not measured.
var missing = math.NaN()

// timesOf returns the seconds of the window, the oldest first.
func timesOf(r evmeter.Reading) []int64 {
	last := r.At
	if n := len(r.History); n > 0 {
		last = r.History[n-1].Began
	}
	times := make([]int64, window)
	for i := range times {
		times[i] = last.Add(time.Duration(i-window+1) * time.Second).UnixMilli()
	}
	return times
}

// values returns a value for each second of the window. The last one is that of the last element.
func values[T any](history []T, of func(T) float64) []float64 {
	all := make([]float64, window)
	for i := range all {
		all[i] = missing
	}
	history = history[max(0, len(history)-window):]
	for i, s := range history {
		all[window-len(history)+i] = of(s)
	}
	return all
}

func highest(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		if v > top { // NaN is not
			top = v
		}
	}
	return top
}

func (f *figure) add(class, name string, id int, values []float64) {
	f.Lines = append(f.Lines, line{class, name, id, values, f.format(highest(values))})
}

// done sets the fields that follow from the lines.
func (f *figure) done() figure {
	most := make([]float64, window)
	for _, l := range f.Lines {
		for i, v := range l.Values {
			switch {
			case math.IsNaN(v):
			case f.Stacked:
				most[i] += v
			default:
				most[i] = max(most[i], v)
			}
		}
	}
	top := highest(most)
	f.Top = ceiling(max(f.least, top))
	f.Text = "at most " + f.format(top)
	return *f
}

func nanoseconds(v float64) string { return duration(time.Duration(v)) }
func percents(v float64) string    { return rate(v) + " %" }

// figuresOf returns the figures of a loop. details has its busiest watchers and its slowest.
func figuresOf(r evmeter.Reading, details map[int]evmeter.Detail) []figure {
	times := timesOf(r)
	all := []figure{busyByWatcher(r, details), slowestByWatcher(r, details)}
	for _, f := range []struct {
		figure
		of func(evmeter.Second) float64
	}{
		{figure{Title: "Callbacks per second", Unit: "rate", format: rate, least: 10}, func(s evmeter.Second) float64 { return float64(s.Callbacks) }},
		{figure{Title: "Iterations per second", Unit: "rate", format: rate, least: 10}, func(s evmeter.Second) float64 { return float64(s.Iterations) }},
		{figure{Title: "Parks per second", Unit: "rate", format: rate, least: 10}, func(s evmeter.Second) float64 { return float64(s.Parks) }},
		{figure{Title: "Latest timer", Unit: "ns", format: nanoseconds, least: 1e6}, func(s evmeter.Second) float64 { return float64(s.Lag) }},
		{figure{Title: "Slowest wake-up", Unit: "ns", format: nanoseconds, least: 1e6}, func(s evmeter.Second) float64 { return float64(s.Wakeup) }},
	} {
		f.add("s1", f.Title, 0, values(r.History, f.of))
		all = append(all, f.done())
	}
	for i := range all {
		all[i].Times = times
	}
	return append(all,
		histogramOf("Callbacks, by how long they took", r.Callback),
		histogramOf("Timers, by how late they ran", r.Lag),
		histogramOf("Wake-ups, by how long they took", r.Wakeup))
}

// busyByWatcher shows where the time of each second went. The rest is that of other watchers, and
// of the loop between callbacks.
func busyByWatcher(r evmeter.Reading, details map[int]evmeter.Detail) figure {
	f := figure{Title: "Busy, by watcher", Unit: "percent", format: percents, least: 10, Wide: true, Stacked: true}
	rest := values(r.History, func(s evmeter.Second) float64 { return 100 * s.Busy.Seconds() })
	for i, s := range busiest(r.Sources) {
		of := values(details[s.ID].History, func(u evmeter.Use) float64 { return 100 * u.Busy.Seconds() })
		for i, v := range of {
			if !math.IsNaN(rest[i]) && !math.IsNaN(v) {
				rest[i] = max(0, rest[i]-v)
			}
		}
		f.add(class(i), whoOf(s), s.ID, fill(of, rest))
	}
	f.add("rest", "everything else", 0, rest)
	return f.done()
}

// slowestByWatcher shows the longest callback of each second for the watchers with the longest.
func slowestByWatcher(r evmeter.Reading, details map[int]evmeter.Detail) figure {
	f := figure{Title: "Slowest callback, by watcher", Unit: "ns", format: nanoseconds, least: 1e6, Wide: true}
	all := values(r.History, func(s evmeter.Second) float64 { return float64(s.Slowest) })
	for i, s := range slowest(r.Sources) {
		of := values(details[s.ID].History, func(u evmeter.Use) float64 { return float64(u.Slowest) })
		f.add(class(i), whoOf(s), s.ID, fill(of, all))
	}
	if len(f.Lines) == 0 {
		f.add("rest", "no callback so far", 0, all)
	}
	return f.done()
}

// fill sets the seconds to 0 in which the loop was measured and the watcher was not yet.
func fill(values, of []float64) []float64 {
	for i, v := range of {
		if !math.IsNaN(v) && math.IsNaN(values[i]) {
			values[i] = 0
		}
	}
	return values
}

func class(i int) string { return "s" + strconv.Itoa(i+1) }

// whoOf returns a short name of the watcher.
func whoOf(s evmeter.Source) string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Position != "":
		return s.Kind + " " + path.Base(place(s.Position))
	}
	return s.Kind
}

// busiest returns the watchers that took most of the window, in the order of their IDs: a line
// keeps its colour while others change places.
func busiest(sources []evmeter.Source) []evmeter.Source {
	return first(sources, func(s evmeter.Source) time.Duration { return s.Recent })
}

func slowest(sources []evmeter.Source) []evmeter.Source {
	return first(sources, func(s evmeter.Source) time.Duration { return s.RecentMax })
}

func first(sources []evmeter.Source, by func(evmeter.Source) time.Duration) (all []evmeter.Source) {
	for _, s := range sources {
		if by(s) > 0 && s.ID != 0 {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b evmeter.Source) int { return int(by(b) - by(a)) })
	all = all[:min(len(all), watched)]
	slices.SortFunc(all, func(a, b evmeter.Source) int { return a.ID - b.ID })
	return all
}

// figuresOfWatcher returns the figures of one watcher.
func figuresOfWatcher(r evmeter.Reading, d evmeter.Detail) []figure {
	times := timesOf(r)
	all := make([]figure, 0, 4)
	for _, f := range []struct {
		figure
		of func(evmeter.Use) float64
	}{
		{figure{Title: "Slowest callback", Unit: "ns", format: nanoseconds, least: 1e3, Wide: true}, func(u evmeter.Use) float64 { return float64(u.Slowest) }},
		{figure{Title: "Busy", Unit: "percent", format: percents, least: 1, Wide: true}, func(u evmeter.Use) float64 { return 100 * u.Busy.Seconds() }},
		{figure{Title: "Calls per second", Unit: "rate", format: rate, least: 10, Wide: true}, func(u evmeter.Use) float64 { return float64(u.Calls) }},
	} {
		f.Times = times
		f.add("s1", f.Title, 0, values(d.History, f.of))
		all = append(all, f.done())
	}
	h := histogramOf("Callbacks, by how long they took", d.Took)
	h.Wide = true
	return append(all, h)
}

// histogramOf shows the buckets from the first that is not empty to the last, in whole powers of
// two, and at least three of these.
func histogramOf(title string, h evmeter.Histogram) figure {
	f := figure{Title: title, Unit: "bars", Text: quantiles(h), Top: 2}
	bounds, from, to := h.FineBounds(), -1, 0
	for i, n := range h.Fine {
		if n > 0 {
			to = i
			if from < 0 {
				from = i
			}
		}
	}
	const power, least = 4, 3 // the buckets of a power of two, and how many powers are shown
	from = max(0, (from-1)/power*power+1)
	if from == 1 {
		from = 0
	}
	to = min(max(to, from+least*power-1), len(bounds))
	for i := from; i <= to && len(h.Fine) > 0; i++ {
		b := bar{Count: h.Fine[i]}
		if i > 0 {
			b.From = bounds[i-1]
		}
		if i < len(bounds) {
			b.To = bounds[i]
		}
		f.Bars = append(f.Bars, b)
		f.Top = max(f.Top, math.Ceil(b.height()))
	}
	return f
}

// height is logarithmic: one call among a million is the one that is looked for. It is 1 for one
// call, and 2 for ten.
func (b bar) height() float64 {
	if b.Count == 0 {
		return 0
	}
	return 1 + math.Log10(float64(b.Count))
}

func (b bar) String() string {
	if b.To == 0 {
		return "more than " + duration(b.From) + ": " + count(b.Count)
	}
	return duration(b.From) + " to " + duration(b.To) + ": " + count(b.Count)
}

// ceiling rounds up to 1, 2 or 5 times a power of ten, so that the axis rarely changes.
func ceiling(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5} {
		if v <= digit*power {
			return digit * power
		}
	}
	return 10 * power
}

func quantiles(h evmeter.Histogram) string {
	return count(h.Count) + " in all: half of them at most " + duration(h.Quantile(0.5)) + ", 99 % at most " +
		duration(h.Quantile(0.99)) + ", the worst " + duration(h.Max)
}

// Numbers returns the numbers for the script: the times and the values of each line, or the bounds
// and counts of the bars.
func (f figure) Numbers() (string, error) {
	if f.Unit == "bars" {
		all := make([][3]int64, len(f.Bars))
		for i, b := range f.Bars {
			all[i] = [3]int64{int64(b.From), int64(b.To), int64(b.Count)}
		}
		data, err := json.Marshal(all)
		return string(data), err
	}
	out := []byte("[")
	for i, l := range f.Lines {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		for j, v := range l.Values {
			if j > 0 {
				out = append(out, ',')
			}
			switch {
			case math.IsNaN(v):
				out = append(out, "null"...)
			case f.Unit == "percent":
				out = strconv.AppendFloat(out, math.Round(v*100)/100, 'f', -1, 64)
			default:
				out = strconv.AppendFloat(out, v, 'f', 0, 64)
			}
		}
		out = append(out, ']')
	}
	return string(append(out, ']')), nil
}

// Start returns the time of the first value.
func (f figure) Start() int64 {
	if len(f.Times) == 0 {
		return 0
	}
	return f.Times[0]
}
