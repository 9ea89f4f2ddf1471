package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// counters is the state: how far each sender has counted.
type counters map[string]int

func (c counters) total() (n int) {
	for _, count := range c {
		n += count
	}
	return n
}

// runStore serves counters over HTTP. POST /{name} increments one, GET /
// returns a consistent snapshot of all. It stands for any database that does
// not report changes to its readers.
func runStore(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("cluster store", flag.ContinueOnError)
	address := f.String("listen", "127.0.0.1:0", "the `address` to serve at")
	if err := parse(f, args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newStore(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := say(out, report{URL: "http://" + listener.Addr().String()}); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newStore() http.Handler {
	var mu sync.Mutex
	all := make(counters)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		all[r.PathValue("name")]++
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now := maps.Clone(all)
		mu.Unlock()
		_ = json.NewEncoder(w).Encode(now) // a reader that went away
	})
	return mux
}

// storeClient is a client of the store. It is safe for concurrent use.
type storeClient struct {
	url  string
	http *http.Client
}

func newStoreClient(url string, goroutines int) storeClient {
	return storeClient{url, &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: goroutines},
		Timeout:   10 * time.Second,
	}}
}

// count increments a counter. The store has the new value when count returns,
// so a wake-up may follow.
func (c storeClient) count(ctx context.Context, name string) error {
	_, err := c.do(ctx, http.MethodPost, "/"+name)
	return err
}

func (c storeClient) read(ctx context.Context) (counters, error) {
	body, err := c.do(ctx, http.MethodGet, "/")
	if err != nil {
		return nil, err
	}
	var all counters
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("the store at %s: %w", c.url, err)
	}
	return all, nil
}

func (c storeClient) do(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s%s: %s", method, c.url, path, response.Status)
	}
	return body, err
}
