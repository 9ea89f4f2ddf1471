package evdebug

import (
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
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
	var all []plot
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
		values := series(r.History, c.of)
		top := ceiling(max(c.least, highest(values)))
		svg, err := curve(values, top, c.unit)
		if err != nil {
			return nil, err
		}
		all = append(all, plot{c.title, "at most " + c.unit(highest(values)) + " in the last three minutes", svg})
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

// The plots are drawn in placeholder colours. themed replaces them by classes of the style sheet.
var (
	theme = charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor:    charts.ColorRGB(1, 0, 0),
		AxisSplitLineColor: charts.ColorRGB(2, 0, 0),
		TextColor:          charts.ColorRGB(3, 0, 0),
		SeriesColors:       []charts.Color{charts.ColorRGB(4, 0, 0)},
		BackgroundColor:    charts.ColorTransparent,
	})
	classes     = map[string]string{"1": "axis", "2": "grid", "3": "text", "4": "data"}
	styles      = regexp.MustCompile(`style="([^"]*)"`)
	placeholder = regexp.MustCompile(`^rgba?\((\d),0,0(,[0-9.]+)?\)$`)
)

const (
	width, height = 300, 130
	fontSize      = 9
)

func curve(values []float64, top float64, unit func(float64) string) (template.HTML, error) {
	o := charts.NewLineChartOptionWithData([][]float64{values})
	o.Theme, o.Padding = theme, charts.NewBox(4, 10, 12, 4)
	o.FillArea, o.FillOpacity = charts.Ptr(true), 50
	o.LineStrokeWidth = 1.5
	o.XAxis.Labels = ages(len(values))
	o.XAxis.LabelCount, o.XAxis.BoundaryGap = 4, charts.Ptr(false)
	o.XAxis.LabelFontStyle.FontSize = fontSize
	o.YAxis[0] = valueAxis(top, unit)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height, Theme: theme})
	if err := p.LineChart(o); err != nil {
		return "", err
	}
	return themed(p)
}

func valueAxis(top float64, unit func(float64) string) charts.YAxisOption {
	return charts.YAxisOption{
		Min: charts.Ptr(0.0), Max: charts.Ptr(top), RangeValuePaddingScale: charts.Ptr(0.0),
		LabelCount: 3, ValueFormatter: unit, LabelFontStyle: charts.FontStyle{FontSize: fontSize},
	}
}

// ages returns the labels of the time axis. Only seconds about a whole number of minutes ago have
// one: the chart shows four labels, and measuring each label takes time.
func ages(n int) []string {
	names := make([]string, n)
	for i := range names {
		if minutes := (n - i + 2) / 60; (n-i+2)%60 <= 4 {
			names[i] = "−" + strconv.Itoa(minutes) + " min"
		}
	}
	names[n-1] = "now"
	return names
}

func bars(h evmeter.Histogram) (template.HTML, error) {
	counts, names, top := make([]float64, len(h.Counts)), make([]string, len(h.Counts)), 10.0
	for i, n := range h.Counts {
		counts[i], names[i] = float64(n), about(i)
		top = max(top, counts[i])
	}
	names[len(names)-1] = "more"
	o := charts.NewBarChartOptionWithData([][]float64{counts})
	o.Theme, o.Padding = theme, charts.NewBox(4, 10, 12, 4)
	o.CategoryAxis.Labels, o.CategoryAxis.LabelCount = names, 4
	o.CategoryAxis.LabelFontStyle.FontSize = fontSize
	o.ValueAxis = []charts.ValueAxisOption{valueAxis(ceiling(top), rate)}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height, Theme: theme})
	if err := p.BarChart(o); err != nil {
		return "", err
	}
	return themed(p)
}

// about returns a rounded name for the bound of a bucket: 1024 µs is 1 ms.
func about(bucket int) string {
	unit := []string{" µs", " ms", " s"}[min(bucket/10, 2)]
	return strconv.Itoa(1<<(bucket%10)) + unit
}

func quantiles(h evmeter.Histogram) string {
	return count(h.Count) + " in all: half of them at most " + duration(h.Quantile(0.5)) + ", 99 % at most " +
		duration(h.Quantile(0.99)) + ", the worst " + duration(h.Max)
}

// themed replaces the style attributes, which the policy of the page forbids, by other attributes
// and classes.
func themed(p *charts.Painter) (template.HTML, error) {
	svg, err := p.Bytes()
	if err != nil {
		return "", err
	}
	return template.HTML(styles.ReplaceAllFunc(svg, func(style []byte) []byte {
		return []byte(attributes(string(styles.FindSubmatch(style)[1])))
	})), nil
}

func attributes(style string) string {
	var attributes, names []string
	for property := range strings.SplitSeq(style, ";") {
		key, value, _ := strings.Cut(property, ":")
		if c := placeholder.FindStringSubmatch(value); c != nil {
			names = append(names, key+"-"+classes[c[1]])
			if c[2] != "" {
				attributes = append(attributes, key+`-opacity="`+c[2][1:]+`"`)
			}
			continue
		}
		if key != "font-family" {
			attributes = append(attributes, key+`="`+value+`"`)
		}
	}
	if len(names) > 0 {
		attributes = append(attributes, `class="`+strings.Join(names, " ")+`"`)
	}
	return strings.Join(attributes, " ")
}
