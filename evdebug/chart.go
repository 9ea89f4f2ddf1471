package evdebug

import (
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-analyze/charts"

	"github.com/goevlib/ev/evmeter"
)

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
