package evdebug

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
	"github.com/goevlib/ev/evmeter"
)

// preset is how long a trace is without ?seconds.
const preset = 5 * time.Second

// The number of events that a trace keeps. It has room for half as many again as the loop had
// lately; an event takes about 100 bytes, and 200 in the answer.
const (
	minEvents = 10_000
	maxEvents = 200_000
)

// recordings has the loops that are being recorded, so that requests do not add up.
type recordings struct {
	mu  sync.Mutex
	ids map[uint64]bool
}

func (r *recordings) begin(l *ev.Loop) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[l.ID()] {
		return false
	}
	if r.ids == nil {
		r.ids = make(map[uint64]bool)
	}
	r.ids[l.ID()] = true
	return true
}

func (r *recordings) end(l *ev.Loop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, l.ID())
}

// trace records one loop for some seconds and answers with the trace of evflight.
func (h *handler) trace(w http.ResponseWriter, r *http.Request) {
	span, loops, ok := h.span(w, r, preset, maxTrace)
	switch {
	case !ok:
		return
	case r.URL.Query().Get("loop") == "":
		http.Error(w, "evdebug: say which loop, as in trace?loop=1&seconds=5", http.StatusBadRequest)
		return
	}
	l := loops[0]
	name := fmt.Sprintf("ev-loop-%d-%s.json", l.ID(), time.Now().Format("20060102-150405"))
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "application/json")
		return
	}
	if !h.recordings.begin(l) {
		w.Header().Del("Content-Disposition")
		http.Error(w, "evdebug: this loop is being recorded; try again in some seconds", http.StatusTooManyRequests)
		return
	}
	defer h.recordings.end(l)
	recorder := evflight.Start(l, events(l, span))
	defer recorder.Stop()
	if !sleep(w, r, span) {
		return
	}
	recorder.Stop()
	var body bytes.Buffer
	_ = evflight.Write(&body, recorder) // a bytes.Buffer has no errors
	write(w, r, http.StatusOK, "application/json", body.Bytes())
}

func events(l *ev.Loop, span time.Duration) int {
	lately := lately(evmeter.On(l).Read())
	each := lately.Callbacks + lately.Parks
	return min(max(int(1.5*each*span.Seconds()), minEvents), maxEvents)
}
