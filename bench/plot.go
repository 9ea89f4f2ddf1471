package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// draw makes a bar chart of each group's first columns, or one per unit if a
// group has several units. It returns their files, by group.
func (r report) draw(dir string) (charts map[string][]string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	charts = make(map[string][]string)
	for _, group := range r.groups() {
		for _, unit := range units(group) {
			figures := slices.DeleteFunc(slices.Clone(group), func(m measured) bool { return m.columns[0] != unit })
			name := figures[0].group
			if len(units(group)) > 1 {
				name += " " + unit
			}
			file := filepath.Join(dir, fileName(name)+".svg")
			if err := chart(figures, file); err != nil {
				return nil, err
			}
			charts[figures[0].group] = append(charts[figures[0].group], file)
		}
	}
	return charts, nil
}

// units are those of the first columns of figures with something to draw.
func units(group []measured) []string {
	var units []string
	for _, m := range group {
		if len(m.rounds) > 0 && !slices.Contains(units, m.columns[0]) {
			units = append(units, m.columns[0])
		}
	}
	return units
}

func fileName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s)), "-")
}

const (
	width  = 12 * vg.Length(1)  // of a bar, in points
	legend = 150 * vg.Length(1) // space for it, at the right of the bars
)

func chart(figures []measured, file string) error {
	contestants := contestantsOf(figures)
	p := plot.New()
	p.Title.Text = figures[0].group + ": less is better"
	p.Y.Label.Text = figures[0].columns[0]
	p.Legend.Top = true
	colors := palette.Rainbow(max(len(contestants), 2), palette.Blue, palette.Red, 0.8, 0.85, 1).Colors()
	for i, name := range contestants {
		bars, err := plotter.NewBarChart(valuesOf(figures, name), width)
		if err != nil {
			return err
		}
		bars.Color = colors[i]
		bars.LineStyle.Width = 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(contestants)-1)/2)
		p.Add(bars)
		p.Legend.Add(name, bars)
	}
	names := make([]string, len(figures))
	for i, m := range figures {
		names[i] = m.name
	}
	p.NominalX(names...)
	p.X.Tick.Label.Rotation = 0.3
	p.X.Tick.Label.XAlign = -0.9
	scale(p, figures)
	each := max(width*vg.Length(len(contestants)+2), legend/2)
	p.X.Min = -0.5
	p.X.Max = float64(len(figures)) - 0.5 + float64(legend/each)
	return p.Save(each*vg.Length(len(figures))+legend+4*vg.Centimeter, 12*vg.Centimeter, file)
}

// contestantsOf returns all contestants that have a value, in the order of the
// figures.
func contestantsOf(figures []measured) []string {
	var names []string
	for _, m := range figures {
		for _, c := range m.rivals {
			if m.rounds[c.name] != nil && !slices.Contains(names, c.name) {
				names = append(names, c.name)
			}
		}
	}
	return names
}

func valuesOf(figures []measured, name string) plotter.Values {
	values := make(plotter.Values, len(figures))
	for i, m := range figures {
		if v := m.column(name, 0); v != nil {
			values[i] = estimate(v).mid
		}
	}
	return values
}

// scale makes the axis logarithmic if the smallest bar would not be visible.
func scale(p *plot.Plot, figures []measured) {
	least, most := math.Inf(1), 0.0
	for _, m := range figures {
		for name := range m.rounds {
			if v := estimate(m.column(name, 0)).mid; v > 0 {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	if most < 20*least || most == 0 {
		return
	}
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(least/2))) // the smallest bar must be visible too
	p.Y.Max = 2 * most
	p.Y.Scale = fromLeast{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
}

// fromLeast is a logarithmic scale on which a bar begins at the least value
// instead of at 0, which has no logarithm.
type fromLeast struct{}

func (fromLeast) Normalize(least, most, x float64) float64 {
	return plot.LogScale{}.Normalize(least, most, max(x, least))
}
