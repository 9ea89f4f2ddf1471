package evdebug

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/evmeter"
)

// readingOf returns a reading with two watchers, of which the second was called first in the last
// second.
func readingOf(seconds int) (evmeter.Reading, map[int]evmeter.Detail) {
	r := evmeter.Reading{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	details := make(map[int]evmeter.Detail)
	var uses []evmeter.Use
	for i := range seconds {
		began := r.At.Add(time.Duration(i-seconds) * time.Second)
		r.History = append(r.History, evmeter.Second{Began: began, Busy: time.Second / 2, Slowest: time.Duration(i), Callbacks: math.MaxUint64})
		uses = append(uses, evmeter.Use{Began: began, Busy: time.Second / 4, Slowest: time.Duration(i)})
	}
	if seconds > 0 {
		r.Sources = []evmeter.Source{
			{ID: 1, Kind: "Timer", Name: `<"one">`, Recent: time.Minute, RecentMax: time.Second},
			{ID: 2, Kind: "Post", Position: "/src/app/file.go:12", Recent: time.Second, RecentMax: time.Second},
			{ID: 3, Kind: "Post", Name: "long ago"},
		}
		details[1] = evmeter.Detail{History: uses}
		details[2] = evmeter.Detail{History: uses[seconds-1:]}
	}
	r.Wakeup = evmeter.Histogram{Fine: make([]uint64, 94)}
	r.Callback = evmeter.Histogram{Fine: make([]uint64, 94), Count: 1_000_011, Max: time.Minute}
	r.Callback.Fine[20], r.Callback.Fine[40], r.Callback.Fine[93] = 1_000_000, 10, 1
	return r, details
}

func TestDrawingsAreXMLThatTheStyleSheetColours(t *testing.T) {
	for _, seconds := range []int{0, 1, 2, 179} {
		r, details := readingOf(seconds)
		all := figuresOf(r, details)
		assert.Len(t, all, 10)
		for _, f := range all {
			svg := string(f.Drawing())
			d := xml.NewDecoder(strings.NewReader(svg))
			for {
				_, err := d.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err, f.Title)
			}
			assert.NotContains(t, svg, "style=")
			assert.NotContains(t, svg, "NaN")
			numbers, err := f.Numbers()
			require.NoError(t, err)
			assert.True(t, json.Valid([]byte(numbers)), "%s %s", f.Title, numbers)
			if f.Unit != "bars" {
				assert.Equal(t, len(f.Lines)*window-strings.Count(numbers, "null"), numbersIn(t, numbers))
			}
		}
	}
}

func numbersIn(t *testing.T, numbers string) (n int) {
	t.Helper()
	var rows [][]*float64
	require.NoError(t, json.Unmarshal([]byte(numbers), &rows))
	for _, row := range rows {
		assert.Len(t, row, window)
		for _, v := range row {
			if v != nil {
				n++
			}
		}
	}
	return n
}

func TestTheTimeOfASecondIsDividedAmongTheWatchers(t *testing.T) {
	r, details := readingOf(3)
	f := figuresOf(r, details)[0]
	require.Len(t, f.Lines, 3)
	last := func(l line) []float64 { return l.Values[window-4:] }
	for i, want := range [][]float64{{25, 25, 25}, {0, 0, 25}, {25, 25, 0}} {
		got := last(f.Lines[i])
		assert.True(t, math.IsNaN(got[0]), "not measured")
		assert.Equal(t, want, got[1:])
	}
	assert.Equal(t, []string{`<"one">`, "Post file.go:12", "everything else"}, []string{f.Lines[0].Name, f.Lines[1].Name, f.Lines[2].Name})
	assert.Equal(t, []float64{50, 50, 50}, f.sums()[2][window-3:])
	assert.InDelta(t, 50.0, f.Top, 1e-9)
	assert.Equal(t, r.History[2].Began.UnixMilli(), f.Times[window-1])
	assert.Equal(t, time.Second.Milliseconds(), f.Times[1]-f.Times[0])
}

// One call among a million is seen.
func TestAHistogramIsLogarithmicAndLeavesOutEmptyEnds(t *testing.T) {
	r, _ := readingOf(0)
	f := histogramOf("x", r.Callback)
	bounds := r.Callback.FineBounds()
	assert.LessOrEqual(t, f.Bars[0].From, bounds[19])
	assert.Greater(t, f.Bars[0].From, bounds[15])
	last := f.Bars[len(f.Bars)-1]
	assert.EqualValues(t, 1, last.Count)
	assert.Equal(t, "more than 8.39 s: 1", last.String())
	assert.InDelta(t, 1.0, last.height(), 1e-9)
	assert.InDelta(t, 7.0, f.Top, 1e-9)
	total := uint64(0)
	for _, b := range f.Bars {
		total += b.Count
	}
	assert.Equal(t, r.Callback.Count, total)
	assert.Contains(t, f.Drawing(), "<title>more than 8.39 s: 1</title>")
	assert.Len(t, histogramOf("x", r.Wakeup).Bars, 12, "nothing was counted")
	assert.Empty(t, histogramOf("x", evmeter.Histogram{}).Bars)
}

func TestTheAxisGoesToOneTwoOrFive(t *testing.T) {
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 2: 2, 3: 5, 5.5: 10, 99: 100, 1e6: 1e6, 6e7: 1e8, 0.3: 0.5} {
		assert.InEpsilon(t, want, ceiling(v), 1e-9, "%v", v)
	}
}

func BenchmarkDraw(b *testing.B) {
	r, details := readingOf(179)
	for b.Loop() {
		for _, f := range figuresOf(r, details) {
			f.Drawing()
			_, err := f.Numbers()
			require.NoError(b, err)
		}
	}
}
