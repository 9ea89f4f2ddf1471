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

// record is what the loop gets to know of a request. It is sent by value: once
// sent, it is the loop's.
type record struct {
	route   string // one of the few that handlers know
	start   time.Time
	took    time.Duration
	remote  string
	request string // the request line, as the client wrote it
	status  int
	size    int64
}

// handlers answers requests, on net/http's goroutines. It must not touch the
// ledger but by Call.
type handlers struct {
	mux     http.ServeMux
	routes  map[string]string // from the mux's pattern to what it is counted as
	loop    *ev.Loop
	records *ev.Queue[record]
	ledger  *ledger

	// Held by each request while it is under way. It guards no data.
	gate sync.RWMutex
}

// otherRoute is what everything unknown is counted as: clients that make up
// paths must not make the ledger grow.
const otherRoute = "other"

func newHandlers(loop *ev.Loop, records *ev.Queue[record], l *ledger) *handlers {
	h := &handlers{loop: loop, records: records, ledger: l, routes: make(map[string]string)}
	h.handle("GET /{$}", "/", index)
	h.handle("GET /hello", "/hello", hello)
	h.handle("GET /work", "/work", work)
	h.handle("GET /stats", "/stats", h.stats)
	h.handle("/debug/ev/", "/debug/ev/", evdebug.Handler().ServeHTTP) // tells much: the server listens to this machine only
	return h
}

func (h *handlers) handle(pattern, route string, fn http.HandlerFunc) {
	h.mux.HandleFunc(pattern, fn)
	h.routes[pattern] = route
}

// ServeHTTP has a request answered and tells the loop of it. Send does not wait
// for the loop, however busy that is.
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

// close waits for the requests under way and turns away any others. Shutdown
// almost sees to both. But when a request comes on an idle connection at the
// moment that Shutdown closes that, Shutdown may return and then the handler
// begin (https://github.com/golang/go/issues/65802).
func (h *handlers) close() { h.gate.Lock() }

func index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `This server keeps its statistics on an event loop. Look at
  /hello?name=you  a greeting
  /work?ms=5       an answer that takes its time
  /stats           what was asked so far, and how fast the answers were
  /debug/ev/       what the loop does
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
	case <-r.Context().Done(): // the client has gone
	}
}

// stats asks the loop, which answers between two callbacks. The snapshot is a
// copy: it can be encoded here, on this goroutine, while the loop goes on.
func (h *handlers) stats(w http.ResponseWriter, r *http.Request) {
	s, err := ev.Call(r.Context(), h.loop, func() (snapshot, error) { return h.ledger.snapshot(), nil })
	if err != nil { // the client has gone, or the loop
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.Loop = h.loop.Stats() // may be called anywhere
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(s) // it fails when the client has gone
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

// response notes what the handler answers.
type response struct {
	http.ResponseWriter
	status int
	size   int64
}

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // 1xx are not the answer yet
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
