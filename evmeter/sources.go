package evmeter

import (
	"time"

	"github.com/goevlib/ev"
)

// Source has the totals of all watchers with the same kind, name, priority and function. A
// thousand connections are one Source.
type Source struct {
	Kind     string        `json:"kind"`     // as ev.Callback.Kind
	Name     string        `json:"name"`     // as ev.Callback.Name
	Position string        `json:"position"` // as ev.Callback.Position
	Priority int           `json:"priority"`
	Calls    uint64        `json:"calls"`    // calls that have ended
	Total    time.Duration `json:"total_ns"` // time spent in them
	Max      time.Duration `json:"max_ns"`   // the longest of them
	Last     time.Time     `json:"last"`     // when the last of them ended
}

func (s *Source) add(at time.Time, took time.Duration) {
	s.Calls++
	s.Total += took
	s.Max = max(s.Max, took)
	s.Last = at
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
	known  map[key]*Source
	others *Source
}

func (s *sources) of(c ev.Callback) *Source {
	k := keyOf(c)
	if source := s.known[k]; source != nil {
		return source
	}
	if len(s.known) >= MaxSources {
		if s.others == nil {
			s.others = &Source{Kind: "others"}
		}
		return s.others
	}
	source := &Source{Kind: c.Kind(), Name: c.Name(), Position: c.Position(), Priority: k.priority}
	if s.known == nil {
		s.known = make(map[key]*Source)
	}
	s.known[k] = source
	return source
}

func (s *sources) list() []Source {
	all := make([]Source, 0, len(s.known)+1)
	for _, source := range s.known {
		all = append(all, *source)
	}
	if s.others != nil {
		all = append(all, *s.others)
	}
	return all
}
