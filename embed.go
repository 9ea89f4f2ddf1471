package ev

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/atomic"
)

// Embed makes one loop, the host, run another, the embedded loop; libev's ev_embed. The
// embedded loop's watchers of all kinds work while only the host is in Run. The two may
// have different backends. The embedded loop may embed others itself.
//
// Without a callback, the Embed sweeps: whenever the embedded loop has something to do,
// it makes one iteration, in the pass of the host and at the priority of the Embed. With
// a callback, nothing of the embedded loop is delivered until the callback, or something
// later, calls Sweep. Until then the callback is called again in each iteration of the
// host, which does not park.
//
// While embedded, the loop belongs to the host's goroutine: the host's callbacks may use
// its watchers, and the next poll of the host takes that into account. A Stop in one of
// its callbacks ends the sweep only. A panic leaves the host's Run. The embedded loop's
// intervals (SetIOInterval, SetTimeoutInterval) have no effect. An active Embed keeps the
// host's Run going even if nothing is active in the embedded loop.
//
// When the embedded loop is closed, the Embed stops. If a Run of the loop, of its host
// or of a host above is in progress, the goroutine of that Run calls the loop's
// Cleanups: in its next iteration, in Stop of the Embed, or before it returns. The
// panic handler of the embedded loop gets a panic of these Cleanups or, without one,
// the handler of the nearest host that has one.
//
// An Embed whose host has parked costs a goroutine, until the Embed is stopped.
type Embed struct {
	_ noCopy
	request
	watcher
	other *Loop
	fn    func(*Embed)

	delegated bool    // since the host began to poll
	proxied   bool    // the proxy has the embedded loop
	proxy     *proxy  // nil until the host first waits
	deferred  []*Loop // closed loops that the host's goroutine must tear down now; see detach
}

// NewEmbed makes an Embed, by which l runs other. A nil fn sweeps by itself. It panics if
// l or other is nil. Start reports other errors.
func NewEmbed(l *Loop, other *Loop, fn func(*Embed), opts ...Option) *Embed {
	e := &Embed{other: other, fn: fn}
	e.watcher.init("NewEmbed", e, l, false, opts)
	if other == nil {
		panic("ev: NewEmbed: nil other loop")
	}
	e.request.init(&e.watcher, EmbedEvent)
	return e
}

// Other returns the embedded loop. Any goroutine may call it.
func (e *Embed) Other() *Loop { return e.other }

// Start begins to run the other loop. It has no effect on an active Embed. It fails when
// the other loop is in a Run, embedded already, the host itself or a host above it, and
// with ErrClosed when either loop is closed.
func (e *Embed) Start() error {
	e.own("Start")
	if e.index != 0 {
		return nil
	}
	if e.loop.isClosed() {
		return ErrClosed
	}
	if err := e.attach(); err == ErrClosed {
		return err
	} else if err != nil {
		return e.startError(err)
	}
	if !e.begin() {
		e.deferred = e.detach()
		e.finishClose()
		return ErrClosed
	}
	e.loop.requests.activate(&e.request)
	return nil
}

// Sweep makes one iteration of the other loop, without parking: its RunNoWait. It must be
// called on the host's goroutine.
func (e *Embed) Sweep() error {
	e.own("Sweep")
	if e.loop.task != nil {
		defer e.loop.notATask()()
	}
	return e.other.RunNoWait()
}

// Stop stops the Embed, as Watcher.Stop says. Then other goroutines may run the other
// loop again.
func (e *Embed) Stop() {
	e.watcher.Stop()
	e.finishClose()
}

// SetCallback replaces the callback, from the next call on. With nil the Embed sweeps by
// itself.
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

func (e *Embed) onStop() {
	e.recall()
	e.loop.requests.deactivate(&e.request)
	if e.proxy != nil {
		e.proxy.release()
		e.proxy = nil
	}
	e.deferred = append(e.deferred, e.detach()...)
}

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

// How a host waits for its embedded loops.
//
// A goroutine can sleep in one poller only. So each Embed has a proxy: a goroutine that
// parks in the embedded loop's poller while the host parks in its own.
//
//	the host, in its poll                   the proxy
//	1. look whether the embedded loop has
//	   work: then ask the host for a sweep
//	2. else delegate it to the proxy        a. park in the embedded loop
//	3. park                                 b. work? ask the host for a sweep
//	4. recall the loop, wait for it         c. hand it back
//
// One goroutine at a time owns the embedded loop. The host's goroutine hands it over by a
// send on turns, which happens before a. The proxy hands it back by a send on back, which
// happens before the end of 4. Between polls the host has it, so the host's callbacks may
// use it.
//
// The proxy and the host ask by the Embed's request, as by a Send. No work is lost. If the embedded
// loop has work at 1, or gets it before b, the request is made, and ends the park of the
// host like any other. Work that comes later is found at the next 1, before the host
// parks again.
//
// Step 4 never waits for long. The host sets recalled, then wakes the embedded loop. The
// proxy's park sets parked, then looks at recalled. One of the two sees the other, as in
// the wake-up protocol. No user code runs in the proxy.

