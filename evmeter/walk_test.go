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

// A part holds up the loop for PartSize watchers, however many watchers and names there are.
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

// The cost of one part for the loop. The bound is a millisecond. The metric leaves out the
// slowest tenth, in which the machine was busy.
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
			var took counter
			for b.Loop() {
				if w.at.Done {
					w.at = look.Cursor{}
				}
				began := time.Now()
				w.part()
				took.add(time.Since(began))
			}
			b.ReportMetric(float64(took.histogram().Quantile(0.9).Microseconds()), "µs-p90")
		})
	}
}

// The cost for the loop of showing the positions of as many tasks as one part shows.
func BenchmarkLocate(b *testing.B) {
	for _, n := range []int{tasksAtOnce, 100_000} {
		b.Run(fmt.Sprint(n, " tasks"), func(b *testing.B) {
			l, err := ev.New()
			require.NoError(b, err)
			defer l.Close()
			for range n {
				ev.Spawn(l, func(t *ev.Task) error { return t.Sleep(time.Hour) })
			}
			require.NoError(b, l.RunNoWait())
			w := walk{loop: l}
			w.part()
			all := tasks(w.tasks[:tasksAtOnce])
			var took counter
			for b.Loop() {
				err := all.locate(func(fn func()) error {
					began := time.Now()
					fn()
					took.add(time.Since(began))
					return nil
				})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(took.histogram().Quantile(0.9).Microseconds()), "µs-p90")
		})
	}
}
