// Package evdebug shows the event loops of a process in a browser: how busy each loop is, which
// callbacks take long, how late its timers run, and what keeps it alive.
//
//	http.Handle("/debug/ev/", evdebug.Handler())
//
// The handler finds the loops itself (ev.Loops). All links are relative. Mount it at any path that
// ends in a slash, with or without http.StripPrefix. The page refreshes itself once per second.
//
// The page works without JavaScript, too. The scripts add the values at the pointer and the zoom of
// the charts, which uPlot draws (MIT licence, in the folder uplot).
//
// The name of a watcher leads to its page, which has a histogram of its calls. The page of a loop
// lists its tasks, with the call in which each waits, the time and the line of code. The name of a
// task leads to its stack.
//
// # For programs
//
// Programs get the same data as JSON from the same address, with ?format=json or the header
// "Accept: application/json". Two more addresses return files:
//
//	profile?seconds=5       the time in callbacks and tasks, for "go tool pprof"
//	trace?loop=1&seconds=5  the callbacks of the next seconds, as evflight records them
//
// Without seconds, the profile covers the time since measuring began. With loop=1 it is the profile
// of one loop. One trace of a loop is recorded at a time, of a minute at most.
//
// # Loops that hang
//
// For a loop that hangs in a callback, the page shows the callback and how long it has run, if the
// loop was measured before. Otherwise it shows the stack of the loop's goroutine. Neither needs
// the loop's help.
//
// # Security
//
// The pages change nothing. They show the names of watchers, the source positions of callbacks,
// and stacks, and so do the profile and the trace. Give access to the same people who may see
// /debug/pprof/, and to nobody else.
//
// # Cost
//
// The handler costs nothing until a page is requested. Package evmeter then measures the loops
// until no page was requested for some minutes.
//
// While the page of a loop is open, the loop is asked once per second for its active watchers
// and tasks (evmeter.Inspect). A parked loop wakes for that. The list of loops asks only loops
// that are awake, and only whether they answer. These questions are not callbacks and do not
// keep Run going. A loop that is not in Run is not asked.
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

//go:embed style.css script.js charts.js
//go:embed uplot/uPlot.iife.min.js uplot/uPlot.min.css uplot/LICENSE
var embedded embed.FS

// assets has the files by the last element of their address.
var assets = map[string]string{
	"style.css": "style.css", "script.js": "script.js", "charts.js": "charts.js",
	"uPlot.iife.min.js": "uplot/uPlot.iife.min.js", "uPlot.min.css": "uplot/uPlot.min.css", "uPlot-LICENSE": "uplot/LICENSE",
}

// Handler returns the handler of the pages. It answers GET and HEAD. One handler per process is
// enough. Several handlers share the measurements of evmeter.
func Handler() http.Handler { return &handler{} }

type handler struct {
	ask        asker
	recordings recordings
}

// policy makes the browser load only what this handler serves.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP uses only the last element of the path: it need not know where it is mounted.
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
	case "profile":
		h.profile(w, r)
	case "trace":
		h.trace(w, r)
	default:
		if file := assets[last]; file != "" {
			http.ServeFileFS(w, r, embedded, file)
			return
		}
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
	respond(w, r, http.StatusOK, "list.html", showList(s, r))
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
	if task := r.URL.Query().Get("task"); task != "" {
		report.Asked = h.askTask(r.Context(), report, task)
	}
	if watcher := r.URL.Query().Get("watcher"); watcher != "" {
		if report.Watcher = detailOf(l, watcher); report.Watcher == nil {
			h.absent(w, r, fmt.Sprintf("there is no watcher %q of loop %s", clip(watcher), id))
			return
		}
	}
	if wantsJSON(r) {
		respondJSON(w, r, http.StatusOK, report)
		return
	}
	if report.Watcher != nil {
		respond(w, r, http.StatusOK, "watcher.html", showWatcher(report, r))
		return
	}
	respond(w, r, http.StatusOK, "loop.html", show(report, r))
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

// missing answers for a loop that was closed since its link was made, and for other unknown paths.
func (h *handler) missing(w http.ResponseWriter, r *http.Request, id string) {
	why := fmt.Sprintf("there is no page %q", id)
	if _, err := strconv.ParseUint(id, 10, 64); err == nil {
		why = fmt.Sprintf("there is no loop %s: it was closed, or never made", id)
	} else if !strings.HasSuffix(r.Pattern, "/") {
		why += fmt.Sprintf(". If the handler is mounted at %q, mount it at %q: its path must end in a slash", r.URL.Path, r.URL.Path+"/")
	}
	h.absent(w, r, why)
}

// absent answers with status 404.
func (h *handler) absent(w http.ResponseWriter, r *http.Request, why string) {
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
		_, _ = w.Write(body) // it fails if the client is gone
	}
}
