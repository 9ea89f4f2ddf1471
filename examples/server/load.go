package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// clients is the number of clients. Each keeps a connection.
const clients = 16

// mix has the requests that a client makes in turn, and the expected status.
var mix = []struct {
	path   string
	status int
}{
	{"/hello?name=gopher", 200}, {"/", 200}, {"/hello", 200}, {"/work?ms=1", 200},
	{"/hello?name=libev", 200}, {"/", 200}, {"/nowhere", 404}, {"/stats", 200},
}

// load makes requests to a server.
type load struct {
	url  string
	rate int    // requests per second by all clients together; 0 is as many as the server answers
	mark string // in each request line, to tell them from the requests of others in the log
}

func newLoad(url string, rate int) load { return load{url: url, rate: rate, mark: rand.Text()} }

// address returns the URL for a path of the mix.
func (l load) address(path string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return l.url + path + separator + "load=" + l.mark
}

// loaded is the result of a load.
type loaded struct {
	latency histogram
	took    time.Duration
}

// drive makes as many requests as the server answers, until ctx is done.
func drive(ctx context.Context, url string) (loaded, error) { return newLoad(url, 0).drive(ctx) }

// drive makes requests until ctx is done. It completes the requests in progress then, so that both
// sides count the same.
func (l load) drive(ctx context.Context) (loaded, error) {
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
		waiting.Go(func() { errs[i] = l.client(ctx, transport, i, &each[i]) })
	}
	waiting.Wait()
	all.took = time.Since(start)
	for i := range each {
		all.latency.merge(&each[i])
	}
	return all, errors.Join(errs[:]...)
}

func (l load) client(ctx context.Context, t http.RoundTripper, turn int, latency *histogram) error {
	for pace := newPace(l.rate, turn); pace.wait(ctx); {
		ask := mix[turn%len(mix)]
		turn++
		start := time.Now()
		status, err := get(t, l.address(ask.path))
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

// pace limits a client to its share of the rate.
type pace struct {
	each time.Duration // the time between two requests; 0 is no limit
	next time.Time
}

// newPace makes the clients begin one after the other.
func newPace(rate, client int) *pace {
	if rate == 0 {
		return new(pace)
	}
	each := clients * time.Second / time.Duration(rate)
	return &pace{each, time.Now().Add(each * time.Duration(client) / clients)}
}

// wait waits for the time of the next request, and reports whether to make it. It does not make up
// for requests that were missed during a slow answer.
func (p *pace) wait(ctx context.Context) bool {
	if p.each == 0 {
		return ctx.Err() == nil
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := time.NewTimer(p.next.Sub(now))
	defer due.Stop()
	p.next = p.next.Add(p.each)
	select {
	case <-due.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
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
