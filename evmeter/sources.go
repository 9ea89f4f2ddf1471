package evmeter

import (
	"time"

	"github.com/goevlib/ev"
)

// Source is what callbacks have in common that come from watchers of one kind,
// name and priority with one function: a thousand connections are one Source.
type Source struct {
	Kind     string        `json:"kind"`     // as ev.Callback.Kind
	Name     string        `json:"name"`     // as ev.Callback.Name
	Position string        `json:"position"` // as ev.Callback.Position
	Priority int           `json:"priority"`
	Calls    uint64        `json:"calls"`    // that have ended
	Total    time.Duration `json:"total_ns"` // spent in them
	Max      time.Duration `json:"max_ns"`   // the longest
	Last     time.Time     `json:"last"`     // when the last one ended
}

func (s *Source) add(at time.Time, took time.Duration) {
	s.Calls++
	s.Total += took
	s.Max = max(s.Max, took)
	s.Last = at
}

// key is the same for callbacks of the same Source.
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

// MaxSources is how many Sources a Meter keeps apart; a program may name each of
// its connections otherwise. What comes after is counted in one of Kind "others".
const MaxSources = 1000

// sources are those that were called. The texts of each, which cost most of a
// microsecond, are made once.
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
