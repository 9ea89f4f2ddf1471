package ev

import (
	"math/bits"
	"time"
	"unsafe"
)

// Memory after a burst. A table that a burst has made large is kept while it is used,
// because the next burst would have to make it again. It is freed when little of it was
// used between two looks, and when the loop is closed.
//
// The loop looks when it parks, when a Run ends and, while it is too busy for either,
// every few iterations. The first look after a burst sees the use. A loop that parks then
// must look again even if nothing wakes it. A timer, which is set only for that, wakes it.

// memory is the state of the looks at a loop's tables.
type memory struct {
	looked    uint64      // in which iteration
	more      bool        // the last look has found more to free, next time
	lookTimer *time.Timer // for lookLater
	started   usage       // of roster.active, for shrinkWatchers
	roomy     bool        // shrinkWatchers has found more to free, next time
	queues    []batches   // the Queues with much room
}

// spareBytes is how much each table, ring or batch may always keep.
const spareBytes = 32 << 10

// lookAgain is how long a loop sleeps after a burst before it looks again.
const lookAgain = 100 * time.Millisecond

// large reports whether room for this many values of T is worth a look.
func large[T any](room int) bool {
	var one T
	return uintptr(room)*unsafe.Sizeof(one) > spareBytes
}

// oversized reports whether the room should be freed when no more than used was needed of
// it. trimmed leaves twice that, so the use must grow eightfold and fall again before
// there is something to trim again.
func oversized[T any](room, used int) bool { return used < room/8 && large[T](room) }

// trimmed returns s with room for twice used, which is at least len(s).
func trimmed[T any](s []T, used int) []T {
	if used == 0 {
		return nil
	}
	return append(make([]T, 0, 2*used), s...)
}

// fade returns how much of the use before a look still counts. After one look without a
// burst, a quarter of the burst counts, which is too much for oversized. Two looks later
// it does not count any more.
func fade(most int) int { return most / 4 }

// usage is a bound of how many places of a table were in use at a time since the last
// look: those in use then, and those added since. Between looks it needs only a count of
// all places ever added.
type usage struct {
	held  int
	added uint64
	most  int
}

func (u *usage) look(held int, added uint64) (most int) {
	u.most = max(u.held+int(added-u.added), fade(u.most))
	u.held, u.added = held, added
	return u.most
}

// tidy looks, but at most once per iteration: between two looks there must be time for a
// burst.
func (l *Loop) tidy() {
	if l.looked != l.iteration {
		l.shrink()
	}
}

// shrink is a look. A function of this package that iterates over a table must not call
// anything that calls shrink.
func (l *Loop) shrink() {
	l.looked = l.iteration
	more := l.pending.shrink()
	more = l.timers.shrink() || more
	more = l.periodics.shrink() || more
	more = l.mail.shrink() || more
	more = l.shrinkWatchers() || more
	more = l.shrinkQueues() || more
	for _, e := range l.embedded {
		// The host looks for them, in its next poll. Another goroutine may be closing one.
		more = !e.other.isClosed() && e.other.more || more
	}
	l.more = more
}

// shrinkAll is for a loop whose Run has ended, after which there may be none for a long
// time. RunOnce and RunNoWait leave the looks to the next Run, which usually comes. With
// each look the use before counts less, and after the last it does not count.
func (l *Loop) shrinkAll() {
	for _, e := range l.embedded {
		if !e.other.isClosed() {
			e.other.shrinkAll()
		}
	}
	for looks := 0; l.more && looks < bits.UintSize/2; looks++ {
		l.shrink()
	}
}

// lookLater makes a loop that is about to park look again.
func (l *Loop) lookLater() {
	if l.lookTimer != nil {
		l.lookTimer.Reset(lookAgain)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookTimer = time.AfterFunc(lookAgain, l.wakeToLook)
}

// wakeToLook is called by the timer. The timer was set before the loop set parked, and the
// loop may have been held up in between. So the timer is set again while the loop is
// running. If that park is over by now, the next one has set the timer.
func (l *Loop) wakeToLook() {
	if l.parked.Load() != 0 {
		l.mail.send(l) // which makes no callback
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.runs) > 0 {
		l.lookTimer.Reset(lookAgain)
	}
}

// shrinkWatchers looks at the tables that have a place for each active watcher. Those of
// hooks hold at most as many as roster.active.
func (l *Loop) shrinkWatchers() (more bool) {
	if l.starts == l.started.added && len(l.active) == l.started.held && !l.roomy {
		return false // as at the last look
	}
	most := l.started.look(len(l.active), l.starts)
	l.roomy = l.requests.shrink(most + 1) // the mailbox is not a watcher
	l.active = l.trimWatchers(l.active, most)
	for _, list := range []*hooks{&l.prepares, &l.checks, &l.cleanups} {
		*list = l.trimWatchers(*list, most)
	}
	for level := range l.idle {
		l.idle[level] = l.trimWatchers(l.idle[level], most)
	}
	return l.roomy
}

func (l *Loop) trimWatchers(s []*watcher, most int) []*watcher {
	if oversized[*watcher](cap(s), most) {
		s = trimmed(s, most)
	}
	l.roomy = l.roomy || oversized[*watcher](cap(s), len(s))
	return s
}

// batches is a Queue whose room is large. It adds itself to the list.
type batches interface {
	shrink() (more bool)
	isLarge() bool
	drop()
}

func (l *Loop) shrinkQueues() (more bool) {
	kept := l.queues[:0]
	for _, q := range l.queues {
		more = q.shrink() || more
		if q.isLarge() {
			kept = append(kept, q)
		}
	}
	clear(l.queues[len(kept):])
	l.queues = kept
	return more
}

// letGo frees the tables of a closed loop.
func (l *Loop) letGo() {
	if l.lookTimer != nil {
		l.lookTimer.Stop()
	}
	for _, q := range l.queues {
		q.drop()
	}
	l.queues, l.active, l.more, l.roomy = nil, nil, false, false
	l.prepares, l.checks, l.cleanups, l.idle = nil, nil, nil, idleHooks{}
	l.timers, l.periodics.alarms = alarms{}, alarms{}
	l.requests.all, l.requests.free = nil, nil
	l.files.table, l.files.changed, l.files.always = nil, nil, nil
	for level := range l.pending.queues {
		l.pending.queues[level] = fifo{}
	}
}
