package ev

import (
	"time"

	"github.com/goevlib/ev/internal/wallclock"
)

// periodics are the watchers that wait on the wall clock. Their due times count from the Unix
// epoch.
type periodics struct {
	alarms
	unwatch func() // ends the watch of the clock; nil if the clock is not watched
}

// maxPark is the longest park without a look at the wall clock, while a watcher waits on it
// and the system does not report that it was set. The number is libev's.
const maxPark = 59743 * time.Millisecond

// arm puts the alarm of an active watcher in the heap. The clock is watched from the first
// alarm on.
func (l *Loop) arm(a *alarm, due time.Duration) {
	l.periodics.add(a, due)
	if len(l.periodics.heap) == 1 {
		l.watchClock()
	}
}

func (l *Loop) disarm(a *alarm) {
	l.periodics.remove(a)
	l.periodics.unwatchIfEmpty()
}

// watchClock has the system report that the wall clock was set, also to a parked loop. Where
// that fails, parks are short.
func (l *Loop) watchClock() {
	if l.backend == BackendChan {
		return
	}
	w, err := wallclock.New()
	if err != nil {
		return
	}
	l.periodics.unwatch, _ = l.ownFD(w.FD(), w.Close, func(lost bool) {
		if lost {
			l.periodics.unwatchClock()
			return
		}
		w.Reset()
		l.reread = true
		l.update()
	})
	l.reread = true // it may have been set just before
}

func (p *periodics) unwatchClock() {
	if unwatch := p.unwatch; unwatch != nil {
		p.unwatch = nil
		unwatch()
	}
}

func (p *periodics) unwatchIfEmpty() {
	if len(p.heap) == 0 {
		p.unwatchClock()
	}
}

// overdue reports whether the clock shows the due time of the alarm, or a later time. An
// overdue alarm that stays in the heap expires in this iteration or in the next, which does
// not park.
func (a *alarm) overdue(now time.Duration) bool { return a.due <= now }

// nextPeriodic returns when the loop must wake for the watchers that wait on the wall clock,
// as a time of the monotonic clock.
func (l *Loop) nextPeriodic() time.Duration {
	p := &l.periodics
	switch {
	case len(l.reports) > 0:
		return l.mono
	case len(p.heap) == 0:
		return never
	}
	now, due := l.wallNow(), p.next()
	if due <= now {
		return l.mono
	}
	until := after(l.mono, since(due, now))
	if p.unwatch == nil || l.ioInterval > maxPark { // while the loop rests, the watch does not wake it
		until = min(until, after(l.mono, maxPark))
	}
	return until
}

// expirePeriodics calls expire on every alarm that is due.
func (l *Loop) expirePeriodics() {
	p := &l.periodics
	now := l.wallNow()
	if !p.mayBeDue(now) {
		return
	}
	due := p.dueBy(now)
	for _, d := range due {
		if d.a.armed() { // a next function may have stopped it, against the rules
			p.remove(d.a)
			d.a.self.(expirer).expire(d.due, now)
		}
	}
	p.recycle(due)
	p.settle(now)
	p.unwatchIfEmpty()
}

// replanner is a kind that waits on the wall clock. replan is called when the clock was set.
// The alarm is in the heap then.
type replanner interface{ replan(now time.Duration) }

// replanPeriodics calls replan on every alarm, in the order of the due times, so that alarms
// with equal new due times keep their order.
func (l *Loop) replanPeriodics() {
	due := l.periodics.dueBy(never)
	l.reread, l.again = true, true // reset below, unless a next function calls runtime.Goexit
	for _, d := range due {
		if d.a.armed() { // a next function may have stopped it, against the rules
			d.a.self.(replanner).replan(l.wallNow())
		}
	}
	l.reread, l.again = false, false
	l.periodics.recycle(due)
}
