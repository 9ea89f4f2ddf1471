package ev

import (
	"slices"
	"time"
)

// periodics are the watchers that wait on the wall clock, by their due times
// since the Unix epoch.
type periodics struct {
	alarms
	unwatch func() // the system tells when the clock is set, until this is called
}

// maxPark is how long the loop sleeps without a look at the wall clock when
// something waits on it and the system does not tell that it was set. The
// number is libev's.
const maxPark = 59743 * time.Millisecond

// arm puts the alarm of an active watcher in the heap. The first one has the
// clock watched.
func (l *Loop) arm(a *alarm, due time.Duration) {
	l.periodics.add(a, due)
	if len(l.periodics.heap) == 1 {
		l.periodics.unwatch, _ = l.watchClock() // without it, parks are short
	}
}

func (l *Loop) disarm(a *alarm) {
	l.periodics.remove(a)
	l.periodics.unwatchIfEmpty()
}

func (p *periodics) unwatchIfEmpty() {
	if unwatch := p.unwatch; unwatch != nil && len(p.heap) == 0 {
		p.unwatch = nil
		unwatch()
	}
}

// overdue reports whether the clock shows the moment that the alarm is in the heap
// for, or a later one. Left there, it expires in this iteration or the next, which
// does not park.
func (a *alarm) overdue(now time.Duration) bool { return a.loop.periodics.due(a) <= now }

// nextPeriodic returns when the loop must wake for what waits on the wall clock,
// on the monotonic one.
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
	if p.unwatch == nil || l.ioInterval > maxPark { // deaf meanwhile to what tells, too
		until = min(until, after(l.mono, maxPark))
	}
	return until
}

// expirePeriodics calls expire on every alarm that is due.
func (l *Loop) expirePeriodics() {
	p := &l.periodics
	if len(p.heap) == 0 {
		return
	}
	now := l.wallNow()
	for p.next() <= now {
		e := p.heap[0]
		p.remove(e.a)
		e.a.self.(expirer).expire(e.due, now)
	}
	p.unwatchIfEmpty()
}

// replanner is a kind that waits on the wall clock. replan is called when the clock was set.
// The alarm is in the heap then.
type replanner interface{ replan(now time.Duration) }

// replanPeriodics computes all due times anew, but for those of one-shots and
// those to be caught up with. Alarms that were in order stay in order when they tie.
func (l *Loop) replanPeriodics() {
	entries := slices.Clone(l.periodics.heap)
	sortByDue(entries)
	l.reread, l.again = true, true // unless all of them follow: a next function may call runtime.Goexit
	for _, e := range entries {
		if e.a.pos != 0 { // a next function may have broken the rules
			e.a.self.(replanner).replan(l.wallNow())
		}
	}
	l.reread, l.again = false, false
}
