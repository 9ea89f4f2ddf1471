package ev

import "go.uber.org/atomic"

// The end of a loop: which goroutine tears it down, and how nothing is left out.

// closing is the state of the end of a loop.
type closing struct {
	closed atomic.Uint32 // by Close; changed with Loop.mu and embedding held
	done   chan struct{} // closed then
	freed  bool          // the teardown is over; the loop goroutine's
}

func (l *Loop) isClosed() bool { return l.closed.Load() != 0 }

// Close ends the loop's life (ev_loop_destroy). Any goroutine may call it, any number of
// times. It does not wait for a busy loop.
//
// During a Run, Close marks the loop closed, wakes it and returns nil. That Run finishes
// the callback in progress, calls the Cleanups, frees the descriptors, and returns
// ErrClosed. A Run of the loop's host counts too, and of a host above that; see Embed.
//
// Without a Run, Close does all that before it returns, on the caller's goroutine. No
// other goroutine may use the loop or its watchers meanwhile.
//
// Pending callbacks other than the Cleanups, and posted functions that have not begun, are
// dropped. Watchers are stopped.
//
// If a Cleanup panics or calls runtime.Goexit, the other Cleanups are called all the same,
// and everything is freed. Then the first panic, or the Goexit, leaves the Run or Close. A
// panic handler gets all the panics instead.
func (l *Loop) Close() error {
	l.checkConstructed("Close")
	closed, deferred := l.shut()
	if !closed {
		l.mail.refuse()
	}
	switch {
	case closed:
		return nil
	case deferred:
		l.wake()
		return nil
	}
	return l.teardown()
}

// shut marks the loop closed and decides which goroutine tears it down: that of a Run
// that has the loop, or else the caller. It decides once, with embedding held. So each
// loop is torn down once, by a goroutine that owns it. No Run begins on a closed loop. See
// endRun for why a host's Run does not end too early, and detach for Stop of an Embed.
func (l *Loop) shut() (already, deferred bool) {
	embedding.Lock()
	defer embedding.Unlock()
	l.mu.Lock()
	already = l.isClosed()
	running := len(l.runs) > 0
	if !already {
		l.closed.Store(1)
		close(l.done)
	}
	l.mu.Unlock()
	return already, !already && (running || l.deferClose())
}

// finishRun tears down the loops that were left to a Run, then ends the Run, and reports
// whether its loop is closed. panicked is the value that the Run panics with, or nil. More
// loops may be closed meanwhile, so finishRun goes on until endRun succeeds.
func (l *Loop) finishRun(panicked any) (closed bool) {
	inAnyCase(panicked, func() bool {
		for _, e := range l.embedded.closed(nil) {
			e.Stop()
		}
		if l.isClosed() && !l.freed {
			l.depth = 0
			_ = l.teardown()
		}
		var ended bool
		ended, closed = l.endRun()
		return !ended
	})
	return closed
}

// stopClosedEmbeds is called between two polls.
func (l *Loop) stopClosedEmbeds() {
	inAnyCase(nil, func() bool {
		for _, e := range l.embedded.closed(nil) {
			e.Stop()
		}
		return false
	})
}

// teardown calls the Cleanups and frees the resources. It is called once, and
// does all of it even if user code panics.
func (l *Loop) teardown() (err error) {
	l.pending.drop()
	var embeds []*Embed
	left := -1
	inAnyCase(nil,
		l.endTasks(),
		func() bool {
			l.pending.drop()
			l.markCleanups()
			return false
		},
		func() bool {
			stuck := left == l.pending.count
			left = l.pending.count
			l.callCleanups(stuck)
			return false
		},
		func() bool {
			embeds, err = l.free()
			return false
		},
		func() bool {
			for _, e := range embeds {
				e.finishClose()
			}
			return false
		})
	return err
}

// endTasks returns a function that ends a task, and reports whether there may be more. It goes
// through the active watchers from the last to the first. No watcher starts any more: when one
// stops, one that was looked at already comes into its place.
func (l *Loop) endTasks() func() (more bool) {
	i := len(l.active)
	return func() bool {
		for i = min(i, len(l.active)); i > 0; {
			i--
			if t, ok := l.active[i].self.(interface{ beforeCleanups() bool }); ok && t.beforeCleanups() {
				return true
			}
		}
		return false
	}
}

// callCleanups is called again after a panic or a Goexit. stuck means that the last time it
// called none of them: an observer has panicked before the pass. Then the Cleanups are
// called without observers.
func (l *Loop) callCleanups(stuck bool) {
	open := new(atomic.Uint32)
	if stuck {
		l.pending.pass(open, nil)
	} else {
		l.callPending(open)
	}
}

// free stops all watchers. It returns the Embeds among them: finishClose must be called
// on each.
func (l *Loop) free() ([]*Embed, error) {
	unregister(l.id)
	embeds := append([]*Embed(nil), l.embedded...)
	for len(l.active) > 0 {
		w := l.active[len(l.active)-1]
		w.self.onStop()
		l.deactivate(w)
	}
	for a := l.timers.last(); a != nil; a = l.timers.last() { // Timers: the other kinds are out of it by now
		a.self.onStop()
		l.deactivate(&a.watcher)
	}
	l.pending.drop()
	l.mail.drop()
	l.letGo()
	l.freed = true
	l.publish()
	return embeds, l.resources.close()
}

// inAnyCase calls the steps, one after the other, and each until it returns false, also
// after it has panicked or called runtime.Goexit. So a step must make progress even then.
// The first panic goes on after the last step, and so does a Goexit, unless a panic ends
// the program before. If panicked is not nil, the caller has recovered it, and it is the
// first.
func inAnyCase(panicked any, steps ...func() (more bool)) {
	t := thorough{panicked, steps}
	t.work()
	t.goOn()
}

type thorough struct {
	panicked any
	steps    []func() (more bool)
}

// work goes on in the deferred function when a step panics. The frames of that step are
// still on the stack when its panic goes on, so a stack trace shows them.
func (t *thorough) work() {
	done := false
	defer func() {
		if done {
			return
		}
		if v := recover(); t.panicked == nil { // nil is a Goexit
			t.panicked = v
		}
		t.work()
		t.goOn() // the deepest of these calls, above all frames that panicked
	}()
	for len(t.steps) > 0 {
		if !t.steps[0]() {
			t.steps = t.steps[1:]
		}
	}
	done = true
}

func (t *thorough) goOn() {
	if t.panicked != nil {
		panic(t.panicked)
	}
}
