package evmeter_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
	"github.com/goevlib/ev/evmeter"
)

// The cost of a callback that is not measured, measured, and recorded: the one watcher of a
// loop sends to itself.
func BenchmarkCallback(b *testing.B) {
	for _, bench := range []struct {
		name string
		look func(*ev.Loop)
	}{
		{"alone", func(*ev.Loop) {}},
		{"measured", func(l *ev.Loop) { evmeter.On(l) }},
		{"recorded", func(l *ev.Loop) { evflight.Start(l, 10_000) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l, err := ev.New()
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			bench.look(l)
			n := 0
			a := ev.NewAsync(l, func(a *ev.Async) {
				if n++; n == b.N {
					l.Stop()
					return
				}
				a.Send()
			}, ev.Name("busy"))
			a.Start()
			a.Send()
			b.ReportAllocs()
			b.ResetTimer()
			if err := l.Run(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// The cost of an Inspect for its caller and, all parts together, for the loop, when each
// watcher has a name of its own.
func BenchmarkInspect(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n, " names"), func(b *testing.B) {
			l := running(b, func(l *ev.Loop) { sleepers(l, n) })
			took := 0.0
			for b.Loop() {
				took += float64(inspect(b, l).Took.Microseconds())
			}
			parts := float64(max(1, n/evmeter.PartSize))
			b.ReportMetric(took/float64(b.N)/parts, "loop-µs/part")
		})
	}
}
