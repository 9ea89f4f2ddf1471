package ev

import "time"

// This file is how a host waits for its embedded loops.
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
