// Package evdebug shows the event loops of a process in a browser: how busy each
// is, which callbacks take long, how late its timers run, and why it is still
// alive.
//
//	http.Handle("/debug/ev/", evdebug.Handler())
//
// It finds the loops by itself (ev.Loops). A loop is measured from the first look
// on, by package evmeter, until nobody has looked for some minutes; before that the
// handler costs nothing. Of a loop that hangs in a callback it tells in which, and
// for how long, if it was looked at before; else it shows the stack. Neither needs
// the loop's help.
//
// What keeps a loop alive only the loop can tell. While somebody looks at its page
// it is asked for that once per second (evmeter.Inspect): a parked loop wakes for
// it. The list asks the loops that are awake whether they answer, and nothing else.
// Neither question is a callback, or keeps a Run going. A loop that nobody runs is
// not asked.
//
// The page refreshes itself once per second, and is a plain page of tables where
// there is no JavaScript. Programs get the same as JSON, from the same address,
// with ?format=json or the header "Accept: application/json". All links are
// relative: mount it where you like, with or without http.StripPrefix, at a path
// that ends in a slash.
//
// The pages tell the names of watchers and where in the source their callbacks
// are, and of a loop that does not answer the stack of its goroutine: who may see
// /debug/pprof/ may see this, and nobody else. They change nothing.
package evdebug

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/goevlib/ev"
)

//go:embed style.css script.js
var assets embed.FS

// Handler returns the handler of the pages. It answers GET and HEAD. Handlers of
// one process share what evmeter measures; one is enough.
func Handler() http.Handler { return &handler{} }

type handler struct {
	ask  asker
	draw plots
}

// policy has the browser load nothing but what is served here.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP goes by the last element of the path only, so that it does not have
// to know where it is mounted.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "evdebug: only GET and HEAD are served", http.StatusMethodNotAllowed)
		return
	}
	switch _, last := path.Split(r.URL.Path); last {
	case "":
		h.list(w, r)
	case "style.css", "script.js":
		http.ServeFileFS(w, r, assets, last)
	default:
		h.one(w, r, last)
	}
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	loops := ev.Loops()
	h.ask.keep(loops)
	s := h.survey(loops)
	if wantsJSON(r) {
		respondJSON(w, r, http.StatusOK, s)
		return
	}
	respond(w, r, http.StatusOK, "list.html", s)
}

func (h *handler) one(w http.ResponseWriter, r *http.Request, id string) {
	loops := ev.Loops()
	h.ask.keep(loops)
	l := find(loops, id)
	if l == nil {
		h.missing(w, r, id)
		return
	}
	report := h.examine(l)
	if wantsJSON(r) {
		respondJSON(w, r, http.StatusOK, report)
		return
	}
	page, err := h.show(report)
	if err != nil {
		http.Error(w, "evdebug: "+err.Error(), http.StatusInternalServerError)
		return
	}
	respond(w, r, http.StatusOK, "loop.html", page)
}

func find(loops []*ev.Loop, id string) *ev.Loop {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil
	}
	for _, l := range loops {
		if l.ID() == n {
			return l
		}
	}
	return nil
}

// missing is the answer for a loop that was closed since its link was made, and
// for whatever else is not there.
func (h *handler) missing(w http.ResponseWriter, r *http.Request, id string) {
	why := fmt.Sprintf("there is no page %q", id)
	if _, err := strconv.ParseUint(id, 10, 64); err == nil {
		why = fmt.Sprintf("there is no loop %s: it was closed, or never made", id)
	}
	if wantsJSON(r) {
		respondJSON(w, r, http.StatusNotFound, map[string]string{"error": why})
		return
	}
	respond(w, r, http.StatusNotFound, "missing.html", why)
}

func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func respondJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, "evdebug: "+err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, r, status, "application/json", append(body, '\n'))
}

func write(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Vary", "Accept")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // it fails when the client has gone
	}
}
