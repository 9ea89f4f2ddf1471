package ev

import (
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/atomic"
)

// Observer is a set of functions that a loop calls at each of its steps. Metrics,
// profilers and flight recorders are built on it. Any of the functions may be nil. They
// are called on the loop's goroutine, hold it up for as long as they take, and may look
// at the loop and its watchers but must not change them.
//
// A nested Run, or an Invoke of the loop in a callback, makes callbacks inside a callback:
// Begin and End come in pairs, as parentheses do. A watcher's own Invoke is part of the
// callback that called it.
//
// # Panics
//
// A panic in one of the functions is handled like a panic in a callback: it leaves Run or,
// with WithPanicHandler, the handler is called, with a nil Watcher, and the loop goes on. A
// panic or a runtime.Goexit loses nothing of the loop:
//
//   - A callback whose Begin did not return is still due. Its watcher is pending again, as
//     the first of its priority. With a handler, and on a loop that is closed, the callback
//     is made at once.
//   - Timers that were due stay due, or are pending. If one is pending then, Due may not
//     be called for it.
//   - Leave, End and Unpark of an observer are called if its Enter, Begin or Park before
//     them returned, even if another observer panics. Otherwise they are not called.
type Observer struct {
	// Enter is called when a Run, RunOnce or RunNoWait has begun, Leave before it
	// returns, nested ones included.
	Enter, Leave func(at time.Time)
	// Begin is called before each callback, when its watcher is not pending any more. End
	// is called after it, also if it panicked or called runtime.Goexit.
	Begin, End func(c Callback, at time.Time)
	// Pass is called before callbacks are made, if any are pending.
	Pass func(l *Loop, at time.Time)
	// Due is called when a Timer has expired and is pending. due is when it should have
	// expired, and at is when it did. Its Begin follows, unless the Timer is stopped
	// before.
	Due func(w Watcher, due, at time.Time)
	// Park is called before the loop sleeps.
	Park func(at time.Time)
	// Unpark is called when the loop has slept, unless a function of SetRelease panicked.
	// If a sender woke the loop, woken is how long ago the sender found it asleep. If a
	// descriptor or a timer ended the sleep, woken is negative.
	Unpark func(at time.Time, woken time.Duration)
}

// Observe adds an observer, whose functions are called from the loop's next iteration on,
// until stop is called. Any goroutine may call Observe and stop. A call to o may be in
// progress when stop returns. A loop may have several observers.
//
// With observers, a loop reads the clock twice per callback, park and Run, and once per
// pass. Without observers, it makes one load in each of these places.
func (l *Loop) Observe(o *Observer) (stop func()) {
	l.checkConstructed("Observe")
	if o == nil {
		panic("ev: Loop.Observe: nil observer")
	}
	added := *o // another one for each Observe
	l.changeObservers(func(all []*Observer) []*Observer { return append(all, &added) })
	return func() {
		l.changeObservers(func(all []*Observer) []*Observer {
			return slices.DeleteFunc(all, func(o *Observer) bool { return o == &added })
		})
	}
}

// changeObservers replaces the list, and never changes one: the loop reads it without a
// lock.
func (l *Loop) changeObservers(change func([]*Observer) []*Observer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := &observers{claimed: new(atomic.Int64)}
	if o := l.observers.Load(); o != nil {
		next.claimed, next.all = o.claimed, slices.Clone(o.all)
	}
	if next.all = change(next.all); len(next.all) == 0 {
		next = nil
	}
	l.observers.Store(next)
}

type observers struct {
	claimed *atomic.Int64 // when a sender claimed the park, since Loop.base; 0 is never
	all     []*Observer
}

// notifyOne calls an observer's function, and reports whether it returned. If it panicked
// and the loop has a handler, that was called.
func (l *Loop) notifyOne(o *Observer, of func(*Observer)) (notified bool) {
	if l.onPanic != nil {
		return l.notifyOrRecover(o, of)
	}
	of(o)
	return true
}

func (l *Loop) notifyOrRecover(o *Observer, of func(*Observer)) (notified bool) {
	defer func() {
		if v := recover(); v != nil {
			l.observerPanicked(v, debug.Stack())
		}
	}()
	of(o)
	return true
}

// notifyAll calls a function of all of them, even if one panics or calls runtime.Goexit.
func (l *Loop) notifyAll(all []*Observer, of func(*Observer)) {
	next := 0
	defer func() {
		if next < len(all) {
			l.notifyAll(all[next:], of)
		}
	}()
	for next < len(all) {
		o := all[next]
		next++
		l.notifyOne(o, of)
	}
}

