package evmeter

import "time"

// Detail has the figures of one Source over time.
type Detail struct {
	Source Source `json:"source"`

	// Since is when Took and History began. It is zero if the Meter does not keep them: of many
	// Sources, it does so for the hundred that took longest, and for the slowest calls.
	Since   time.Time `json:"since,omitzero"`
	Took    Histogram `json:"took"`    // durations of calls
	History []Use     `json:"history"` // the last seconds that are over, the oldest first
}

// Use has the figures of one Source in one second.
type Use struct {
	Began   time.Time     `json:"began"`
	Calls   uint64        `json:"calls"`      // calls that ended
	Busy    time.Duration `json:"busy_ns"`    // in calls; without the callbacks and Runs nested in them
	Slowest time.Duration `json:"slowest_ns"` // the longest call; one in progress counts as in Second
}

// Detail returns the figures of the Source with this ID over time, and whether there is one. It
// is safe for concurrent use. It does not wait for the loop, and does not resume measuring.
func (m *Meter) Detail(id int) (d Detail, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.observeCalls(now)
	s := m.sources.byID(id)
	if s == nil {
		return Detail{}, false
	}
	d.Source = s.Source
	d.History = []Use{} // not null in JSON
	if s.detail == nil {
		d.Took = new(counter).histogram()
		return d, true
	}
	first := m.history.first(m.since, now)
	d.Source.Recent, d.Source.RecentMax = s.detail.recent(first)
	d.Since, d.Took = s.detail.since, s.detail.took.histogram()
	first = max(first, m.history.number(d.Since))
	for n := first; n < m.history.number(now); n++ {
		u := s.detail.look(n)
		d.History = append(d.History, Use{m.history.began(n), uint64(u.calls), time.Duration(u.busy), u.slowest})
	}
	return d, true
}

// detail counts the calls of one Source over time. It takes 3.7 kB of memory.
type detail struct {
	since time.Time
	took  counter
	ring  [seconds]use // second n is at index n modulo its length
	last  int64        // the latest second of the ring; the seconds before it are cleared or counted
}

type use struct {
	slowest time.Duration
	busy    uint32 // nanoseconds of one second
	calls   uint32
}

func newDetail(at time.Time) *detail { return &detail{since: at, last: -1} }

// second returns second n, which must be of the last Window.
func (d *detail) second(n int64) *use {
	for first := max(d.last+1, n-seconds+1); first <= n; first++ {
		d.ring[first%seconds] = use{}
	}
	d.last = max(d.last, n)
	return &d.ring[n%seconds]
}

// look returns the figures of second n.
func (d *detail) look(n int64) use {
	if n > d.last || n <= d.last-seconds {
		return use{}
	}
	return d.ring[n%seconds]
}

func (d *detail) recent(first int64) (busy, slowest time.Duration) {
	for n := max(first, d.last-seconds+1, 0); n <= d.last; n++ {
		u := &d.ring[n%seconds]
		busy += time.Duration(u.busy)
		slowest = max(slowest, u.slowest)
	}
	return busy, slowest
}

// A Meter keeps the details of the first detailsMin Sources. If there are more, Read gives details
// to the detailsMin that took longest, and keeps the details of the detailsMax that took longest.
// The difference keeps two Sources from taking turns.
const (
	detailsMin = 100
	detailsMax = 2 * detailsMin
)

// favour chooses the Sources whose details are kept. The longest Total comes first.
func (m *Meter) favour(sorted []Source, now time.Time) {
	if len(sorted) <= detailsMin {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	slow := make(map[*source]bool, SlowestKept)
	for _, c := range m.slowest {
		slow[c.source] = true
	}
	for i, copied := range sorted {
		s := m.sources.byID(copied.ID)
		switch {
		case s.detail == nil && i < detailsMin:
			s.detail = newDetail(now)
		case i >= detailsMax && !slow[s] && s != m.sources.others:
			s.detail = nil
		}
	}
}
