package ev

import (
	"time"

	"go.uber.org/atomic"
)

// This file is the wake-up protocol: how any goroutine makes a parked loop look at
// its requests. There is no system call unless the loop is parked, at most one per
// park, and no request is ever missed.
//
//	a sender                              the loop
//	1. publish the request                a. parked := 1
//	2. parked?          no: done          b. a request? then parked := 0, go on
//	3. claim: CAS(parked, 1, 0)           c. sleep until woken or due
//	   failed: done                       d. parked := 0
//	4. wake the loop                      e. collect the requests
//
// All of these are atomic operations, hence in one order. If 1 comes before b, the
// loop sees the request. Else a comes before 2, and the sender finds the loop
// parked, unless another sender has claimed it and will wake it, or the loop is at d
// already and collects next. Either way the request is collected.
//
// One claim succeeds per park, so there is one wake per park. A slow claimant can
// wake the loop while it runs, or in a later park: that is a spurious wake-up. The
// loop finds nothing to do then, and parks again.
//
// Step a must not come before the moment from which a wake cannot be missed. The
// poller knows that moment, and calls commit then.

// wakeState is the state of the protocol. Senders write requests.head,
// parked and wakePolicy.woken.
type wakeState struct {
	requests   requests
	parked     atomic.Uint32
	wakePolicy wakePolicy
	exposed    atomic.Uint32 // 1: PollFD was called
	commitFunc func() bool   // Loop.commit as a value: a park does not allocate; immutable
}

// commit is steps a and b. It reports whether the poller may sleep.
func (l *Loop) commit() bool {
	l.counters.parks.Inc()
	l.parked.Store(1)
	if !l.asked() {
		return true
	}
	l.parked.Store(0)
	return false
}

// asked reports whether another goroutine wants anything of the loop. Whoever wakes the loop
// has made that visible here before.
func (l *Loop) asked() bool {
	return !l.requests.empty() || l.stopped.Load() != 0 || l.closed.Load() != 0 || l.recalled.Load() != 0
}

// wake is steps 2 to 4. It is safe for concurrent use. (Async.Send does step 2
// itself first: while the loop is busy, that saves the call.)
func (l *Loop) wake() {
	if l.claim() {
		l.finishWake()
	}
}

func (l *Loop) claim() bool { return l.parked.Load() != 0 && l.parked.CompareAndSwap(1, 0) }

// finishWake is step 4. In WakeAuto the stamp comes before the wake, because the loop
// that is woken must find it. The deadline for a late write comes before the write too.
func (l *Loop) finishWake() {
	l.noteClaim()
	w := &l.wakePolicy
	if l.exposed.Load() != 0 { // only a write makes its descriptor readable
		l.counters.fdWrites.Inc()
		l.poller.wakeByFD()
		return
	}
	if w.mode == WakeAuto {
		w.woken.Store(l.nanos())
	}
	if w.strategy.Load() == wakeDirect {
		l.counters.directWakes.Inc()
		l.poller.wakeByDeadline()
		return
	}
	if w.mode == WakeAuto {
		l.poller.wakeWithin(time.Duration(w.limit.Load()))
	}
	l.counters.fdWrites.Inc()
	l.poller.wakeByFD()
}

// wakeNow is wake for a goroutine that waits for the loop. It makes no write, because
// a write may be late.
func (l *Loop) wakeNow() {
	if l.claim() {
		l.noteClaim()
		l.counters.directWakes.Inc()
	} // else a sender has claimed it, and its write may be late too
	l.poller.wakeByDeadline()
}

// park is steps a to d. It returns when another goroutine asks for something, when until
// has come, which is a time since base, or, if files is set, when a descriptor is ready.
func (l *Loop) park(until time.Duration, files bool) {
	l.wanted = l.iteration
	l.publish() // before beforeWait, after which other goroutines may use the loop
	l.tidy()
	if l.more {
		l.lookLater()
	}
	o, notified := l.observers.Load(), []*Observer(nil)
	if o != nil {
		notified = l.notifyPark(o)
	}
	now := l.mono
	l.beforeWait()
	l.sleep(now, until, files)
	l.afterWait()
	if o != nil {
		l.notifyUnpark(o, notified)
	}
}

// sleep is park without the user's functions. It goes on after a spurious wake-up, so that
// RunOnce does not return for one. In a nested Run it does not go on: the wake-up may come
// from a stop of the outer Run, for which an inner RunOnce returns.
func (l *Loop) sleep(now, until time.Duration, files bool) {
	w := &l.wakePolicy
	for {
		w.choose()
		w.woken.Store(0) // a stamp that belongs to an earlier park
		l.poller.park(now, until, files, l.commitFunc)
		l.parked.Store(0)
		if l.asked() || l.poller.found() || l.depth > 1 {
			break
		}
		if now = time.Since(l.base); now >= until {
			break
		}
	}
	if woken := w.woken.Load(); woken != 0 {
		w.woken.Store(0)
		w.judge(time.Duration(l.nanos() - woken))
	}
}

// nanos is the time in nanoseconds, never 0. It wraps after four seconds; differences
// stay right.
func (l *Loop) nanos() uint32 { return uint32(time.Since(l.base)) | 1 }
