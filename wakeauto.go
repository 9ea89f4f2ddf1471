package ev

import (
	"runtime"
	"time"

	"go.uber.org/atomic"
)

// wakePolicy chooses how senders wake a parked loop, and when the loop yields
// before it parks, so that no wake-up is needed.
//
// A write is best while a processor is idle and polls for it. While all of them are
// busy, the runtime polls every 10 ms, and a write is up to that late; a goroutine
// that is made ready directly is not. So in WakeAuto a sender stamps its write, and
// the loop measures how late the write was. It goes through these strategies:
//
//	wakeFD              until a write was late.
//	wakeDirect          for a while: 100 ms, or twice as long as the last time.
//	wakeFDWithDeadline  for as long again: a write, and a deadline that ends the
//	                    park if the write does not. Then wakeFD; or wakeDirect, if
//	                    a write was late.
//
// So a process that becomes busy costs one late write. While it stays busy, or is
// busy now and then, one write in a while is late, by lateWrite.
//
// A loop whose iterations are short, their waits included, is hot: it exchanges
// messages with another goroutine. If it is woken directly, it runs where the
// sender ran, as soon as the sender waits for the answer. Before a hot loop parks,
// it lingers: it yields twice, and the other goroutine finds it awake.
type wakePolicy struct {
	mode     Wakeup
	strategy atomic.Uint32 // of the park in progress
	written  atomic.Uint32 // WakeAuto: when the last write was made, in micros; 0 is none

	yield func() // runtime.Gosched, but in tests; immutable

	// Used on the loop's goroutine.
	usual uint32        // the strategy while the loop is not hot
	span  time.Duration // how long writes are avoided; 0 while they are not late
	until time.Duration // when the next strategy begins
	hot   bool          // the last iteration was a short one
	skips int           // how often not to linger, since that was in vain …
	most  int           // … and the value that skips started from
}

const (
	wakeFD = iota
	wakeDirect
	wakeFDWithDeadline
)

const (
	lateWrite    = 500 * time.Microsecond
	minAvoiding  = 100 * time.Millisecond
	maxAvoiding  = 16 * time.Second
	hotIteration = 50 * time.Microsecond
	yields       = 2
	maxSkips     = 64
)

func (w *wakePolicy) init(mode Wakeup, canWakeByFD bool) {
	w.mode, w.yield = mode, runtime.Gosched
	if mode == WakeDirect || !canWakeByFD {
		w.mode = WakeDirect
		w.strategy.Store(wakeDirect)
	}
}

// choose is called before each park.
func (w *wakePolicy) choose(now time.Duration) {
	if w.mode != WakeAuto {
		return
	}
	if w.span != 0 && now >= w.until {
		w.next(now)
	}
	strategy := w.usual
	if w.hot {
		strategy = wakeDirect
	}
	if w.strategy.Load() != strategy {
		w.strategy.Store(strategy)
	}
}

// next goes on to the next strategy: no write was late.
func (w *wakePolicy) next(now time.Duration) {
	if w.usual == wakeDirect {
		w.usual, w.until = wakeFDWithDeadline, now+w.span
	} else {
		w.usual, w.span = wakeFD, 0
	}
}

// judge takes note of how late a write was.
func (w *wakePolicy) judge(late, now time.Duration) {
	if late < lateWrite {
		return
	}
	w.span = max(minAvoiding, min(2*w.span, maxAvoiding))
	w.usual, w.until = wakeDirect, now+w.span
}

// linger is called when there is nothing to do. It reports whether there is now.
// In an idle process a yield costs more than it does in the loop: the runtime wakes
// another thread, which looks for work. So the loop lingers ever more rarely while
// that is in vain.
func (l *Loop) linger() bool {
	w := &l.wakePolicy
	if !w.hot || w.mode != WakeAuto || w.span != 0 {
		return false // the process is busy: all others would come first
	}
	if w.skips > 0 {
		w.skips--
		return false
	}
	for range yields {
		w.yield()
		if !l.requests.empty() {
			w.most = 0
			return true
		}
	}
	w.most = min(2*w.most+1, maxSkips)
	w.skips = w.most
	return false
}
