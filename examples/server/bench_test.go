package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// BenchmarkWhileSomebodyLooks compares the throughput of a server whose page is refreshed each
// second, as by a browser, with that of a server without a viewer. The two take turns, each with a
// loop of its own: after a look, a loop is measured for some minutes. The metric is the median of
// the ratios: 0.95 is 5 % less throughput. Take some pairs:
//
//	go test -run xxx -bench Looks -benchtime 15x
func BenchmarkWhileSomebodyLooks(b *testing.B) {
	var ratios []float64
	for b.Loop() {
		turns := [2]bool{false, true}
		if len(ratios)%2 == 1 { // the second one may be faster or slower
			turns = [2]bool{true, false}
		}
		rates := make(map[bool]float64)
		for _, look := range turns {
			rates[look] = throughput(b, look)
		}
		ratios = append(ratios, rates[true]/rates[false])
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(ratios[len(ratios)/4], "lower-quartile")
	b.ReportMetric(ratios[len(ratios)*3/4], "upper-quartile")
}

// throughput returns the requests per second of a server of its own.
func throughput(b *testing.B, look bool) float64 {
	loop, err := ev.New()
	require.NoError(b, err)
	defer loop.Close()
	s, err := newServer(loop, "127.0.0.1:0", filepath.Join(b.TempDir(), "access.log"))
	require.NoError(b, err)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var others sync.WaitGroup
	if look {
		others.Go(func() { viewer(ctx, fmt.Sprintf("%s/debug/ev/%d", s.url(), loop.ID())) })
	}
	var seen loaded
	ev.Go(loop, func() (loaded, error) { return drive(ctx, s.url()) }, func(l loaded, err error) {
		seen, s.err = l, err
		s.drain()
	})
	require.NoError(b, s.run())
	others.Wait()
	return float64(seen.latency.n) / seen.took.Seconds()
}

// viewer requests the page each second.
func viewer(ctx context.Context, page string) {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for tick := time.NewTicker(time.Second); ; {
		_, _ = get(transport, page) // the last time, the server may have gone
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}
