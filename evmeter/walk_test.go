package evmeter

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

// The bound on what one look may cost a loop at a time: a part handles PartSize
// watchers, however many there are and however they are named.
func TestEachPartHandlesPartSizeWatchersAtMost(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	started := 0
	for _, n := range []int{0, 1, PartSize - 1, PartSize, PartSize + 1, 10*PartSize + 7, 100_000} {
		for ; started < n; started++ {
			ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint(started))).Start()
		}
		w, parts, seen := walk{loop: l}, 0, 0
		for ; !w.at.Done; parts++ {
			w.part()
			require.LessOrEqual(t, len(w.found), PartSize)
			seen += len(w.found)
		}
		assert.Equal(t, n, seen)
		assert.LessOrEqual(t, parts, n/PartSize+1)
	}
}

// What one part costs the loop: the bound is a millisecond. Those that
// take longest are the machine's: the metric leaves out one in ten.
func BenchmarkPart(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n, " names"), func(b *testing.B) {
			l, err := ev.New()
			require.NoError(b, err)
			defer l.Close()
			for i := range n {
				ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint("connection ", i))).Start()
			}
			w := walk{loop: l, found: make([]found, 0, PartSize)}
			took := newHistogram()
			for b.Loop() {
				if w.at.Done {
					w.at = look.Cursor{}
				}
				began := time.Now()
				w.part()
				took.add(time.Since(began))
			}
			b.ReportMetric(float64(took.Quantile(0.9).Microseconds()), "µs-p90")
		})
	}
}
