package ev

import "slices"

// The four kinds in this file wait for nothing outside the loop. They mark places
// in its iteration, and at its end.

// Idle calls back in every iteration that has nothing else to call of its priority
// or higher; libev's ev_idle. While an Idle is active, the loop does not park. An Idle
// is not called while one of a higher priority is active, so the priorities of Idles
// rank background work.
type Idle struct {
	_ noCopy
	watcher
	fn func(*Idle)
}

// NewIdle makes an Idle. It panics when l or fn is nil.
func NewIdle(l *Loop, fn func(*Idle), opts ...Option) *Idle {
	w := &Idle{fn: fn}
	w.watcher.init("NewIdle", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active one or on a closed
// loop.
func (w *Idle) Start() {
	w.own("Start")
	if w.begin() {
		w.loop.idle[int(w.priority)-MinPriority].add(&w.watcher)
	}
}

// SetCallback replaces the callback, from the next call on.
func (w *Idle) SetCallback(fn func(*Idle)) {
	w.own("SetCallback")
	if fn == nil {
		panic("ev: Idle.SetCallback: nil callback")
	}
	w.fn = fn
}

func (w *Idle) call()         { w.fn(w) }
func (w *Idle) callback() any { return w.fn }
func (w *Idle) halt()         { w.loop.idle[int(w.priority)-MinPriority].remove(&w.watcher) }

// Prepare calls back before each poll, in a pass of its own; libev's ev_prepare.
// Watchers that it starts, and requests that it sends, count for the poll that
// follows. If it stops the Run, there is no poll.
type Prepare struct {
	_ noCopy
	watcher
	fn func(*Prepare)
}

// NewPrepare makes a Prepare. It panics when l or fn is nil.
func NewPrepare(l *Loop, fn func(*Prepare), opts ...Option) *Prepare {
	w := &Prepare{fn: fn}
	w.watcher.init("NewPrepare", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active one or on a closed
// loop.
func (w *Prepare) Start() {
	w.own("Start")
	if w.begin() {
		w.loop.prepares.add(&w.watcher)
	}
}

// SetCallback replaces the callback, from the next call on.
func (w *Prepare) SetCallback(fn func(*Prepare)) {
	w.own("SetCallback")
	if fn == nil {
		panic("ev: Prepare.SetCallback: nil callback")
	}
	w.fn = fn
}

func (w *Prepare) call()         { w.fn(w) }
func (w *Prepare) callback() any { return w.fn }
func (w *Prepare) halt()         { w.loop.prepares.remove(&w.watcher) }

// Check calls back after each poll, before everything else of its priority or lower;
// libev's ev_check. A Prepare and a Check of MaxPriority bracket the poll.
type Check struct {
	_ noCopy
	watcher
	fn func(*Check)
}

// NewCheck makes a Check. It panics when l or fn is nil.
func NewCheck(l *Loop, fn func(*Check), opts ...Option) *Check {
	w := &Check{fn: fn}
	w.watcher.init("NewCheck", w, l, fn == nil, opts)
	return w
}

// Start activates the watcher. It has no effect on an active one or on a closed
// loop.
func (w *Check) Start() {
	w.own("Start")
	if w.begin() {
		w.loop.checks.add(&w.watcher)
	}
}

// SetCallback replaces the callback, from the next call on.
func (w *Check) SetCallback(fn func(*Check)) {
	w.own("SetCallback")
	if fn == nil {
		panic("ev: Check.SetCallback: nil callback")
	}
	w.fn = fn
}

func (w *Check) call()         { w.fn(w) }
func (w *Check) callback() any { return w.fn }
func (w *Check) halt()         { w.loop.checks.remove(&w.watcher) }

// Cleanup calls back once, when the loop is closed, while the other watchers are still
// active; libev's ev_cleanup. It does not keep Run going. Close says on which goroutine
// it is called, and what happens when it panics.
type Cleanup struct {
	_ noCopy
	watcher
	fn func(*Cleanup)
}

// NewCleanup makes a Cleanup. It panics when l or fn is nil.
func NewCleanup(l *Loop, fn func(*Cleanup), opts ...Option) *Cleanup {
	w := &Cleanup{fn: fn}
	w.watcher.init("NewCleanup", w, l, fn == nil, opts)
	w.weak = true
	return w
}

// Start activates the watcher. It has no effect on an active one or on a closed
// loop.
func (w *Cleanup) Start() {
	w.own("Start")
	if w.begin() {
		w.loop.cleanups.add(&w.watcher)
	}
}

// SetCallback replaces the callback, from the next call on.
func (w *Cleanup) SetCallback(fn func(*Cleanup)) {
	w.own("SetCallback")
	if fn == nil {
		panic("ev: Cleanup.SetCallback: nil callback")
	}
	w.fn = fn
}

func (w *Cleanup) call()         { w.fn(w) }
func (w *Cleanup) callback() any { return w.fn }
func (w *Cleanup) halt()         { w.loop.cleanups.remove(&w.watcher) }

// hooks are the active watchers of one kind, in the order of their starts.
type hooks []*watcher

func (h *hooks) add(w *watcher) { *h = append(*h, w) }

func (h *hooks) remove(w *watcher) {
	i := len(*h) - 1 // Close stops the last first
	for (*h)[i] != w {
		i--
	}
	*h = slices.Delete(*h, i, i+1)
}

// idleHooks are the Idles, by priority.
type idleHooks [levels]hooks

func (h *idleHooks) any() bool {
	for i := range h {
		if len(h[i]) > 0 {
			return true
		}
	}
	return false
}

// markPrepares and its likes make the watchers of a kind pending.
func (l *Loop) markPrepares() {
	for _, w := range l.prepares {
		l.pending.mark(w, PrepareEvent)
	}
}

// markIdles picks the highest priority that has Idles, unless something of that
// priority or a higher one is pending.
func (l *Loop) markIdles() {
	for i := len(l.idle) - 1; i >= 0 && !l.pending.has(i); i-- {
		if len(l.idle[i]) > 0 {
			for _, w := range l.idle[i] {
				l.pending.mark(w, IdleEvent)
			}
			return
		}
	}
}

// markChecks puts the Checks before what is pending already.
func (l *Loop) markChecks() {
	for _, w := range slices.Backward(l.checks) {
		l.pending.markFirst(w, CheckEvent)
	}
}

func (l *Loop) markCleanups() {
	for _, w := range l.cleanups {
		l.pending.mark(w, CleanupEvent)
	}
}
