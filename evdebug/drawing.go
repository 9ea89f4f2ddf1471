package evdebug

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// The drawings of the page, for browsers without script. The style sheet stretches them over their
// box: the units are seconds or bars to the right, and hundredths of the axis down.

// Drawing returns the figure as SVG.
func (f figure) Drawing() template.HTML {
	var b strings.Builder
	width := max(1, window-1)
	if f.Unit == "bars" {
		width = max(1, len(f.Bars))
	}
	b.WriteString(`<svg viewBox="0 0 ` + strconv.Itoa(width) + ` 100" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="M0 0H` +
		strconv.Itoa(width) + `M0 50H` + strconv.Itoa(width) + `M0 100H` + strconv.Itoa(width) + `"/>`)
	switch {
	case f.Unit == "bars":
		f.drawBars(&b)
	case f.Stacked:
		f.drawStack(&b)
	default:
		for _, l := range f.Lines {
			if len(f.Lines) == 1 {
				f.draw(&b, "area "+l.Class, l.Values, true)
			}
			f.draw(&b, "line "+l.Class, l.Values, false)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (f figure) drawBars(b *strings.Builder) {
	for i, bar := range f.Bars {
		if bar.Count == 0 {
			continue
		}
		h := 100 * bar.height() / f.Top
		b.WriteString(`<rect class="bar-s1" x="` + decimal(float64(i)+0.1) + `" y="` + decimal(100-h) + `" width="0.8" height="` + decimal(h) +
			`"><title>` + template.HTMLEscapeString(bar.String()) + `</title></rect>`)
	}
}

// drawStack draws the highest sum first, and each lower one over it.
func (f figure) drawStack(b *strings.Builder) {
	sums := f.sums()
	for i := len(sums) - 1; i >= 0; i-- {
		f.draw(b, "stack "+f.Lines[i].Class, sums[i], true)
	}
}

// sums returns, for each line, the sum of the values up to it.
func (f figure) sums() [][]float64 {
	all := make([][]float64, len(f.Lines))
	for i, l := range f.Lines {
		all[i] = append([]float64(nil), l.Values...)
		for j := range all[i] {
			if i > 0 {
				all[i][j] += all[i-1][j]
			}
		}
	}
	return all
}

// draw draws one path for each row of seconds that were measured.
func (f figure) draw(b *strings.Builder, class string, values []float64, area bool) {
	b.WriteString(`<path class="` + class + `" d="`)
	for i := 0; i < len(values); i++ {
		if math.IsNaN(values[i]) {
			continue
		}
		from := i
		for ; i < len(values) && !math.IsNaN(values[i]); i++ {
			switch {
			case i > from:
				b.WriteByte('L')
			case area:
				b.WriteString("M" + strconv.Itoa(i) + " 100L")
			default:
				b.WriteByte('M')
			}
			b.WriteString(strconv.Itoa(i) + " " + decimal(100-100*values[i]/f.Top))
		}
		if area {
			b.WriteString("V100Z")
		}
	}
	b.WriteString(`"/>`)
}

func decimal(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// Labels returns the text of the axes: the top, the middle, and the ends of the bottom.
func (f figure) Labels() (l struct{ Top, Half, From, To string }) {
	if f.Unit == "bars" {
		name := func(level float64) string { return count(uint64(math.Pow(10, level-1))) }
		l.Top = name(f.Top)
		if math.Mod(f.Top, 2) == 0 {
			l.Half = name(f.Top / 2)
		}
		if n := len(f.Bars); n > 0 {
			l.From, l.To = duration(f.Bars[0].From), duration(f.Bars[n-1].To)
		}
		return l
	}
	l.Top, l.Half = f.format(f.Top), f.format(f.Top/2)
	if n := len(f.Times); n > 0 {
		l.From, l.To = time.UnixMilli(f.Times[0]).Format(time.TimeOnly), time.UnixMilli(f.Times[n-1]).Format(time.TimeOnly)
	}
	return l
}
