package evdebug

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// profile answers with the time in callbacks and steps of tasks, in the format of
// github.com/google/pprof. It covers the time since measuring began or, with ?seconds=5, the next
// five seconds; all loops or, with ?loop=1, one.
func (h *handler) profile(w http.ResponseWriter, r *http.Request) {
	span, loops, ok := h.span(w, r, 0, maxProfile)
	if !ok {
		return
	}
	var before map[uint64]evmeter.Reading
	if r.Method == http.MethodHead {
		span = 0
	}
	if span > 0 {
		before = readAll(loops)
		if !sleep(w, r, span) {
			return
		}
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(profileOf(before, readAll(loops), span)) // a bytes.Buffer has no errors
	_ = z.Close()
	w.Header().Set("Content-Disposition", `attachment; filename="ev-profile.pb.gz"`)
	write(w, r, http.StatusOK, "application/octet-stream", body.Bytes())
}

// The longest times for which a request may collect.
const (
	maxProfile = 10 * time.Minute
	maxTrace   = time.Minute
)

// span reads the parameters "seconds" and "loop". It answers the request itself if they make no
// sense.
func (h *handler) span(w http.ResponseWriter, r *http.Request, preset, most time.Duration) (time.Duration, []*ev.Loop, bool) {
	span, loops, query := preset, ev.Loops(), r.URL.Query()
	if s := query.Get("seconds"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || time.Duration(n) > most/time.Second {
			http.Error(w, "evdebug: seconds must be a number from 1 to "+strconv.Itoa(int(most/time.Second)), http.StatusBadRequest)
			return 0, nil, false
		}
		span = time.Duration(n) * time.Second
	}
	if id := query.Get("loop"); id != "" {
		l := find(loops, id)
		if l == nil {
			http.Error(w, "evdebug: there is no loop "+strconv.Quote(clip(id))+": it was closed, or never made", http.StatusNotFound)
			return 0, nil, false
		}
		loops = []*ev.Loop{l}
	}
	return span, loops, true
}

// sleep reports whether the client waits until the time is over.
func sleep(w http.ResponseWriter, r *http.Request, span time.Duration) bool {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(span + time.Minute)) // not all writers can
	over := time.NewTimer(span)
	defer over.Stop()
	select {
	case <-over.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func readAll(loops []*ev.Loop) map[uint64]evmeter.Reading {
	all := make(map[uint64]evmeter.Reading)
	for _, l := range loops {
		r := clipped(evmeter.On(l).Read())
		r.Name = clip(l.String())
		all[r.ID] = r
	}
	return all
}

// profileOf writes the difference of the readings. Each sample has a stack of three: the function,
// the watcher, and the loop. Time that a loop was busy outside of callbacks has one of two.
func profileOf(before, after map[uint64]evmeter.Reading, span time.Duration) []byte {
	p := newPprof()
	var observed time.Duration
	for id, r := range after {
		was := before[id]
		known := make(map[int]evmeter.Source)
		for _, s := range was.Sources {
			known[s.ID] = s
		}
		rest := r.Busy - was.Busy
		for _, s := range r.Sources {
			b := known[s.ID]
			rest -= s.Self - b.Self
			p.source(r.Name, s, int64(s.Calls-b.Calls), s.Self-b.Self)
		}
		p.sample([]uint64{p.location("(the loop itself)", "", 0), p.location("loop "+r.Name, "", 0)}, 0, rest,
			[2]string{"loop", r.Name})
		observed = max(observed, r.Observed)
	}
	if span > 0 {
		observed = span
	}
	return p.finish(time.Now().Add(-observed), observed)
}

func (p *pprof) source(loop string, s evmeter.Source, calls int64, self time.Duration) {
	file, line := s.Position, 0
	if i := strings.LastIndexByte(file, ':'); i > 0 {
		if n, err := strconv.Atoi(file[i+1:]); err == nil {
			file, line = file[:i], n
		}
	}
	if line == 0 {
		file = ""
	}
	watcher := s.Kind
	if s.Name != "" {
		watcher += " " + s.Name
	}
	function := s.Function
	if function == "" {
		function = watcher
	}
	p.sample([]uint64{p.location(function, file, line), p.location(watcher, "", 0), p.location("loop "+loop, "", 0)}, calls, self,
		[2]string{"loop", loop}, [2]string{"kind", s.Kind}, [2]string{"watcher", s.Name}, [2]string{"priority", strconv.Itoa(s.Priority)})
}

// pprof is a profile, as perftools.profiles.Profile in github.com/google/pprof/proto/profile.proto.
type pprof struct {
	message
	texts     map[string]int64
	table     []string
	locations map[codePlace]uint64
}

type codePlace struct {
	function, file string
	line           int
}

func newPprof() *pprof {
	p := &pprof{texts: map[string]int64{"": 0}, table: []string{""}, locations: make(map[codePlace]uint64)}
	p.bytes(1, p.valueType("calls", "count")) // sample_type
	p.bytes(1, p.valueType("time", "nanoseconds"))
	return p
}

func (p *pprof) text(s string) int64 {
	n, ok := p.texts[s]
	if !ok {
		n = int64(len(p.table))
		p.texts[s], p.table = n, append(p.table, s)
	}
	return n
}

func (p *pprof) valueType(kind, unit string) (m message) {
	m.number(1, p.text(kind))
	m.number(2, p.text(unit))
	return m
}

// location returns the number of a location, and writes it with its function if it is new.
func (p *pprof) location(function, file string, line int) uint64 {
	key := codePlace{function, file, line}
	if id, ok := p.locations[key]; ok {
		return id
	}
	id := uint64(len(p.locations) + 1)
	p.locations[key] = id
	var at, l, f message
	at.number(1, int64(id))
	at.number(2, int64(line))
	l.number(1, int64(id))
	l.bytes(4, at)
	p.bytes(4, l)
	f.number(1, int64(id))
	f.number(2, p.text(function))
	f.number(4, p.text(file))
	f.number(5, int64(line))
	p.bytes(5, f)
	return id
}

// sample writes a sample with time, the innermost location first.
func (p *pprof) sample(stack []uint64, calls int64, self time.Duration, labels ...[2]string) {
	if calls <= 0 && self <= 0 {
		return
	}
	var m, ids message
	for _, id := range stack {
		ids.varint(id)
	}
	m.bytes(1, ids)
	m.numbers(2, max(calls, 0), int64(max(self, 0)))
	for _, label := range labels {
		var l message
		l.number(1, p.text(label[0]))
		l.number(2, p.text(label[1]))
		m.bytes(3, l)
	}
	p.bytes(2, m)
}

func (p *pprof) finish(began time.Time, span time.Duration) []byte {
	period, preset := p.valueType("time", "nanoseconds"), p.text("time")
	for _, s := range p.table {
		p.bytes(6, []byte(s))
	}
	p.number(9, began.UnixNano())
	p.number(10, int64(span))
	p.bytes(11, period)
	p.number(12, 1)
	p.number(14, preset)
	return p.message
}
