package evmeter

import (
	"runtime"
	"strings"
	"time"

	"github.com/goevlib/ev"
)

// Source has the totals of all watchers with the same kind, name, priority and function. A
// thousand connections are one Source.
type Source struct {
	ID       int           `json:"id"`       // for Meter.Detail; 0 for Kind "others"
	Kind     string        `json:"kind"`     // as ev.Callback.Kind
	Name     string        `json:"name"`     // as ev.Callback.Name
	Position string        `json:"position"` // as ev.Callback.Position
	Function string        `json:"function"` // its name, such as "main.(*ledger).tick"
	Priority int           `json:"priority"`
	Calls    uint64        `json:"calls"`    // calls that have ended
	Total    time.Duration `json:"total_ns"` // time spent in them
	Max      time.Duration `json:"max_ns"`   // the longest of them
	Last     time.Time     `json:"last"`     // when the last of them ended

	// Self is the time spent in all calls, those in progress included. It excludes the
	// callbacks and Runs nested in them.
	Self time.Duration `json:"self_ns"`
	// Recent is the part of Self in the last Window, and RecentMax the longest call of it. Both
	// are 0 if Meter.Detail has no History.
	Recent    time.Duration `json:"recent_ns"`
	RecentMax time.Duration `json:"recent_max_ns"`
}

// source is a Source that still counts.
type source struct {
	Source
	detail *detail // nil for most, if there are many
}

// key is equal for callbacks of the same Source.
type key struct {
	callback ev.CallbackKey
	priority int
}

func keyOf(c ev.Callback) key {
	k := key{callback: c.Key()}
	if c.Watcher != nil {
		k.priority = c.Watcher.Priority()
	}
	return k
}

// MaxSources is the number of Sources that a Meter keeps apart: a program may give each of
// its connections a name of its own. Later Sources are counted in one of Kind "others".
const MaxSources = 1000

// sources has the Sources that were called. The texts of each are made once: they cost most
// of a microsecond.
type sources struct {
	known  map[key]*source
	all    []*source // Source n is at index n-1
	others *source
}

func (s *sources) of(c ev.Callback, at time.Time) *source {
	k := keyOf(c)
	if known := s.known[k]; known != nil {
		return known
	}
	if len(s.known) >= MaxSources {
		if s.others == nil {
			s.others = &source{Source{Kind: "others"}, newDetail(at)}
		}
		return s.others
	}
	added := &source{Source: Source{
		ID: len(s.all) + 1, Kind: c.Kind(), Name: c.Name(), Position: c.Position(), Function: functionOf(c), Priority: k.priority,
	}}
	if len(s.all) < detailsMin {
		added.detail = newDetail(at)
	}
	if s.known == nil {
		s.known = make(map[key]*source)
	}
	s.known[k], s.all = added, append(s.all, added)
	return added
}

func functionOf(c ev.Callback) string {
	f := runtime.FuncForPC(c.PC())
	if f == nil {
		return "unknown"
	}
	return strings.TrimSuffix(f.Name(), "-fm")
}

// byID returns nil if there is no such Source.
func (s *sources) byID(id int) *source {
	switch {
	case id == 0:
		return s.others
	case id < 0 || id > len(s.all):
		return nil
	}
	return s.all[id-1]
}

// list returns copies, with the recent figures of the seconds since first.
func (s *sources) list(first int64) []Source {
	all := make([]Source, 0, len(s.all)+1)
	add := func(of *source) {
		copied := of.Source
		if of.detail != nil {
			copied.Recent, copied.RecentMax = of.detail.recent(first)
		}
		all = append(all, copied)
	}
	for _, of := range s.all {
		add(of)
	}
	if s.others != nil {
		add(s.others)
	}
	return all
}
