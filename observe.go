package ev

import (
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/atomic"
)

// Observer is told what a loop does, as it does it: the ground on which metrics,
// profilers and flight recorders stand. Any of the functions may be nil. They are
// called on the loop's goroutine, hold it up for as long as they take, and may
// look at the loop and its watchers but not change them.
//
// A nested Run, or an Invoke of the loop in a callback, makes callbacks inside a
// callback: Begin and End come in pairs, as parentheses do. What a watcher's own
// Invoke calls is part of the callback that called it.
//
// # Panics
//
// A panic in one of the functions meets the loop's policy, as one in a callback
// does: it leaves Run or, with WithPanicHandler, the handler gets it, with a nil
// Watcher, and the loop goes on. The loop loses nothing by it, nor by a function
// that calls runtime.Goexit:
//
//   - A callback whose Begin did not return is still due. Its watcher is pending
//     again, as the first of its priority. With a handler, and on a loop that is
//     closed, the callback is made at once.
//   - Timers that were due stay due, or are pending. Of those that are pending by
//     then, the Due may be left out.
//   - An observer whose Enter, Begin or Park returned is told of the Leave, End or
//     Unpark that belongs to it, whatever the other observers do. One whose
//     function did not return is not told.
type Observer struct {
	// Enter is called when a Run, RunOnce or RunNoWait has begun, Leave before it
	// returns, nested ones included.
	Enter, Leave func(at time.Time)
	// Begin is called before each callback, when its watcher is not pending any
	// more, and End after it, also after one that panicked or called
	// runtime.Goexit.
	Begin, End func(c Callback, at time.Time)
	// Pass is called before callbacks are made, if any are pending.
	Pass func(l *Loop, at time.Time)
	// Due is called when a Timer has expired and is pending: due is when it should
	// have, at when the loop noticed. Its Begin follows, unless it is stopped
	// before.
	Due func(w Watcher, due, at time.Time)
	// Park is called before the loop sleeps.
	Park func(at time.Time)
	// Unpark is called when the loop has slept, unless a function of SetRelease
	// panicked. If a sender woke the loop, woken is how long ago the sender found it
	// asleep. If a descriptor or a timer ended the sleep, woken is negative.
	Unpark func(at time.Time, woken time.Duration)
}

// Observe has o told what the loop does, from its next iteration on, until stop
// is called. Any goroutine may call Observe and stop; a call to o may be in
// progress when stop returns. A loop may have several observers. They cost it two
// readings of the clock per callback, park and Run, and one per pass. Without any
// it makes a load in each of these places.
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

// changeObservers replaces the list: the loop, which reads it without a lock,
// never sees one change.
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

// tellOne calls an observer's function, and reports whether that returned. If it
// panicked, and the loop has a handler, that was told.
func (l *Loop) tellOne(o *Observer, of func(*Observer)) (told bool) {
	if l.onPanic != nil {
		return l.tryToTell(o, of)
	}
	of(o)
	return true
}

func (l *Loop) tryToTell(o *Observer, of func(*Observer)) (told bool) {
	defer func() {
		if v := recover(); v != nil {
			l.observerPanicked(v, debug.Stack())
		}
	}()
	of(o)
	return true
}

// tellAll tells all of them, also those after one that panics or calls
// runtime.Goexit.
func (l *Loop) tellAll(all []*Observer, of func(*Observer)) {
	next := 0
	defer func() {
		if next < len(all) {
			l.tellAll(all[next:], of)
		}
	}()
	for next < len(all) {
		o := all[next]
		next++
		l.tellOne(o, of)
	}
}

// tellBegin tells them of a beginning, and returns those that must be told of the end.
// If one of them leaves, by a panic or runtime.Goexit, nothing begins, and those before
// it are told of the end.
func (l *Loop) tellBegin(all []*Observer, begin, end func(*Observer)) []*Observer {
	told := 0
	defer func() {
		if told < len(all) {
			l.tellAll(all[:told], end)
		}
	}()
	for told < len(all) {
		if l.tellOne(all[told], begin) {
			told++
		} else {
			all = slices.Delete(slices.Clone(all), told, told+1)
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

// observed makes a callback between the Begin and the End of each observer. The entry
// is out of its queue and its watcher is not pending. If a Begin leaves, the entry is
// put back. On a closed loop no pass would come for it, so the callback is made at once.
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
	told := l.tellBegin(o.all, func(o *Observer) {
		if o.Begin != nil {
			o.Begin(c, began)
		}
	}, end)
	defer l.tellAll(told, end)
	made = true
	e.callWith(c.Events)
}

func (l *Loop) tellPass(o *observers) {
	at := l.instant()
	for _, o := range o.all {
		if o.Pass != nil {
			l.tellOne(o, func(o *Observer) { o.Pass(l, at) })
		}
	}
}

// tellDue tells of a Timer that has expired, and of no other kind.
func (l *Loop) tellDue(o *observers, e alarmEntry) {
	t, ok := e.a.self.(*Timer)
	if !ok {
		return
	}
	due, at := l.base.Add(e.due), l.base.Add(l.mono)
	for _, o := range o.all {
		if o.Due != nil {
			l.tellOne(o, func(o *Observer) { o.Due(t, due, at) })
		}
	}
}

// tellPark comes before the user's release function, and tellUnpark after acquire:
// in between, the loop is not theirs to look at.
func (l *Loop) tellPark(o *observers) (told []*Observer) {
	at := l.instant()
	told = l.tellBegin(o.all, func(o *Observer) {
		if o.Park != nil {
			o.Park(at)
		}
	}, func(o *Observer) {
		if o.Unpark != nil {
			o.Unpark(at, -1)
		}
	})
	o.claimed.Store(0)
	return told
}

// tellUnpark: the sender's claim came before the wake that ended the sleep, so its
// time is there to be read. One that comes late, for a park that is over, is taken
// for a claim of the next, which it wakes too.
func (l *Loop) tellUnpark(o *observers, told []*Observer) {
	at, woken := l.instant(), time.Duration(-1)
	if claimed := o.claimed.Load(); claimed != 0 {
		woken = max(0, at.Sub(l.base)-time.Duration(claimed))
	}
	l.tellAll(told, func(o *Observer) {
		if o.Unpark != nil {
			o.Unpark(at, woken)
		}
	})
}

// noteEnter tells the observers, if any, that a Run begins. It returns those whose Enter
// panicked: noteLeave does not tell them of the end. It does tell those that came later.
func (l *Loop) noteEnter() (untold []*Observer) {
	o := l.observers.Load()
	if o == nil {
		return nil
	}
	at := l.instant()
	told := l.tellBegin(o.all, func(o *Observer) {
		if o.Enter != nil {
			o.Enter(at)
		}
	}, leaving(at))
	if len(told) < len(o.all) {
		untold = slices.DeleteFunc(slices.Clone(o.all), func(o *Observer) bool { return slices.Contains(told, o) })
	}
	return untold
}

func (l *Loop) noteLeave(untold []*Observer) {
	o := l.observers.Load()
	if o == nil {
		return
	}
	all := o.all
	if len(untold) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(o *Observer) bool { return slices.Contains(untold, o) })
	}
	l.tellAll(all, leaving(l.instant()))
}

// leaving returns what tells of the end of a Run.
func leaving(at time.Time) func(*Observer) {
	return func(o *Observer) {
		if o.Leave != nil {
			o.Leave(at)
		}
	}
}

// noteClaim notes when a parked loop was claimed, for Unpark.
func (l *Loop) noteClaim() {
	if o := l.observers.Load(); o != nil {
		o.claimed.Store(int64(time.Since(l.base)) | 1)
	}
}
