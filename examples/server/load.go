package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// clients is how many make requests, each on a connection that it keeps.
const clients = 16

// mix is what they ask for in turn, and what the answer should be.
var mix = []struct {
	path   string
	status int
}{
	{"/hello?name=gopher", 200}, {"/", 200}, {"/hello", 200}, {"/work?ms=1", 200},
	{"/hello?name=libev", 200}, {"/", 200}, {"/nowhere", 404}, {"/stats", 200},
}

// loaded is what the clients saw.
type loaded struct {
	latency histogram
	took    time.Duration
}

// drive makes requests until ctx is done. Those under way then are completed, so
// that both sides count the same.
func drive(ctx context.Context, url string) (loaded, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	var (
		all     loaded
		each    [clients]histogram
		errs    [clients]error
		waiting sync.WaitGroup
		start   = time.Now()
	)
	for i := range clients {
		waiting.Go(func() { errs[i] = client(ctx, transport, url, i, &each[i]) })
	}
	waiting.Wait()
	all.took = time.Since(start)
	for i := range each {
		all.latency.merge(&each[i])
	}
	return all, errors.Join(errs[:]...)
}

func client(ctx context.Context, t http.RoundTripper, url string, turn int, latency *histogram) error {
	for ctx.Err() == nil {
		ask := mix[turn%len(mix)]
		turn++
		start := time.Now()
		status, err := get(t, url+ask.path)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		latency.add(time.Since(start))
		if status != ask.status {
			return fmt.Errorf("load: GET %s answered %d, not %d", ask.path, status, ask.status)
		}
	}
	return nil
}

func get(t http.RoundTripper, url string) (status int, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body) // to the end, or the connection cannot be kept
	return resp.StatusCode, err
}
