package evmeter

import (
	"slices"
	"time"
)

// Call is one call of a callback.
type Call struct {
	Source Source        `json:"source"` // as it was when the Reading was made
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took_ns"` // until the Reading, for a call in progress
	Nested bool          `json:"nested"`  // it waits for a nested Run, in which the loop goes on
}

// call is a Call while its Source still counts.
type call struct {
	source *source
	began  time.Time
	took   time.Duration
	spent  time.Time // until when its own time is counted
	modal  bool      // it has called Run, in which the loop went on
}

func copyCalls(calls []call) []Call {
	all := make([]Call, len(calls))
	for i, c := range calls {
		all[i] = Call{Source: c.source.Source, Began: c.began, Took: c.took}
	}
	return all
}

// SlowestKept is the number of slowest calls that a Reading has at most.
const SlowestKept = 10

// rank puts the call among the slowest, if it is one of them. Their Sources have details.
func (m *Meter) rank(c call) {
	if len(m.slowest) == SlowestKept && c.took <= m.slowest[SlowestKept-1].took {
		return
	}
	i, _ := slices.BinarySearchFunc(m.slowest, c.took, func(c call, took time.Duration) int {
		if c.took >= took {
			return -1
		}
		return 1
	})
	m.slowest = slices.Insert(m.slowest, i, c)
	m.slowest = m.slowest[:min(len(m.slowest), SlowestKept)]
	if c.source.detail == nil {
		c.source.detail = newDetail(c.began)
	}
}
