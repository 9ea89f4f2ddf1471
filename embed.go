package ev

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
