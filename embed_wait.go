package ev

import "time"

// How a host waits for its guests.
//
// A goroutine can sleep in one poller only. So each guest has a sitter: a
// goroutine that parks in the guest's poller while the host parks in its own.
//
//	the host, in its poll                  the sitter
//	1. look whether the guest has work:
//	   then ask the host for a sweep
//	2. else give it to the sitter          a. park in the guest
//	3. park                                b. work? ask the host for a sweep
//	4. recall the guest, wait for it       c. hand it back
//
// One goroutine at a time owns the guest: the host's hands it over by sending on
// turns, which happens before a, and c by sending on back, which happens before
// the end of 4. Between polls the host has it, so that its callbacks may use it.
//
// To ask is a request of the Embed, a Send to the host. No work is lost: if the
// guest has it at 1, or gets it before b, the request is made, and ends the park
// of the host like any other; what comes later is found at the next 1, before
// the host parks again.
//
// Step 4 never waits for long. The host sets recalled, then rouses the guest; the
// sitter's park sets parked, then looks at recalled: one of the two sees the
// other, as in the wake-up protocol. No user code runs in the sitter.

// pollWithGuests is poll, for the guests too. A guest that was closed meanwhile is
// torn down after all have come back.
func (l *Loop) pollWithGuests(mode runMode) {
	if l.pollLent(mode) {
		l.stopClosedGuests()
	}
}

// pollLent reports whether a guest is closed. What was lent comes back even when
// user code panics that a look at the guests calls (a Scheduler's), or an observer.
// Then the Embeds of closed guests stop in the next iteration, or as the Run ends.
func (l *Loop) pollLent(mode runMode) (closed bool) {
	defer func() { closed = l.recallGuests() }()
	l.lendGuests(mode != noWait && l.alive() && !l.idle.any())
	l.poll(mode)
	return
}

// lendGuests is steps 1 and 2. Without sleep there is no park to come. User code may
// stop one of the Embeds meanwhile: then it begins again, with those left.
func (l *Loop) lendGuests(sleep bool) {
	l.polling = true // recallGuests resets it
	for i := 0; i < len(l.guests); i++ {
		e := l.guests[i]
		if e.lent {
			continue
		}
		e.lend(sleep)
		if i >= len(l.guests) || l.guests[i] != e {
			i = -1
		}
	}
}

func (e *Embed) lend(sleep bool) {
	other := e.other
	other.mu.Lock()
	e.lent = !other.isClosed()
	other.lent = e.lent
	other.mu.Unlock()
	if !e.lent {
		e.send(e.loop) // pollWithGuests stops the Embed: no park before that
		return
	}
	other.lendGuests(sleep)
	until, now := other.plan()
	switch {
	case !e.lent: // a Scheduler's function, of this guest or one below, has stopped the Embed
		other.recallGuests()
	case now || other.pending.count > 0 || until != never && until <= other.mono:
		e.send(e.loop)
	case sleep:
		e.give(until)
	default:
		other.poller.poll()
		if other.foundFiles() {
			e.send(e.loop)
		}
	}
}

func (e *Embed) give(until time.Duration) {
	if e.sitter == nil {
		e.sitter = newSitter(e.loop)
	}
	e.given = true
	e.other.publish()
	e.other.shrink() // the guest makes no iteration of its own for that
	e.sitter.turns <- turn{e, until}
}

// sitter is the host's end of the goroutine that parks in a guest. Between two turns
// that goroutine refers to neither loop: a host and a guest that are dropped without
// Close are collected, and with them, as a resource of the host, the sitter.
type sitter struct {
	*resource
	turns chan turn
	back  chan struct{} // the turn is over
}

// turn is one park in a guest.
type turn struct {
	embed *Embed
	until time.Duration
}

func newSitter(host *Loop) *sitter {
	turns, back := make(chan turn, 1), make(chan struct{}, 1)
	go sit(turns, back)
	return &sitter{host.resources.add(func() { close(turns) }), turns, back}
}

func sit(turns <-chan turn, back chan<- struct{}) {
	for t := range turns {
		t.embed.sit(t.until)
		back <- struct{}{}
	}
}

// sit is steps a and b.
func (e *Embed) sit(until time.Duration) {
	other := e.other
	for other.recalled.Load() == 0 {
		other.sleep(other.mono, until, true)
		if other.foundFiles() || !other.requests.empty() || other.isClosed() ||
			until != never && time.Since(other.base) >= until {
			e.send(e.loop)
			break
		}
	}
}

// foundFiles reports whether the last poll or park found a descriptor ready. It
// drops what was found: it is found again by the sweep.
func (l *Loop) foundFiles() bool { return len(l.poller.take()) > 0 }

// recallGuests is step 4, for all guests. It reports whether one of them, or one
// below, is closed.
func (l *Loop) recallGuests() (closed bool) {
	for _, e := range l.guests {
		closed = e.recall() || closed
	}
	l.polling = false
	return closed
}

func (e *Embed) recall() (closed bool) {
	other := e.other
	if e.given {
		e.given = false
		other.recalled.Store(1)
		other.wakeNow()
		<-e.sitter.back
		other.recalled.Store(0)
	}
	if e.lent { // else it is not to be touched: another goroutine may be closing it
		e.lent = false
		closed = other.recallGuests()
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	other.lent = false
	return closed || other.isClosed()
}