// pollWithEmbedded is poll, for the embedded loops too. Loops that were closed meanwhile
// are torn down after all have come back.
func (l *Loop) pollWithEmbedded(mode runMode) {
	if l.pollDelegated(mode) {
		l.stopClosedEmbeds()
	}
}

// pollDelegated reports whether an embedded loop is closed. The delegated loops come back
// even when user code panics: a Scheduler's function, which a look at an embedded loop
// calls, or an observer. Then the Embeds of closed loops stop in the next iteration, or as
// the Run ends.
func (l *Loop) pollDelegated(mode runMode) (closed bool) {
	defer func() { closed = l.recallAll() }()
	l.delegateAll(mode != noWait && l.alive() && !l.idle.any())
	l.poll(mode)
	return
}

// delegateAll is steps 1 and 2. Without sleep there is no park to come. User code may
// stop one of the Embeds meanwhile. Then delegateAll begins again, with those left.
func (l *Loop) delegateAll(sleep bool) {
	l.polling = true // recallAll resets it
	for i := 0; i < len(l.embedded); i++ {
		e := l.embedded[i]
		if e.delegated {
			continue
		}
		e.delegate(sleep)
		if i >= len(l.embedded) || l.embedded[i] != e {
			i = -1
		}
	}
}

func (e *Embed) delegate(sleep bool) {
	other := e.other
	other.mu.Lock()
	e.delegated = !other.isClosed()
	other.delegated = e.delegated
	other.mu.Unlock()
	if !e.delegated {
		e.send(e.loop) // pollWithEmbedded stops the Embed: no park before that
		return
	}
	other.delegateAll(sleep)
	until, now := other.plan()
	switch {
	case !e.delegated: // a Scheduler's function, of this loop or one below, has stopped the Embed
		other.recallAll()
	case now || other.pending.count > 0 || until != never && until <= other.mono:
		e.send(e.loop)
	case sleep:
		e.useProxy(until)
	default:
		other.poller.poll()
		if other.foundFiles() {
			e.send(e.loop)
		}
	}
}

func (e *Embed) useProxy(until time.Duration) {
	if e.proxy == nil {
		e.proxy = newProxy(e.loop)
	}
	e.proxied = true
	e.other.publish()
	e.other.shrink() // the embedded loop makes no iteration of its own for that
	e.proxy.turns <- turn{e, until}
}

// proxy is the host's end of the goroutine that parks in an embedded loop. Between two
// turns that goroutine refers to neither loop. So a host and an embedded loop that are
// dropped without Close are collected, and the proxy, a resource of the host, ends.
type proxy struct {
	*resource
	turns chan turn
	back  chan struct{} // the turn is over
}

// turn is one park in an embedded loop.
type turn struct {
	embed *Embed
	until time.Duration
}

func newProxy(host *Loop) *proxy {
	turns, back := make(chan turn, 1), make(chan struct{}, 1)
	go runProxy(turns, back)
	return &proxy{host.resources.add(func() { close(turns) }), turns, back}
}

func runProxy(turns <-chan turn, back chan<- struct{}) {
	for t := range turns {
		t.embed.parkByProxy(t.until)
		back <- struct{}{}
	}
}

// parkByProxy is steps a and b.
func (e *Embed) parkByProxy(until time.Duration) {
	other := e.other
	other.sleep(other.mono, until, true)
	if other.foundFiles() || !other.requests.empty() || other.isClosed() ||
		until != never && time.Since(other.base) >= until {
		e.send(e.loop)
	}
}

// foundFiles reports whether the last poll or park found a descriptor ready. It drops
// the result: the sweep finds it again.
func (l *Loop) foundFiles() bool { return len(l.poller.take()) > 0 }

// recallAll is step 4, for all embedded loops. It reports whether one of them, or one
// below, is closed.
func (l *Loop) recallAll() (closed bool) {
	for _, e := range l.embedded {
		closed = e.recall() || closed
	}
	l.polling = false
	return closed
}

func (e *Embed) recall() (closed bool) {
	other := e.other
	if e.proxied {
		e.proxied = false
		other.recalled.Store(1)
		other.wakeNow()
		<-e.proxy.back
		other.recalled.Store(0)
	}
	if e.delegated { // else it must not be touched: another goroutine may be closing it
		e.delegated = false
		closed = other.recallAll()
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	other.delegated = false
	return closed || other.isClosed()
}
