package evdebug

import (
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

func histogram(counts ...uint64) evmeter.Histogram {
	h := evmeter.Histogram{Counts: make([]uint64, 25)}
	copy(h.Counts, counts)
	return h
}

func reportOf(seconds int) report {
	var r report
	for i := range seconds {
		r.History = append(r.History, evmeter.Second{Busy: time.Second / 2, Slowest: time.Duration(i), Callbacks: math.MaxUint64})
	}
	r.Wakeup, r.Lag = histogram(1, 2, 3), histogram()
	r.At = time.Now()
	return r
}

func TestPlotsAreXMLThatTheStyleSheetColours(t *testing.T) {
	for _, seconds := range []int{0, 1, 2, 179} {
		all, err := drawAll(reportOf(seconds))
		require.NoError(t, err)
		assert.Len(t, all, 8)
		for _, p := range all {
			d := xml.NewDecoder(strings.NewReader(string(p.SVG)))
			for {
				_, err := d.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err, p.Title)
			}
			assert.NotContains(t, p.SVG, "style=")
			assert.NotContains(t, p.SVG, "rgb", "a colour that the style sheet does not know of")
			assert.Contains(t, p.SVG, "stroke-grid")
			assert.NotContains(t, p.SVG, "NaN")
		}
		assert.Equal(t, seconds > 0, strings.Contains(string(all[0].SVG), `class="stroke-data"`), "%d seconds", seconds)
	}
}

func TestAPlotIsDrawnOncePerSecondForAllViewers(t *testing.T) {
	var p plots
	r := reportOf(10)
	first, err := p.of(r)
	require.NoError(t, err)
	r.At = r.At.Add(999 * time.Millisecond)
	second, err := p.of(r)
	require.NoError(t, err)
	assert.Same(t, &first[0], &second[0])
	r.At = r.At.Add(time.Millisecond)
	third, err := p.of(r)
	require.NoError(t, err)
	assert.NotSame(t, &first[0], &third[0])
	r.ID, r.At = 2, r.At.Add(time.Hour)
	_, err = p.of(r)
	require.NoError(t, err)
	assert.Len(t, p.drawn, 1, "old plots are dropped")
}

func TestTheAxisGoesToOneTwoOrFive(t *testing.T) {
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 2: 2, 3: 5, 5.5: 10, 99: 100, 1e6: 1e6, 6e7: 1e8, 0.3: 0.5} {
		assert.InEpsilon(t, want, ceiling(v), 1e-9, "%v", v)
	}
}

func BenchmarkDraw(b *testing.B) {
	r := reportOf(179)
	for b.Loop() {
		_, err := drawAll(r)
		require.NoError(b, err)
	}
}
