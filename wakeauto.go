package ev

import (
	"runtime"
	"time"

	"go.uber.org/atomic"
)

// wakePolicy chooses how senders wake a parked loop, and when the loop yields
// before it parks, so that no wake-up is needed.
//
// A write is best while a processor is idle and polls for it, and the sender goes on
// computing. While all processors are busy, the runtime polls every 10 ms, and a write
// is up to that late; a goroutine that is made ready directly is not. No rule knows
// beforehand. So in WakeAuto senders stamp their wakes, and the loop measures how late
// they are, for each strategy:
//
//   - It takes the strategy that is less late in the mean, and a write only if that is
//     clear. One that was never tried is the better one.
//   - Now and then it tries the other one: the more rarely, the more that loses.
//   - A wake that is late by a millisecond says that no processor was idle, and nothing
//     about the strategies. A few direct ones follow, each of which may say so again.
//   - A deadline beside each write ends the park if the write does not. It is several
//     times the mean of the better strategy, so a try, or the first write in a process
//     that has become busy, costs little.
//
// A loop whose iterations are short, their waits included, is hot: it exchanges
// messages with another goroutine. Before a hot loop parks, it lingers: it yields
// twice, and the other goroutine finds it awake.
type wakePolicy struct {
	mode     Wakeup
	strategy atomic.Uint32 // of the park in progress
	limit    atomic.Uint32 // WakeAuto: when the deadline ends a park with a write, in nanoseconds
	woken    atomic.Uint32 // WakeAuto: when the last wake was made, in nanos; 0 is none

	yield func() // runtime.Gosched, but in tests; immutable

	// Used on the loop's goroutine.
	late   [2]time.Duration // how late wakes are in the mean, by strategy; 0: never tried
	better uint32           // the strategy that is less late
	busy   int              // for how many wakes no processor will be idle
	left   int              // how many wakes there are before the other is tried …
	every  int              // … and the value that left started from
	hot    bool             // the last iteration was a short one
	found  bool             // the last time, the loop yielded and found something to do
	skips  int              // how often not to linger, since that was in vain …
	most   int              // … and the value that skips started from
}

const (
	wakeWrite = iota
	wakeDirect
)

const (
	minLimit     = 10 * time.Microsecond
	outlier      = 3                // times the mean; what is later counts as so late
	limitFactor  = 4                // times the mean of the better strategy
	overload     = time.Millisecond // who wakes as late as that: no processor was idle
	overloaded   = 8                // wakes after that are direct
	maxApart     = 64               // between two tries of a strategy that is hardly later
	maxFarApart  = 4096             // between those of one that is
	hotIteration = 50 * time.Microsecond
	yields       = 2
	maxSkips     = 64
	slowSkips    = 1024
)

func (w *wakePolicy) init(mode Wakeup, canWakeByFD bool) {
	w.mode, w.yield = mode, runtime.Gosched
	w.limit.Store(uint32(minLimit))
	w.left, w.every = 1, 1
	if mode == WakeDirect || !canWakeByFD {
		w.mode = WakeDirect
		w.strategy.Store(wakeDirect)
	}
}

// choose is called before each park.
func (w *wakePolicy) choose() {
	if w.mode != WakeAuto {
		return
	}
	strategy := w.better
	switch {
	case w.busy > 0:
		strategy = wakeDirect
	case w.left == 0:
		strategy = 1 - w.better
	}
	if w.strategy.Load() != strategy {
		w.strategy.Store(strategy)
	}
}

// judge takes note of how late a wake was. A slow sender's may be of the strategy of
// another park: the mean forgets it.
func (w *wakePolicy) judge(late time.Duration) {
	tried := w.left == 0
	mean := &w.late[w.strategy.Load()]
	w.busy = max(w.busy-1, 0)
	if late >= overload {
		w.busy = overloaded
	}
	if late < overload || *mean == 0 {
		*mean = nextMean(*mean, min(late, overload), tried)
	}
	best, better := w.late[wakeWrite], uint32(wakeWrite)
	if direct := w.late[wakeDirect]; direct*3/4 < best {
		best, better = direct, wakeDirect
	}
	switch {
	case better != w.better:
		w.better, w.every, w.left = better, 1, 1
	case tried:
		w.every = nextTry(w.every, int(w.late[1-better]/max(best, 1)))
		w.left = w.every
	default:
		w.left--
	}
	w.limit.Store(uint32(max(limitFactor*best, minLimit)))
}

// nextMean returns a mean in which older values count ever less: those of before the
// last try are old.
func nextMean(mean, late time.Duration, tried bool) time.Duration {
	if mean == 0 {
		return max(late, 1)
	}
	off := min(late, outlier*mean) - mean
	if tried {
		return mean + off/2
	}
	return mean + off/8
}

// nextTry returns after how many wakes to try a strategy again that was tried after
// every, and is ratio times as late as the better one.
func nextTry(every, ratio int) int {
	if ratio < 2 {
		return min(2*every, maxApart)
	}
	return min(ratio*every, maxFarApart)
}

// linger is called when there is nothing to do. It reports whether there is now.
// In an idle process a yield costs more than it does in the loop: the runtime wakes
// another thread, which looks for work. So the loop lingers ever more rarely while
// that is in vain.
func (l *Loop) linger() bool {
	w := &l.wakePolicy
	if w.found && !w.hot { // the yields were long: the process is busy, and all others come first
		w.skips = slowSkips
	}
	w.found = false
	if !w.hot || w.mode != WakeAuto {
		return false
	}
	if w.skips > 0 {
		w.skips--
		return false
	}
	for range yields {
		w.yield()
		if !l.requests.empty() {
			w.most, w.found = 0, true
			return true
		}
	}
	w.most = min(2*w.most+1, maxSkips)
	w.skips = w.most
	return false
}
