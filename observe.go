package ev

import (
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
type Observer struct {
	// Enter is called when a Run, RunOnce or RunNoWait has begun, Leave before it
	// returns, nested ones included.
	Enter, Leave func(at time.Time)
	// Begin is called before each callback, and End after it, also after one that
	// panicked or called runtime.Goexit.
	Begin, End func(c Callback, at time.Time)
	// Pass is called before callbacks are made, if any are pending.
	Pass func(l *Loop, at time.Time)
	// Due is called when a Timer has expired and is made pending: due is when it
	// should have, at when the loop noticed. Its Begin follows, unless it is
	// stopped before.
	Due func(w Watcher, due, at time.Time)
	// Park is called before the loop sleeps.
	Park func(at time.Time)
	// Unpark is called when it has slept. If it was woken, woken is how long ago
	// the sender found it asleep; if a descriptor or a timer ended the sleep, woken
	// is negative.
	Unpark func(at time.Time, woken time.Duration)
}

// Observe has o told what the loop does, from its next iteration on, until stop
// is called. Any goroutine may call Observe and stop; a call to o may be in
// progress when stop returns. A loop may have several observers. They cost it two
// readings of the clock per callback, park and Run, and one per pass. Without any
// it makes a load in each of these places.
func (l *Loop) Observe(o *Observer) (stop func()) {
	l.made("Observe")
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

func (o *observers) enter(at time.Time) {
	for _, o := range o.all {
		if o.Enter != nil {
			o.Enter(at)
		}
	}
}

func (o *observers) leave(at time.Time) {
	for _, o := range o.all {
		if o.Leave != nil {
			o.Leave(at)
		}
	}
}

func (o *observers) begin(c Callback, at time.Time) {
	for _, o := range o.all {
		if o.Begin != nil {
			o.Begin(c, at)
		}
	}
}

func (o *observers) end(c Callback, at time.Time) {
	for _, o := range o.all {
		if o.End != nil {
			o.End(c, at)
		}
	}
}

func (o *observers) pass(l *Loop) {
	at := l.instant()
	for _, o := range o.all {
		if o.Pass != nil {
			o.Pass(l, at)
		}
	}
}

func (o *observers) due(w *watcher, due time.Duration) {
	l := w.loop
	for _, o := range o.all {
		if o.Due != nil {
			o.Due(w.self, l.base.Add(due), l.base.Add(l.mono))
		}
	}
}

// park comes before the user's release function, and unpark after acquire: in
// between, the loop is not theirs to look at.
func (o *observers) park(l *Loop) {
	at := l.instant()
	for _, o := range o.all {
		if o.Park != nil {
			o.Park(at)
		}
	}
	o.claimed.Store(0)
}

// unpark: the sender's claim came before the wake that ended the sleep, so its time
// is there to be read. One that comes late, for a park that is over, is taken for a
// claim of the next, which it wakes too.
func (o *observers) unpark(l *Loop) {
	at, woken := l.instant(), time.Duration(-1)
	if claimed := o.claimed.Load(); claimed != 0 {
		woken = max(0, at.Sub(l.base)-time.Duration(claimed))
	}
	for _, o := range o.all {
		if o.Unpark != nil {
			o.Unpark(at, woken)
		}
	}
}

// noteEnter and noteLeave tell the observers, if any, of a Run.
func (l *Loop) noteEnter() {
	if o := l.observers.Load(); o != nil {
		o.enter(l.instant())
	}
}

func (l *Loop) noteLeave() {
	if o := l.observers.Load(); o != nil {
		o.leave(l.instant())
	}
}

// noteDue tells the observers, if any, that a timer has expired.
func (l *Loop) noteDue(w *watcher, due time.Duration) {
	if o := l.observers.Load(); o != nil {
		o.due(w, due)
	}
}

// noteClaim notes when a parked loop was claimed, for Unpark.
func (l *Loop) noteClaim() {
	if o := l.observers.Load(); o != nil {
		o.claimed.Store(int64(time.Since(l.base)) | 1)
	}
}
