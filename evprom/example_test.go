package evprom_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evprom"
)

// A program serves the metrics of its loops and is scraped.
func Example() {
	registry := prometheus.NewRegistry() // or prometheus.MustRegister, for the default one
	registry.MustRegister(evprom.NewCollector())
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()

	loop, err := ev.New(ev.WithName("main"))
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	scrapeText(server.URL) // measuring begins
	for range 3 {
		ev.NewTimer(loop, 0, 0, func(*ev.Timer) {}, ev.Name("flush")).Start()
	}
	if err := loop.Run(context.Background()); err != nil {
		panic(err)
	}
	for line := range strings.Lines(scrapeText(server.URL)) {
		if strings.HasPrefix(line, "ev_callback_calls_total") || strings.HasPrefix(line, "ev_loop_callbacks_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// ev_callback_calls_total{kind="Timer",loop="main",watcher="flush"} 3
	// ev_loop_callbacks_total{loop="main"} 3
}

func scrapeText(url string) string {
	response, err := http.Get(url)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	return string(text)
}
