package ev

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/atomic"
)

// Hosts and guests form trees. embedding guards all of them: a cycle cannot be
// closed by two goroutines, and a Close can look up the whole chain of hosts at one
// moment. It comes before every loop's mu; see Loop.mu.
//
// The list of a host's guests is changed by the goroutine that has the host, with
// embedding held. So that goroutine reads it without the lock, and others with it.
var embedding sync.Mutex

// guests are the active Embeds of a host, in the order of their starts.
type guests []*Embed

// hosting is the part of a loop as a host.
type hosting struct {
	guests  guests // changed by the loop's goroutine, with embedding held
	polling bool   // the guests may be lent; the loop goroutine's
}

// hosted is the part of a loop as a guest.
type hosted struct {
	recalled   atomic.Uint32 // 1: the host wants the loop back
	lent       bool          // another goroutine may be parked in this loop; guarded by its mu
	host       *Loop         // guarded by embedding, as the next
	deferredTo *Loop         // the host up the chain whose Run tears down this closed loop; see Close
}

// attach makes the one loop the host of the other.
func (e *Embed) attach() error {
	other := e.other
	embedding.Lock()
	defer embedding.Unlock()
	other.mu.Lock()
	closed, running := other.isClosed(), len(other.runs) > 0
	other.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case other == e.loop:
		return errors.New("ev: Embed.Start: a loop cannot be embedded in itself")
	case other.host != nil:
		return fmt.Errorf("ev: Embed.Start: the other loop is embedded already, in %q", other.host.name)
	case e.loop.isBelow(other):
		return errors.New("ev: Embed.Start: the other loop embeds this one")
	case running:
		return errors.New("ev: Embed.Start: the other loop is inside a Run")
	}
	other.host = e.loop
	e.loop.guests = append(e.loop.guests, e)
	return nil
}

// detach undoes attach. It returns the closed loops, the other one and those below it,
// whose teardown was deferred to a Run of this loop or of a host of it. That Run does
// not find them any more. detach is called on the goroutine that is in that Run.
func (e *Embed) detach() (deferred []*Loop) {
	embedding.Lock()
	defer embedding.Unlock()
	l := e.loop
	if i := slices.Index(l.guests, e); i >= 0 {
		l.guests = slices.Delete(l.guests, i, i+1)
	}
	e.other.host = nil
	return e.other.takeDeferred(l, nil)
}

// takeDeferred appends the loops, from l on down, whose teardown was deferred to
// host or to a loop above it. It requires that embedding is held.
func (l *Loop) takeDeferred(host *Loop, deferred []*Loop) []*Loop {
	if to := l.deferredTo; to != nil && (to == host || host.isBelow(to)) {
		l.deferredTo = nil
		deferred = append(deferred, l)
	}
	for _, e := range l.guests {
		deferred = e.other.takeDeferred(host, deferred)
	}
	return deferred
}

// isBelow reports whether h is a host of l, or of a host of it, and so on. It
// requires that embedding is held.
func (l *Loop) isBelow(h *Loop) bool {
	for up := l.host; up != nil; up = up.host {
		if up == h {
			return true
		}
	}
	return false
}

// deferClose leaves the teardown of l, which is closed and in no Run, to the
// nearest Run up the chain of hosts, and reports whether there is one: the goroutine
// in that Run has the loop. It requires that embedding is held.
func (l *Loop) deferClose() bool {
	for h := l.host; h != nil; h = h.host {
		h.mu.Lock()
		running := len(h.runs) > 0
		h.mu.Unlock()
		if running {
			l.deferredTo = h
			return true
		}
	}
	return false
}

// closed appends the Embeds of a loop, and of the loops below it, whose guests
// are closed. What is below a closed guest is left to the teardown of that: another
// goroutine may be making it. A guest that is open stays with the goroutine in this
// loop's Run even if it is closed meanwhile.
func (g guests) closed(all []*Embed) []*Embed {
	for _, e := range g {
		if e.other.isClosed() {
			all = append(all, e)
		} else {
			all = e.other.guests.closed(all)
		}
	}
	return all
}

// panicHandler returns l, or the nearest host of it, that has a panic handler; nil if
// none has.
func (l *Loop) panicHandler() *Loop {
	embedding.Lock()
	defer embedding.Unlock()
	for l != nil && l.onPanic == nil {
		l = l.host
	}
	return l
}

// ownerIs reports whether this goroutine is in a Run of l, or of a loop that has l
// as its guest, or as a guest's guest, and so on. A Run that did not look up its
// goroutine does not count.
func (l *Loop) ownerIs(goroutine uint64) bool {
	if goroutine == 0 {
		return false
	}
	embedding.Lock()
	defer embedding.Unlock()
	for ; l != nil; l = l.host {
		l.mu.Lock()
		owner := l.owner
		l.mu.Unlock()
		if owner == goroutine {
			return true
		}
	}
	return false
}
