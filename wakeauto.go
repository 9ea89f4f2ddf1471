package ev

import (
	"runtime"
	"time"

	"go.uber.org/atomic"
)

// how a sender wakes the loop, and how the loop spares it that.
//
// A write is best while a processor is idle to poll for it. With all of them
// busy the runtime polls every 10 ms, and a write is that late; readying the
// goroutine directly is not. So in WakeAuto a sender stamps its write, the loop
// finds out how late it was, and goes through these ways:
//
//	byWrite     until a write was late.
//	directly    for a while: 100 ms, or twice as long as the last time.
//	insured     for as long again: by write, and with a deadline that ends the
//	            park if the write does not. Then byWrite; or, when one was late,
//	            directly.
//
// So a process that turns busy costs one late write, and while it is, or is now
// and then, a write is lateWrite late once in a while.
//
// A loop whose iterations are short, their waits included, is hot: it answers a
// goroutine that answers it. Readied directly, it runs where the sender ran, as
// soon as that waits for the answer; and it lingers before it parks, which is to
// yield twice: the other runs, and finds the loop awake.
type how struct {
	mode    Wakeup
	way     atomic.Uint32 // of the park in progress
	written atomic.Uint32 // WakeAuto: when the last write was made, in micros; 0 is none

	yield func() // runtime.Gosched, but in tests; immutable

	// The loop goroutine's.
	usual uint32        // the way while the loop is not hot
	span  time.Duration // how long writes are avoided; 0 while they are not late
	until time.Duration // when to go on to the next way
	hot   bool          // the last iteration was a short one
	skips int           // how often not to linger, because it was in vain …
	most  int           // … and how often that was to be
}

const (
	byWrite = iota
	directly
	insured
)

const (
	lateWrite    = 500 * time.Microsecond
	minAvoiding  = 100 * time.Millisecond
	maxAvoiding  = 16 * time.Second
	hotIteration = 50 * time.Microsecond
	yields       = 2
	maxSkips     = 64
)

func (h *how) init(mode Wakeup, canWakeByFD bool) {
	h.mode, h.yield = mode, runtime.Gosched
	if mode == WakeDirect || !canWakeByFD {
		h.mode = WakeDirect
		h.way.Store(directly)
	}
}

// choose is called before each park.
func (h *how) choose(now time.Duration) {
	if h.mode != WakeAuto {
		return
	}
	if h.span != 0 && now >= h.until {
		h.next(now)
	}
	way := h.usual
	if h.hot {
		way = directly
	}
	if h.way.Load() != way {
		h.way.Store(way)
	}
}

// next takes the way after this one: no write was late.
func (h *how) next(now time.Duration) {
	if h.usual == directly {
		h.usual, h.until = insured, now+h.span
	} else {
		h.usual, h.span = byWrite, 0
	}
}

// judge learns from a write how late it was.
func (h *how) judge(late, now time.Duration) {
	if late < lateWrite {
		return
	}
	h.span = max(minAvoiding, min(2*h.span, maxAvoiding))
	h.usual, h.until = directly, now+h.span
}

// linger is called when there is nothing to do. It reports whether there is now.
// To yield where it is in vain would cost an idle process more than it does the
// loop: another thread is woken to look for work. So it is tried ever more
// rarely then.
func (l *Loop) linger() bool {
	h := &l.how
	if !h.hot || h.mode != WakeAuto || h.span != 0 {
		return false // the process is busy: all others would come first
	}
	if h.skips > 0 {
		h.skips--
		return false
	}
	for range yields {
		h.yield()
		if !l.requests.empty() {
			h.most = 0
			return true
		}
	}
	h.most = min(2*h.most+1, maxSkips)
	h.skips = h.most
	return false
}
