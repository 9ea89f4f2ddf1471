package ev

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Embed makes one loop, the host, run another, its guest; libev's ev_embed. The
// guest's watchers of all kinds work while only the host is in Run, whatever the
// backends of the two. The guest may have guests itself.
//
// Without a callback, the Embed sweeps: whenever the guest has something to do,
// it makes one iteration, in the pass of the host and at the priority of the
// Embed. With one, nothing of the guest is delivered until the callback, or
// something later, calls Sweep. Meanwhile the callback comes again in each
// iteration of the host, which does not park.
//
// While embedded, the guest belongs to the host's goroutine: the host's callbacks
// may use its watchers, and the next poll of the host takes that into account. A
// Stop in one of its callbacks ends the sweep only, a panic leaves the host's
// Run. The guest's intervals (SetIOInterval, SetTimeoutInterval) have no effect.
// An active Embed keeps the host's Run going even if nothing is active in the
// guest. When the guest is closed, the Embed stops.
//
// An Embed whose host has parked costs a goroutine, until it is stopped.
type Embed struct {
	_ noCopy
	request
	watcher
	other *Loop
	fn    func(*Embed)

	lent  bool // since the host began to poll
	given bool // to the sitter

	// The sitter's, while it has one.
	turns chan time.Duration // a turn: park until then
	back  chan struct{}      // the turn is over
}

// NewEmbed makes an Embed, by which l runs other. A nil fn sweeps by itself. It
// panics when l or other is nil; what is wrong with the pair, Start reports.
func NewEmbed(l *Loop, other *Loop, fn func(*Embed), opts ...Option) *Embed {
	e := &Embed{other: other, fn: fn}
	e.watcher.init("NewEmbed", e, l, false, opts)
	if other == nil {
		panic("ev: NewEmbed: nil other loop")
	}
	e.request.init(&e.watcher, EmbedEvent)
	return e
}

// Other returns the loop embedded. Any goroutine may call it.
func (e *Embed) Other() *Loop { return e.other }

// Start begins to run the other loop. It has no effect on an active Embed. It
// fails when the other loop is in a Run, embedded already, the host itself or the
// host of it, and with ErrClosed when either loop is closed.
func (e *Embed) Start() error {
	e.own("Start")
	if e.index != 0 {
		return nil
	}
	if e.loop.isClosed() {
		return ErrClosed
	}
	if err := e.moveIn(); err != nil {
		return err
	}
	if !e.begin() {
		e.moveOut()
		return ErrClosed
	}
	e.loop.requests.activate(&e.request)
	e.loop.guests = append(e.loop.guests, e)
	return nil
}

// Sweep makes one iteration of the other loop, without parking: its RunNoWait.
// It is called on the host's goroutine.
func (e *Embed) Sweep() error {
	e.own("Sweep")
	return e.other.RunNoWait()
}

// Stop stops the Embed, as Watcher.Stop says. The other loop can be run by others
// again.
func (e *Embed) Stop() {
	e.watcher.Stop()
	e.bury()
}

// SetCallback replaces the callback, from the next call on. With nil the Embed
// sweeps by itself.
func (e *Embed) SetCallback(fn func(*Embed)) {
	e.own("SetCallback")
	e.fn = fn
}

func (e *Embed) call() {
	if e.fn != nil {
		e.fn(e)
		return
	}
	_ = e.Sweep() // ErrClosed: the next poll stops the Embed
}

func (e *Embed) callback() any {
	if e.fn == nil {
		return e.Sweep
	}
	return e.fn
}

func (e *Embed) halt() {
	l := e.loop
	i := slices.Index(l.guests, e)
	l.guests = slices.Delete(l.guests, i, i+1)
	l.requests.deactivate(&e.request)
	if e.turns != nil {
		close(e.turns)
		e.turns = nil
	}
	e.moveOut()
}

// guests are the active Embeds of a host, in the order of their starts.
type guests []*Embed

// embedding guards the host of every loop: one lock for all, so that two
// goroutines cannot close a cycle between them.
var embedding sync.Mutex

// moveIn makes the one loop the host of the other.
func (e *Embed) moveIn() error {
	other := e.other
	other.mu.Lock()
	closed, running := other.isClosed(), len(other.runs) > 0
	other.mu.Unlock()
	embedding.Lock()
	defer embedding.Unlock()
	switch {
	case closed:
		return ErrClosed
	case other == e.loop:
		return errors.New("ev: Embed.Start: a loop cannot be embedded in itself")
	case other.host != nil:
		return fmt.Errorf("ev: Embed.Start: the other loop is embedded already, in %q", other.host.name)
	}
	for l := e.loop.host; l != nil; l = l.host {
		if l == other {
			return errors.New("ev: Embed.Start: the other loop embeds this one")
		}
	}
	if running {
		return errors.New("ev: Embed.Start: the other loop is inside a Run")
	}
	other.host = e.loop
	return nil
}

