// Package started is the input of the analyzer's test for watchers that are not started, and for
// errors of Start that are dropped.
package started

import (
	"os"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

type app struct {
	loop    *ev.Loop
	flush   *ev.Timer
	wake    *ev.Async
	reload  *ev.Signal
	shared  *ev.Timer
	Exposed *ev.Timer
	fed     *ev.Idle
	ticker  *evtime.Ticker
}

var forgotten, remembered *ev.Timer

func New(l *ev.Loop) *app {
	a := &app{
		loop: l,
		wake: ev.NewAsync(l, func(*ev.Async) {}), // want `this Async is never started: call its Start, or do not make it`
		fed:  ev.NewIdle(l, func(*ev.Idle) {}),
	}
	a.flush = ev.NewTimer(l, 0, time.Second, func(*ev.Timer) {}) // want `this Timer is never started`
	a.reload = ev.NewSignal(l, os.Interrupt, func(*ev.Signal) {})
	a.shared = ev.NewTimer(l, 0, time.Second, func(*ev.Timer) {})
	a.Exposed = ev.NewTimer(l, 0, time.Second, func(*ev.Timer) {})
	a.ticker = evtime.NewTicker(l, time.Second, func(*evtime.Ticker, int64) {}) // want `this Ticker is never started`
	forgotten = ev.NewTimer(l, 0, 0, func(*ev.Timer) {})                        // want `this Timer is never started`
	remembered = ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	return a
}

func (a *app) Run() {
	a.wake.Send()
	a.fed.Feed(ev.Custom)
	defer a.flush.Stop()
	start(a.shared)
	_ = a.loop.Post(remembered.Start)
	if a.flush != nil && a.flush.Active() {
		a.ticker.Stop()
	}
	a.reload.Start()       // want `the error of Signal.Start is dropped, and the watcher is not active if there is one: check the error of Start`
	defer a.reload.Start() // want `the error of Signal.Start`
	_ = a.reload.Start()
	if err := a.reload.Start(); err != nil {
		panic(err)
	}
	ev.NewStat(a.loop, "/", 0, func(*ev.Stat) {}).Start() // want `the error of Stat.Start`
}

func newTimer(l *ev.Loop) *ev.Timer { return ev.NewTimer(l, 0, 0, func(*ev.Timer) {}) }

func start(t *ev.Timer) { t.Start() }

func Locals(l *ev.Loop, at func(*ev.Timer)) *ev.Timer {
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {})               // want `this Timer is never started`
	_ = ev.NewIdle(l, func(*ev.Idle) {})                   // want `this Idle is never started`
	q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {}) // want `this Queue is never started`
	_ = q.Send(1)
	t := ev.NewTimer(l, time.Second, 0, func(t *ev.Timer) { t.Start() }) // want `this Timer is never started`
	t.Keep(false)
	passed := ev.NewTimer(l, 0, 0, at)
	at(passed)
	started := ev.NewTimer(l, 0, 0, at)
	func() { started.Start() }()
	reset := ev.NewTimer(l, 0, 1, at)
	reset.Reset()
	all := []*ev.Timer{ev.NewTimer(l, 0, 0, at)}
	all[0].Start()
	evtime.NewDebounce(l, 0, 0, func(*evtime.Debounce) {}).Trigger()
	ev.NewCond(l).Broadcast()
	ev.Spawn(l, func(t *ev.Task) error { return t.Yield() })
	newTimer(l)           // want `this Timer is never started`
	helped := newTimer(l) // want `this Timer is never started`
	defer helped.Stop()
	newTimer(l).Start()
	returned := ev.NewTimer(l, 0, 0, at)
	return returned
}