// notifyBegin calls begin for all of them, and returns those for which end must be called.
// If a panic or a runtime.Goexit leaves one of the functions, nothing begins, and
// notifyBegin calls end for the observers before it.
func (l *Loop) notifyBegin(all []*Observer, begin, end func(*Observer)) []*Observer {
	notified := 0
	defer func() {
		if notified < len(all) {
			l.notifyAll(all[:notified], end)
		}
	}()
	for notified < len(all) {
		if l.notifyOne(all[notified], begin) {
			notified++
		} else {
			all = slices.Delete(slices.Clone(all), notified, notified+1)
		}
	}
	return all
}

func (l *Loop) observerPanicked(v any, stack []byte) {
	defer l.onPanic(nil, v, stack)
	if l.logger != nil {
		l.logger.Error("ev: panic in an observer", "loop", l.name, "panic", v, "stack", string(stack))
	}
}

// observed makes a callback between the Begin and the End of each observer. The entry is
// out of its queue and its watcher is not pending. If a panic or a Goexit leaves a Begin,
// the entry is put back. On a closed loop no pass would follow, so the callback is made at
// once.
func (l *Loop) observed(o *observers, e entry, c Callback) {
	made := false
	defer func() {
		switch {
		case made:
		case l.isClosed():
			e.callWith(c.Events)
		default:
			l.pending.putBack(e, c.Events)
		}
	}()
	began, ended := l.instant(), time.Time{}
	end := func(o *Observer) {
		if o.End == nil {
			return
		}
		if ended.IsZero() { // one reading for all of them
			ended = l.instant()
		}
		o.End(c, ended)
	}
	notified := l.notifyBegin(o.all, func(o *Observer) {
		if o.Begin != nil {
			o.Begin(c, began)
		}
	}, end)
	defer l.notifyAll(notified, end)
	l.requests.begun(e.w)
	made = true
	e.callWith(c.Events)
}

func (l *Loop) notifyPass(o *observers) {
	at := l.instant()
	for _, o := range o.all {
		if o.Pass != nil {
			l.notifyOne(o, func(o *Observer) { o.Pass(l, at) })
		}
	}
}

// notifyDue is for a Timer that has expired. Other kinds have no Due.
func (l *Loop) notifyDue(o *observers, d dueAlarm) {
	t, ok := d.a.self.(*Timer)
	if !ok {
		return
	}
	due, at := l.base.Add(d.due), l.base.Add(l.mono)
	for _, o := range o.all {
		if o.Due != nil {
			l.notifyOne(o, func(o *Observer) { o.Due(t, due, at) })
		}
	}
}

// notifyPark is called before the user's release function, and notifyUnpark after acquire:
// in between, observers must not look at the loop.
func (l *Loop) notifyPark(o *observers) (notified []*Observer) {
	at := l.instant()
	notified = l.notifyBegin(o.all, func(o *Observer) {
		if o.Park != nil {
			o.Park(at)
		}
	}, func(o *Observer) {
		if o.Unpark != nil {
			o.Unpark(at, -1)
		}
	})
	o.claimed.Store(0)
	return notified
}

// notifyUnpark reads the time of the sender's claim, which comes before the wake that ended
// the sleep. A late claim, for a park that is over, counts as a claim of the next park,
// which it wakes too.
func (l *Loop) notifyUnpark(o *observers, notified []*Observer) {
	at, woken := l.instant(), time.Duration(-1)
	if claimed := o.claimed.Load(); claimed != 0 {
		woken = max(0, at.Sub(l.base)-time.Duration(claimed))
	}
	l.notifyAll(notified, func(o *Observer) {
		if o.Unpark != nil {
			o.Unpark(at, woken)
		}
	})
}

// notifyEnter is for the begin of a Run. It returns the observers whose Enter panicked:
// notifyLeave does not call their Leave. It does call that of observers added meanwhile.
func (l *Loop) notifyEnter() (missed []*Observer) {
	o := l.observers.Load()
	if o == nil {
		return nil
	}
	at := l.instant()
	notified := l.notifyBegin(o.all, func(o *Observer) {
		if o.Enter != nil {
			o.Enter(at)
		}
	}, leaving(at))
	if len(notified) < len(o.all) {
		missed = slices.DeleteFunc(slices.Clone(o.all), func(o *Observer) bool { return slices.Contains(notified, o) })
	}
	return missed
}

func (l *Loop) notifyLeave(missed []*Observer) {
	o := l.observers.Load()
	if o == nil {
		return
	}
	all := o.all
	if len(missed) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(o *Observer) bool { return slices.Contains(missed, o) })
	}
	l.notifyAll(all, leaving(l.instant()))
}

// leaving calls an observer's Leave.
func leaving(at time.Time) func(*Observer) {
	return func(o *Observer) {
		if o.Leave != nil {
			o.Leave(at)
		}
	}
}

// noteClaim stores when a sender claimed the park, for Unpark.
func (l *Loop) noteClaim() {
	if o := l.observers.Load(); o != nil {
		o.claimed.Store(int64(time.Since(l.base)) | 1)
	}
}
