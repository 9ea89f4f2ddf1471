package evmeter_test

import (
	"context"
	"testing"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
	"github.com/goevlib/ev/evmeter"
)

// What a callback costs while nobody looks, while it is measured, and while it is
// recorded: a loop whose one watcher sends itself.
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
