package evmeter

import "time"

// current returns the call whose own code runs now: the innermost one, unless it is in a nested
// Run. It returns nil if the loop works or sleeps.
func (m *Meter) current() *call {
	n := len(m.running)
	if n == 0 || len(m.entered) > 0 && m.entered[len(m.entered)-1] == n {
		return nil
	}
	return &m.running[n-1]
}

// spend counts the time until now for the call whose code has run. It is called before another
// call or a Run begins inside it, when it ends, and when a reader looks. A reader may have read
// the clock before a later event.
func (m *Meter) spend(now time.Time) {
	c := m.current()
	if c == nil || !now.After(c.spent) {
		return
	}
	s := c.source
	s.Self += now.Sub(c.spent)
	if s.detail != nil {
		for n, d := range m.history.split(c.spent, now) {
			s.detail.second(n).busy += uint32(d)
		}
	}
	c.spent = now
}

// goOn is called when a call or a Run has ended: the code of the call around it goes on.
func (m *Meter) goOn(at time.Time) {
	if c := m.current(); c != nil {
		c.spent = at
	}
}

// observeCalls counts the call in progress: it may be the slowest of all, and its end may never
// come.
func (m *Meter) observeCalls(now time.Time) {
	if m.stop == nil {
		return
	}
	m.spend(now)
	if n := len(m.running); n > 0 {
		m.history.lasting(m.running[n-1], now)
	}
}

// add counts a call that has ended at the time at, in second n.
func (s *source) add(at time.Time, n int64, took time.Duration) {
	s.Calls++
	s.Total += took
	s.Max = max(s.Max, took)
	s.Last = at
	if s.detail != nil {
		s.detail.took.add(took)
		u := s.detail.second(n)
		u.calls++
		u.slowest = max(u.slowest, took)
	}
}

// lasted notes that a call had run for d at the end of second n.
func (s *source) lasted(n int64, d time.Duration) {
	if s.detail != nil {
		u := s.detail.second(n)
		u.slowest = max(u.slowest, d)
	}
}
