package ev

import (
	"time"
)

// This file is the wake-up protocol: how any goroutine makes a parked loop look
// at its requests, with no system call unless it is parked, at most one per
// park, and no request ever missed.
//
//	a sender                              the loop
//	1. publish the request                a. parked := 1
//	2. parked?          no: done          b. a request? then parked := 0, go on
//	3. claim: CAS(parked, 1, 0)           c. sleep until woken or due
//	   failed: done                       d. parked := 0
//	4. wake the loop                      e. collect the requests
//
// All of these are atomics, hence in one order. If 1 comes before b, the loop
// sees the request. Else a comes before 2, and the sender finds the loop parked,
// unless another sender has claimed it, whose wake is on its way, or the loop is
// at d already and collects next. Either way the request is collected.
//
// One claim succeeds per park, so there is one wake per park. A claimant may be
// slow, and wake the loop when it is running or parked anew: that is a spurious
// wake-up, which finds nothing to do.
//
// Step a must come when a wake can be noticed already. The poller knows when
// that is, and calls commit then.

// commit is steps a and b. It reports whether the poller shall sleep.
func (l *Loop) commit() bool {
	l.counters.parks.Inc()
	l.parked.Store(1)
	if l.requests.empty() && l.stopped.Load() == 0 && l.closed.Load() == 0 && l.recalled.Load() == 0 {
		return true
	}
	l.parked.Store(0)
	return false
}

// wake is steps 2 to 4. Any goroutine may call it. (Async.Send takes step 2 by
// itself first, to spare a busy loop's senders the call.)
func (l *Loop) wake() {
	if l.claim() {
		l.finishWake()
	}
}

func (l *Loop) claim() bool { return l.parked.Load() != 0 && l.parked.CompareAndSwap(1, 0) }

// finishWake is step 4. In WakeAuto the stamp comes before the write: the loop that the
// write wakes must find it. The deadline that makes up for a late write comes before
// the write too.
func (l *Loop) finishWake() {
	l.noteClaim()
	strategy := l.wakePolicy.strategy.Load()
	if strategy == wakeDirect {
		l.counters.directWakes.Inc()
		l.poller.wakeByDeadline()
		return
	}
	if l.wakePolicy.mode == WakeAuto {
		l.wakePolicy.written.Store(l.micros())
		if strategy == wakeFDWithDeadline {
			l.poller.wakeWithin(lateWrite)
		}
	}
	l.counters.fdWrites.Inc()
	l.poller.wakeByFD()
}

// rouse is wake for a caller who waits for the loop: it does not make the write,
// which may be late.
func (l *Loop) rouse() {
	if l.claim() {
		l.noteClaim()
		l.counters.directWakes.Inc()
	} // else a sender has, whose write may be late too
	l.poller.wakeByDeadline()
}

// park is steps a to d. It returns when the loop was woken, perhaps for
// nothing, when until, a time since base, has come, or with files set when a
// descriptor is ready.
func (l *Loop) park(until time.Duration, files bool) {
	l.publish() // before beforeWait: after it others may touch the loop
	l.tidy()
	if l.more {
		l.lookLater()
	}
	o, told := l.observers.Load(), []*Observer(nil)
	if o != nil {
		told = l.tellPark(o)
	}
	now := l.mono
	l.beforeWait()
	l.sleep(now, until, files)
	l.afterWait()
	if o != nil {
		l.tellUnpark(o, told)
	}
}

// sleep is park, without the user's functions.
func (l *Loop) sleep(now, until time.Duration, files bool) {
	l.wakePolicy.choose(now)
	l.wakePolicy.written.Store(0) // by a sender of an earlier park, too late to be judged
	l.poller.park(now, until, files, l.commitFunc)
	l.parked.Store(0)
	if written := l.wakePolicy.written.Load(); written != 0 {
		l.wakePolicy.written.Store(0)
		l.wakePolicy.judge(time.Duration(l.micros()-written)*time.Microsecond, time.Since(l.base))
	}
}

// micros is the time in microseconds, never 0. It wraps after an hour, which
// differences do not mind.
func (l *Loop) micros() uint32 {
	return uint32(time.Since(l.base)/time.Microsecond) | 1
}
