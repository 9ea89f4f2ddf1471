package evdebug

import (
	"html/template"
	"math"
	"sync"
	"time"

	"github.com/go-analyze/charts"

	"github.com/goevlib/ev/evmeter"
)

// plots caches the plots of each loop for a second, so that several viewers share them.
type plots struct {
	mu    sync.Mutex
	drawn map[uint64]drawn // by the loop's ID
}

type drawn struct {
	at    time.Time
	plots []plot
}

// plot is one figure of the page.
type plot struct {
	Title, Text string // Text has the figures in words
	SVG         template.HTML
}

func (p *plots) of(r report) ([]plot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.drawn[r.ID]; ok && r.At.Sub(d.at) < time.Second {
		return d.plots, nil
	}
	all, err := drawAll(r)
	if err != nil {
		return nil, err
	}
	if p.drawn == nil {
		p.drawn = make(map[uint64]drawn)
	}
	for id, d := range p.drawn {
		if r.At.Sub(d.at) > time.Minute {
			delete(p.drawn, id)
		}
	}
	p.drawn[r.ID] = drawn{r.At, all}
	return all, nil
}

// drawAll draws the history as curves and the histograms as bars.
func drawAll(r report) ([]plot, error) {
	all, err := drawHistory(r.History)
	if err != nil {
		return nil, err
	}
	for _, b := range []struct {
		title string
		of    evmeter.Histogram
	}{
		{"Wake-ups, by how long they took", r.Wakeup},
		{"Timers, by how late they ran", r.Lag},
	} {
		svg, err := bars(b.of)
		if err != nil {
			return nil, err
		}
		all = append(all, plot{b.title, quantiles(b.of), svg})
	}
	return all, nil
}

func drawHistory(history []evmeter.Second) (all []plot, err error) {
	for _, c := range []struct {
		title string
		of    func(evmeter.Second) float64
		least float64 // the axis goes at least to this value
		unit  func(float64) string
	}{
		{"Busy", func(s evmeter.Second) float64 { return 100 * s.Busy.Seconds() }, 100,
			func(v float64) string { return rate(v) + " %" }},
		{"Slowest callback", func(s evmeter.Second) float64 { return float64(s.Slowest) }, 1e6, nanoseconds},
		{"Callbacks per second", func(s evmeter.Second) float64 { return float64(s.Callbacks) }, 10, rate},
		{"Iterations per second", func(s evmeter.Second) float64 { return float64(s.Iterations) }, 10, rate},
		{"Latest timer", func(s evmeter.Second) float64 { return float64(s.Lag) }, 1e6, nanoseconds},
		{"Slowest wake-up", func(s evmeter.Second) float64 { return float64(s.Wakeup) }, 1e6, nanoseconds},
	} {
		values := series(history, c.of)
		svg, err := curve(values, ceiling(max(c.least, highest(values))), c.unit)
		if err != nil {
			return nil, err
		}
		all = append(all, plot{c.title, "at most " + c.unit(highest(values)) + " in the last three minutes", svg})
	}
	return all, nil
}

func nanoseconds(v float64) string { return duration(time.Duration(v)) }

// series returns a value for each second of the window, the oldest first. It has null values for
// seconds that were not measured.
func series(history []evmeter.Second, of func(evmeter.Second) float64) []float64 {
	const n = int(evmeter.Window / time.Second)
	values := make([]float64, n)
	for i := range values {
		values[i] = charts.GetNullValue()
	}
	for i, s := range history {
		values[n-len(history)+i] = of(s)
	}
	return values
}

func highest(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		if v != charts.GetNullValue() {
			top = max(top, v)
		}
	}
	return top
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
