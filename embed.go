package ev

import "runtime/debug"

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
// guest.
//
// When the guest is closed, the Embed stops. If a Run has the guest, its own or that
// of its host or of a host above, that Run's goroutine calls the guest's Cleanups: in
// its next iteration, in Stop of the Embed, or before it returns. A panic of these
// Cleanups meets the guest's panic policy, then that of the nearest host.
//
// An Embed whose host has parked costs a goroutine, until it is stopped.
type Embed struct {
	_ noCopy
	request
	watcher
	other *Loop
	fn    func(*Embed)

	lent     bool    // since the host began to poll
	given    bool    // to the sitter
	sitter   *sitter // nil until the host first waits
	deferred []*Loop // closed loops that the host's goroutine must tear down now; see detach
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
	if err := e.attach(); err != nil {
		return err
	}
	if !e.begin() {
		e.deferred = e.detach()
		e.finishClose()
		return ErrClosed
	}
	e.loop.requests.activate(&e.request)
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
	e.finishClose()
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

func (e *Embed) onStop() {
	e.recall()
	e.loop.requests.deactivate(&e.request)
	if e.sitter != nil {
		e.sitter.release()
		e.sitter = nil
	}
	e.deferred = append(e.deferred, e.detach()...)
}

// finishClose tears down the loops whose Close was deferred to the host's Run and
// which that does not find any more, now that the Embed is stopped. It calls
// Cleanups, which may panic, and so comes last.
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

// teardown tears down a guest's loop. A panic in one of its Cleanups is to the host
// what a panic in the Embed's callback is.
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
