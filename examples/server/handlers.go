package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
)

// record describes a request for the loop. It is sent by value, and belongs to the loop then.
type record struct {
	route   string // a key of the ledger; there are few
	start   time.Time
	took    time.Duration
	remote  string
	request string // the request line, as the client wrote it
	status  int
	size    int64
}

// handlers answers requests, on net/http's goroutines. It must use the ledger only by Call.
type handlers struct {
	mux     http.ServeMux
	routes  map[string]string // from the mux's pattern to the route of the record
	loop    *ev.Loop
	records *ev.Queue[record]
	ledger  *ledger

	// Each request in progress holds a read lock. It guards no data.
	gate sync.RWMutex
}

// otherRoute is the route of unknown paths: clients that invent paths must not make the ledger
// grow.
const otherRoute = "other"

func newHandlers(loop *ev.Loop, records *ev.Queue[record], l *ledger) *handlers {
	h := &handlers{loop: loop, records: records, ledger: l, routes: make(map[string]string)}
	h.handle("GET /{$}", "/", index)
	h.handle("GET /hello", "/hello", hello)
	h.handle("GET /work", "/work", work)
	h.handle("GET /stats", "/stats", h.stats)
	h.handle("/debug/ev/", "/debug/ev/", evdebug.Handler().ServeHTTP) // it shows internals: by default the server listens on this machine only
	return h
}

func (h *handlers) handle(pattern, route string, fn http.HandlerFunc) {
	h.mux.HandleFunc(pattern, fn)
	h.routes[pattern] = route
}

// ServeHTTP answers a request and sends a record of it to the loop. Send never waits for the loop.
func (h *handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.gate.TryRLock() {
		http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer h.gate.RUnlock()
	start, answer := time.Now(), &response{ResponseWriter: w}
	defer func() {
		err := h.records.Send(record{
			route:   cmp.Or(h.routes[r.Pattern], otherRoute), // the mux has set the pattern
			start:   start,
			took:    time.Since(start),
			remote:  host(r.RemoteAddr),
			request: r.Method + " " + r.RequestURI + " " + r.Proto,
			status:  cmp.Or(answer.status, http.StatusOK),
			size:    answer.size,
		})
		if err != nil { // only after a second signal
			complain(fmt.Errorf("record lost: %w", err))
		}
	}()
	h.mux.ServeHTTP(answer, r)
}

// close waits for the requests in progress and refuses all others. Shutdown almost does both. But
// if a request arrives on an idle connection while Shutdown closes that connection, its handler may
// begin after Shutdown has returned (https://github.com/golang/go/issues/65802).
func (h *handlers) close() { h.gate.Lock() }

func index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `This server keeps its statistics on an event loop. Look at
  /hello?name=you  a greeting
  /work?ms=5       an answer that takes its time
  /stats           the requests so far, and how fast the answers were
  /debug/ev/       the page of the event loop
`)
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hello, %s!\n", cmp.Or(r.FormValue("name"), "world"))
}

const maxWork = 2000 // milliseconds

func work(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(cmp.Or(r.FormValue("ms"), "5"))
	if err != nil || ms < 0 || ms > maxWork {
		http.Error(w, fmt.Sprintf("ms must be a number from 0 to %d", maxWork), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		fmt.Fprintf(w, "worked for %d ms\n", ms)
	case <-r.Context().Done(): // the client is gone
	}
}

// stats gets a snapshot from the loop, between two of its callbacks. The snapshot is a copy. It is
// encoded on this goroutine while the loop goes on.
func (h *handlers) stats(w http.ResponseWriter, r *http.Request) {
	s, err := ev.Call(r.Context(), h.loop, func() (snapshot, error) { return h.ledger.snapshot(), nil })
	if err != nil { // the client is gone, or the loop is closed
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.Loop = h.loop.Stats() // safe for concurrent use
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(s) // it fails if the client is gone
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

// response records the status and size of an answer.
type response struct {
	http.ResponseWriter
	status int
	size   int64
}

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // 1xx are not the final status
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	r.status = cmp.Or(r.status, http.StatusOK)
	n, err := r.ResponseWriter.Write(p)
	r.size += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
