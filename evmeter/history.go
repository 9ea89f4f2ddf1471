package evmeter

import "time"

// Window is the length of a Reading's History.
const Window = 3 * time.Minute

const seconds = int64(Window / time.Second)

// Second has the figures of one second.
type Second struct {
	Began      time.Time     `json:"began"`
	Busy       time.Duration `json:"busy_ns"`
	Iterations uint64        `json:"iterations"`
	Parks      uint64        `json:"parks"` // times that the loop went to sleep
	Callbacks  uint64        `json:"callbacks"`
	Slowest    time.Duration `json:"slowest_ns"` // the longest callback; one in progress counts until the end of the second
	Lag        time.Duration `json:"lag_ns"`     // the latest timer
	Wakeup     time.Duration `json:"wakeup_ns"`  // the latest wake-up
}

func (s *Second) callback(d time.Duration) {
	s.Callbacks++
	s.Slowest = max(s.Slowest, d)
}

func (s *Second) lag(d time.Duration)    { s.Lag = max(s.Lag, d) }
func (s *Second) wakeup(d time.Duration) { s.Wakeup = max(s.Wakeup, d) }

// history is a ring. Second n after epoch, by the monotonic clock, is at index n modulo its
// length.
type history struct {
	epoch time.Time
	ring  [seconds]Second
}

func (h *history) number(t time.Time) int64 { return int64(t.Sub(h.epoch) / time.Second) }
func (h *history) began(n int64) time.Time  { return h.epoch.Add(time.Duration(n) * time.Second) }
func (h *history) at(t time.Time) *Second   { return h.second(h.number(t)) }

// second returns second n. It is empty if nothing has happened in it yet.
func (h *history) second(n int64) *Second {
	s := &h.ring[n%seconds]
	if began := h.began(n); !s.Began.Equal(began) {
		*s = Second{Began: began}
	}
	return s
}

// busy divides the time between from and to among its seconds.
func (h *history) busy(from, to time.Time) {
	if oldest := to.Add(-Window); from.Before(oldest) {
		from = oldest
	}
	for from.Before(to) {
		end := h.began(h.number(from) + 1)
		if end.After(to) {
			end = to
		}
		h.at(from).Busy += end.Sub(from)
		from = end
	}
}

// lasting notes, in each second that has ended since c began, how long c had run at the end
// of that second. A callback that called Run did not hold up the loop all that time. It
// counts in the second in which it ends.
func (h *history) lasting(c call, now time.Time) {
	if c.modal {
		return
	}
	for n := max(h.number(c.began), h.number(now)-seconds+1); n < h.number(now); n++ {
		s := h.second(n)
		s.Slowest = max(s.Slowest, h.began(n+1).Sub(c.began))
	}
}

// last returns the seconds from since to now, the oldest first. It includes seconds in which
// nothing happened. It excludes the second of now, which is not over.
func (h *history) last(since, now time.Time) []Second {
	n := h.number(now)
	all := []Second{} // not null in JSON
	for i := max(h.number(since), n-seconds+1); i < n; i++ {
		all = append(all, *h.second(i))
	}
	return all
}
