package ev

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"go.uber.org/atomic"
)

// This file keeps the trees of hosts and embedded loops. It also tears down an embedded loop
// that is closed.

// Hosts and embedded loops form trees. The mutex embedding guards all of them: so two
// goroutines cannot close a cycle, and a Close sees the whole chain of hosts at one
// moment. It is locked before every loop's mu; see runStack.
//
// Only the goroutine that has the host changes the list of its Embeds, with embedding
// held. So that goroutine reads the list without the lock, and others read it with the
// lock.
var embedding sync.Mutex

// hosting is the part of a loop as a host.
type hosting struct {
	embedded embedded // changed by the loop's goroutine, with embedding held
	polling  bool     // the embedded loops may be delegated; the loop goroutine's
}

// embedded are the active Embeds of a host, in the order of their starts.
type embedded []*Embed

// hosted is the part of a loop as an embedded one.
type hosted struct {
	recalled   atomic.Uint32 // 1: the host wants the loop back
	delegated  bool          // another goroutine may be parked in this loop; guarded by its mu
	host       *Loop         // guarded by embedding, as the next
	deferredTo *Loop         // the host up the chain whose Run tears down this closed loop; see Close
}

// attach makes the Embed's loop the host of the other.
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
		return errors.New("a loop cannot be embedded in itself")
	case other.host != nil:
		return fmt.Errorf("the other loop is embedded already, in %q", other.host.name)
	case e.loop.isBelow(other):
		return errors.New("the other loop embeds this one")
	case running:
		return errors.New("the other loop is inside a Run")
	case other.exposed.Load()|e.loop.exposed.Load() != 0:
		return errors.New("a loop with a PollFD neither embeds another nor is embedded")
	}
	other.host = e.loop
	e.loop.embedded = append(e.loop.embedded, e)
	if other.advisor != nil {
		other.advisor.hosted(+1)
	}
	return nil
}

// detach undoes attach. It returns the closed loops, the other one and those below it,
// whose teardown was deferred to a Run of this loop or of a host above it. That Run does
// not find them any more. detach is called on the goroutine of that Run.
func (e *Embed) detach() (deferred []*Loop) {
	embedding.Lock()
	defer embedding.Unlock()
	l := e.loop
	if i := slices.Index(l.embedded, e); i >= 0 {
		l.embedded = slices.Delete(l.embedded, i, i+1)
	}
	e.other.host = nil
	if e.other.advisor != nil {
		e.other.advisor.hosted(-1)
	}
	return e.other.takeDeferred(l, nil)
}

// takeDeferred appends the loops, from l on down, whose teardown was deferred to host or
// to a loop above it. It requires that embedding is held.
func (l *Loop) takeDeferred(host *Loop, deferred []*Loop) []*Loop {
	if to := l.deferredTo; to != nil && (to == host || host.isBelow(to)) {
		l.deferredTo = nil
		deferred = append(deferred, l)
	}
	for _, e := range l.embedded {
		deferred = e.other.takeDeferred(host, deferred)
	}
	return deferred
}

// isBelow reports whether h is the host of l, or a host above that. It requires that
// embedding is held.
func (l *Loop) isBelow(h *Loop) bool {
	for up := l.host; up != nil; up = up.host {
		if up == h {
			return true
		}
	}
	return false
}

// deferClose leaves the teardown of l, which is closed and in no Run, to the nearest host
// up the chain that is in a Run, and reports whether there is one. The goroutine in that
// Run has the loop. It requires that embedding is held.
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

// closed appends the Embeds of a loop, and of the loops below it, whose other loop is
// closed. It leaves the loops below a closed one to the teardown of that, which another
// goroutine may be making. An open loop stays with the goroutine in this loop's Run even
// if it is closed meanwhile.
func (all embedded) closed(found []*Embed) []*Embed {
	for _, e := range all {
		if e.other.isClosed() {
			found = append(found, e)
		} else {
			found = e.other.embedded.closed(found)
		}
	}
	return found
}

// finishClose tears down the loops whose Close was deferred to the host's Run, which does
// not find them any more, because the Embed is stopped. It calls Cleanups, which may
// panic, and so comes last.
func (e *Embed) finishClose() {
	if len(e.deferred) == 0 {
		return
	}
	inAnyCase(nil, func() (more bool) {
		if len(e.deferred) == 0 {
			return false
		}
		l := e.deferred[0]
		e.deferred = e.deferred[1:]
		e.teardown(l)
		return true
	})
}

// teardown tears down an embedded loop. To the host, a panic in one of its Cleanups
// counts as a panic in the Embed's callback.
func (e *Embed) teardown(l *Loop) {
	if host := e.loop.panicHandler(); host != nil {
		defer func() {
			if v := recover(); v != nil {
				host.recovered(CallbackOf(e), v, debug.Stack())
			}
		}()
	}
	_ = l.teardown()
}

// panicHandler returns l, or the nearest host above it, that has a panic handler, or nil.
func (l *Loop) panicHandler() *Loop {
	embedding.Lock()
	defer embedding.Unlock()
	for l != nil && l.onPanic == nil {
		l = l.host
	}
	return l
}

// ownerIs reports whether this goroutine is in a Run of l or of a host above it. A Run
// that did not look up its goroutine does not count.
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
		if owner == goroutine || l.running.Load() == goroutine {
			return true
		}
	}
	return false
}
