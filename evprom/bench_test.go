package evprom_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evprom"
)

// The cost of a scrape for its caller, by the number of the loop's watchers.
func BenchmarkScrape(b *testing.B) {
	for _, watchers := range []int{1, evprom.MaxWatchers} {
		b.Run(fmt.Sprint(watchers, " watchers"), func(b *testing.B) {
			l, err := ev.New()
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			registry := prometheus.NewRegistry()
			registry.MustRegister(evprom.NewCollector())
			scrape := func() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
			scrape()
			for i := range watchers {
				ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint(i))).Start()
			}
			if err := l.Run(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				scrape()
			}
		})
	}
}