func (e *Embed) moveOut() {
	embedding.Lock()
	defer embedding.Unlock()
	e.other.host = nil
}

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

// pollWithGuests is poll, for the guests too. What they lent comes back even when
// user code that a look at the guests calls (a Scheduler's) panics.
func (l *Loop) pollWithGuests(mode runMode) {
	defer l.recallGuests()
	l.lendGuests(mode != noWait && l.alive() && !l.idle.any())
	l.poll(mode)
}

// lendGuests is steps 1 and 2. Without sleep there is no park to come.
func (l *Loop) lendGuests(sleep bool) {
	l.polling = true // recall resets it
	for _, e := range l.guests {
		e.lend(sleep)
	}
}

func (e *Embed) lend(sleep bool) {
	other := e.other
	other.mu.Lock()
	e.lent = !other.isClosed()
	other.lent = e.lent
	other.mu.Unlock()
	if !e.lent {
		e.send(e.loop) // recallGuests stops the Embed: no park before that
		return
	}
	other.lendGuests(sleep)
	until, now := other.plan()
	switch {
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
	if e.turns == nil {
		e.turns, e.back = make(chan time.Duration, 1), make(chan struct{}, 1)
		go e.sit(e.turns, e.back)
	}
	e.given = true
	e.other.publish()
	e.other.shrink() // the guest makes no iteration of its own for that
	e.turns <- until
}

// sit is steps a to c, for each turn.
func (e *Embed) sit(turns <-chan time.Duration, back chan<- struct{}) {
	other := e.other
	for until := range turns {
		for other.recalled.Load() == 0 {
			other.sleep(other.mono, until, true)
			if other.foundFiles() || !other.requests.empty() || other.isClosed() ||
				until != never && time.Since(other.base) >= until {
				e.send(e.loop)
				break
			}
		}
		back <- struct{}{}
	}
}

// foundFiles reports whether the last poll or park found a descriptor ready. It
// drops what was found: it is found again by the sweep.
func (l *Loop) foundFiles() bool { return len(l.poller.take()) > 0 }

// recallGuests is step 4, and stops the Embeds of guests that were closed. All
// are recalled before any is taken down: that calls Cleanups, which may panic.
func (l *Loop) recallGuests() {
	for _, e := range l.recall(nil) {
		defer e.Stop()
	}
}

// recall appends the Embeds whose guests are closed.
func (l *Loop) recall(dead []*Embed) []*Embed {
	for _, e := range l.guests {
		other := e.other
		if e.given {
			e.given = false
			other.recalled.Store(1)
			other.rouse()
			<-e.back
			other.recalled.Store(0)
		}
		if e.lent { // else it is closed, and not to be touched
			dead = other.recall(dead)
		}
		other.mu.Lock()
		other.lent = false
		if other.isClosed() {
			other.owed = other.owed || e.lent && len(other.runs) == 0 // else its Run does it
			dead = append(dead, e)
		}
		other.mu.Unlock()
		e.lent = false
	}
	l.polling = false
	return dead
}

// A guest that another goroutine closes while a Run of its host has it, is owed a
// teardown by the host: at its next poll, when the Embed stops, or at the end of
// that Run.

// heldByHost reports whether a Run up the chain of hosts has the loop. It requires
// that mu is held.
func (l *Loop) heldByHost() bool {
	embedding.Lock()
	defer embedding.Unlock()
	for h := l.host; h != nil; h = h.host {
		h.mu.Lock()
		running := len(h.runs) > 0
		h.mu.Unlock()
		if running {
			return true
		}
	}
	return false
}

// bury makes the teardown, if it is owed. It runs Cleanups, which may panic, and
// so comes last.
func (e *Embed) bury() {
	other := e.other
	if other == nil {
		return
	}
	other.mu.Lock()
	owed := other.owed
	other.owed = false
	other.mu.Unlock()
	if owed {
		_ = other.teardown()
	}
}

// buryGuests stops the Embeds of closed guests, at the end of a Run.
func (l *Loop) buryGuests() {
	for _, e := range slices.Clone(l.guests) {
		if e.other.isClosed() {
			e.Stop()
		}
	}
}
