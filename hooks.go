package ev

import "slices"

// The kinds in this file wait for nothing outside the loop. Their callbacks mark places in
// its iteration, and its end.

// Idle calls back in every iteration that has no other callback of its priority or higher;
// libev's ev_idle. While an Idle is active, the loop does not park. An Idle is not called
// while an Idle of a higher priority is active, so the priorities of Idles rank background
// work.
type Idle struct {
	_ noCopy
	watcher
	fn func(*Idle)
}

// NewIdle makes an Idle. It panics if l or fn is nil.
func NewIdle(l *Loop, fn func(*Idle), opts ...Option) *Idle {
	w := &Idle{fn: fn}
	w.init("NewIdle", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active watcher or on a closed loop.
func (w *Idle) Start() {
	w.own("Start")
	w.loop.idle.of(&w.watcher).start(&w.watcher)
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (w *Idle) SetCallback(fn func(*Idle)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *Idle) call()         { w.fn(w) }
func (w *Idle) callback() any { return w.fn }
func (w *Idle) onStop()       { w.loop.idle.of(&w.watcher).remove(&w.watcher) }

// Prepare calls back before each poll, in a pass of its own; libev's ev_prepare. The poll
// that follows takes into account the watchers that the callback starts and the requests
// that it sends. If the callback stops the Run, there is no poll.
type Prepare struct {
	_ noCopy
	watcher
	fn func(*Prepare)
}

// NewPrepare makes a Prepare. It panics if l or fn is nil.
func NewPrepare(l *Loop, fn func(*Prepare), opts ...Option) *Prepare {
	w := &Prepare{fn: fn}
	w.init("NewPrepare", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active watcher or on a closed loop.
func (w *Prepare) Start() {
	w.own("Start")
	w.loop.prepares.start(&w.watcher)
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (w *Prepare) SetCallback(fn func(*Prepare)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *Prepare) call()         { w.fn(w) }
func (w *Prepare) callback() any { return w.fn }
func (w *Prepare) onStop()       { w.loop.prepares.remove(&w.watcher) }

// Check calls back after each poll, before all other callbacks of its priority or lower;
// libev's ev_check. A Prepare and a Check of MaxPriority bracket the poll.
type Check struct {
	_ noCopy
	watcher
	fn func(*Check)
}

// NewCheck makes a Check. It panics if l or fn is nil.
func NewCheck(l *Loop, fn func(*Check), opts ...Option) *Check {
	w := &Check{fn: fn}
	w.init("NewCheck", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active watcher or on a closed loop.
func (w *Check) Start() {
	w.own("Start")
	w.loop.checks.start(&w.watcher)
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (w *Check) SetCallback(fn func(*Check)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *Check) call()         { w.fn(w) }
func (w *Check) callback() any { return w.fn }
func (w *Check) onStop()       { w.loop.checks.remove(&w.watcher) }

// Cleanup calls back once, when the loop is closed, while the other watchers are still
// active; libev's ev_cleanup. It does not keep Run going. Loop.Close documents the goroutine
// on which it is called and what happens if it panics.
type Cleanup struct {
	_ noCopy
	watcher
	fn func(*Cleanup)
}

// NewCleanup makes a Cleanup. It panics if l or fn is nil.
func NewCleanup(l *Loop, fn func(*Cleanup), opts ...Option) *Cleanup {
	w := &Cleanup{fn: fn}
	w.init("NewCleanup", w, l, fn == nil, opts)
	w.weak = true
	return w
}

// Start activates the watcher. It has no effect on an active watcher or on a closed loop.
func (w *Cleanup) Start() {
	w.own("Start")
	w.loop.cleanups.start(&w.watcher)
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (w *Cleanup) SetCallback(fn func(*Cleanup)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *Cleanup) call()         { w.fn(w) }
func (w *Cleanup) callback() any { return w.fn }
func (w *Cleanup) onStop()       { w.loop.cleanups.remove(&w.watcher) }

// hookLists are a loop's hooks.
type hookLists struct {
	idle     idleHooks
	prepares hooks
	checks   hooks
	cleanups hooks
}

// hooks are the active watchers of one kind, in the order of their starts.
type hooks []*watcher

func (h *hooks) start(w *watcher) {
	if w.begin() {
		*h = append(*h, w)
	}
}

func (h *hooks) remove(w *watcher) {
	i := len(*h) - 1 // Close stops the last first
	for (*h)[i] != w {
		i--
	}
	*h = slices.Delete(*h, i, i+1)
}

func (h hooks) mark(p *pending, events Events) {
	for _, w := range h {
		p.mark(w, events)
	}
}

// idleHooks are the Idles, by priority.
type idleHooks [levels]hooks

func (h *idleHooks) of(w *watcher) *hooks { return &h[int(w.priority)-MinPriority] }

func (h *idleHooks) any() bool {
	for i := range h {
		if len(h[i]) > 0 {
			return true
		}
	}
	return false
}

func (l *Loop) markPrepares() { l.prepares.mark(&l.pending, PrepareEvent) }
func (l *Loop) markCleanups() { l.cleanups.mark(&l.pending, CleanupEvent) }

// markIdles makes the Idles of the highest priority that has some pending, unless a callback
// of that priority or a higher one is pending.
func (l *Loop) markIdles() {
	for i := len(l.idle) - 1; i >= 0 && !l.pending.has(i); i-- {
		if len(l.idle[i]) > 0 {
			l.idle[i].mark(&l.pending, IdleEvent)
			return
		}
	}
}

// markChecks puts the Checks before the callbacks that are pending already.
func (l *Loop) markChecks() {
	for _, w := range slices.Backward(l.checks) {
		l.pending.markFirst(w, CheckEvent)
	}
}
