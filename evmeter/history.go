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
	epoch   time.Time
	ring    [seconds]Second
	numbers [seconds]int64 // of the seconds in the ring, plus one; 0 if there was none yet
}

func (h *history) number(t time.Time) int64 { return int64(t.Sub(h.epoch) / time.Second) }
func (h *history) began(n int64) time.Time  { return h.epoch.Add(time.Duration(n) * time.Second) }
func (h *history) at(t time.Time) *Second   { return h.second(h.number(t)) }

// second returns second n. It is empty if nothing has happened in it yet.
func (h *history) second(n int64) *Second {
	s := &h.ring[n%seconds]
	if h.numbers[n%seconds] != n+1 {
		h.numbers[n%seconds], *s = n+1, Second{Began: h.began(n)}
	}
	return s
}

// busy divides the time between from and to among its seconds.
func (h *history) busy(from, to time.Time) {
	for n, d := range h.split(from, to) {
		h.second(n).Busy += d
	}
}

// split yields the seconds between from and to, and how much of each lies between them. It leaves
// out the seconds that the ring does not have any more.
func (h *history) split(from, to time.Time) func(yield func(n int64, d time.Duration) bool) {
	return func(yield func(n int64, d time.Duration) bool) {
		at, last := from.Sub(h.epoch), to.Sub(h.epoch)
		at = max(at, (last/time.Second-time.Duration(seconds)+1)*time.Second)
		for at < last {
			n := at / time.Second
			end := min((n+1)*time.Second, last)
			if !yield(int64(n), end-at) {
				return
			}
			at = end
		}
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
		s, d := h.second(n), h.began(n+1).Sub(c.began)
		s.Slowest = max(s.Slowest, d)
		c.source.lasted(n, d)
	}
}

// first returns the first second that is shown, if measuring began or resumed at since.
func (h *history) first(since, now time.Time) int64 {
	return max(h.number(since), h.number(now)-seconds+1)
}

// last returns the seconds from since to now, the oldest first. It includes seconds in which
// nothing happened. It excludes the second of now, which is not over.
func (h *history) last(since, now time.Time) []Second {
	all := []Second{} // not null in JSON
	for i := h.first(since, now); i < h.number(now); i++ {
		all = append(all, *h.second(i))
	}
	return all
}
