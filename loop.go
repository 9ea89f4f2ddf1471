package ev

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/goevlib/ev/internal/pathwatch"
)

// This file is the loop: New, Run, and the phases of an iteration (iterate). run.go has the
// Runs that are active.

// ErrClosed is returned by the methods of a closed loop.
var ErrClosed = errors.New("ev: loop closed")

// Loop is an event loop; libev's struct ev_loop. It belongs to the goroutine that is in
// Run or, before Run, to the goroutine that sets it up. Methods of the loop and of its
// watchers must be called on that goroutine. The package comment lists the exceptions,
// which are safe for concurrent use.
//
// Any number of loops may run at the same time. A parked loop costs a goroutine, as a
// blocked channel receive does, and no OS thread.
type Loop struct {
	_ noCopy

	// Read by every goroutine, and hardly ever written after New.
	config
	id        uint64
	poller    poller
	resources *resources
	counters  *counters
	closing
	guarding

	// The loop goroutine's.
	clock
	runState
	roster
	pending pending
	sources
	hosting
	coroutines
	memory
	settings
	yielder

	_ [64]byte // senders write below: not on the cache lines above

	// Any goroutine's: the wake-up protocol, posts and questions, Runs, hosts.
	wakeState
	mail  mailbox
	looks looks
	runStack
	hosted
}

// sources are the tables from which the loop makes watchers pending.
type sources struct {
	timers    alarms
	periodics periodics
	hookLists
	files   files
	paths   *pathwatch.Table // of the Stats; nil before the first
	signals signalGroups     // nil before the first Signal
}

// New makes a loop (ev_loop_new). It returns an error if the system lacks the backend
// (errors.ErrUnsupported) or has no descriptor for it (syscall.EMFILE).
func New(opts ...LoopOption) (*Loop, error) {
	var c config
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("ev: New: nil option")
		}
		if err := o.applyTo(&c); err != nil {
			return nil, err
		}
	}
	clock := newClock()
	p, backend, err := openPoller(c.backend, clock.base)
	if err != nil {
		return nil, err
	}
	c.backend = backend
	l := &Loop{config: c, poller: p, clock: clock, counters: new(counters)}
	l.done = make(chan struct{})
	l.resources = freeWithLoop(l, p)
	l.commitFunc = l.commit
	l.register()
	l.initGuard()
	l.wakePolicy.init(c.wakeup, p.canWakeByFD())
	l.requests.activate(&l.mail.request)
	l.looks.init(l)
	return l, nil
}

// Run calls back the loop's watchers until
//
//   - no watcher is active, except those with Keep(false), and no posted function waits:
//     it returns nil;
//   - Stop is called: it returns nil;
//   - ctx is done: it returns ctx.Err(), without an iteration if ctx was done before;
//   - the loop is closed: it returns ErrClosed.
//
// The package comment has the steps of an iteration. A callback may call Run: it nests.
//
// Entering Run allocates a little, and more for a ctx that can be cancelled. The
// iterations do not allocate.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, forever) }

// RunOnce makes one iteration, and parks in it if there is nothing to do at once
// (EVRUN_ONCE). It may return without having made a callback.
func (l *Loop) RunOnce(ctx context.Context) error { return l.run(ctx, once) }

// RunNoWait makes one iteration without parking (EVRUN_NOWAIT).
func (l *Loop) RunNoWait() error { return l.run(context.Background(), noWait) }

func (l *Loop) run(ctx context.Context, mode runMode) (err error) {
	l.checkConstructed(methodOf[mode])
	if ctx == nil {
		panic("ev: " + methodOf[mode] + ": nil context")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	id, err := l.enter(mode)
	if err != nil {
		return err
	}
	l.wanted = l.iteration
	if l.exposed.Load() != 0 {
		l.parked.Store(0) // step d of pollfd.go
	}
	if l.advisor != nil {
		l.advisor.enters()
	}
	if l.task != nil {
		defer l.notATask()()
	}
	// Deferred: after a panic or a Goexit out of a callback too, another Run may use the
	// loop, and it can be closed.
	outer := l.ctx
	l.ctx = ctx
	defer l.leave(mode, outer, &err)
	missed := l.notifyEnter()
	defer l.notifyLeave(missed)
	if l.labels != nil && mode != noWait { // RunNoWait has no context whose labels to set and to restore
		defer l.labels.leaveRun(l.labels.enterRun(ctx))
	}
	done := ctx.Done()
	if done != nil {
		stop := context.AfterFunc(ctx, func() { l.stopRun(id) })
		defer stop()
	}

	if l.advisor != nil && mode == forever {
		l.adviseRun()
	}
	l.invoke()
	for done == nil || !isDone(done) { // stopRun may not have run yet
		l.iterate(mode)
		if mode != forever || !l.alive() || l.interrupted() {
			break
		}
	}
	return ctx.Err()
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// iterate is one iteration, in libev's order.
func (l *Loop) iterate(mode runMode) {
	if len(l.reports) > 0 {
		l.makeReports()
	}
	if len(l.prepares) > 0 {
		l.markPrepares()
		l.invoke()
	}
	if l.interrupted() {
		return
	}
	l.iteration++
	polls := !l.skipsPoll()
	switch {
	case len(l.embedded) > 0:
		l.pollWithEmbedded(mode)
	case polls:
		l.poll(mode)
	}
	l.tick()
	l.collect()
	if polls {
		l.markReady()
	}
	if len(l.timers.heap) > 0 { // the calls would cost as much as the callback of an Async
		l.expireTimers()
	}
	if len(l.periodics.heap) > 0 {
		l.expirePeriodics()
	}
	if l.idle.any() {
		l.markIdles()
	}
	if len(l.checks) > 0 {
		l.markChecks()
	}
	if l.override != nil { // invoke, which the compiler does not inline
		l.override(l)
	} else {
		l.callPending(&l.closed)
	}
	if l.iteration%publishEvery == 0 {
		l.publish()
		if l.iteration-l.looked >= publishEvery {
			l.tidy()
		}
	}
}

// skipsPoll reports whether a poll would do nothing: there are requests, so it would not wait;
// there are no descriptors, so it would not look; and no other goroutine or loop needs it.
func (l *Loop) skipsPoll() bool {
	return !l.requests.empty() && l.files.none() &&
		l.release == nil && len(l.embedded) == 0 && l.exposed.Load() == 0 && runtime.GOARCH != "wasm"
}

// poll waits for something to do, unless there is something to do already.
func (l *Loop) poll(mode runMode) {
	if mode == noWait {
		l.flushFiles()
		l.look(true)
		return
	}
	until, now := l.plan()
	if l.stale && !now {
		l.readClock() // for linger and park
	}
	if now || !l.alive() || l.linger() {
		l.look(false)
		return
	}
	if until, now = l.dueAt(until); now {
		l.look(false)
		return
	}
	if l.ioInterval == 0 || l.files.count == 0 || l.rest(until) {
		l.park(until, true)
		l.files.looked(l.mono)
	}
}

// plan tells the poller about changed descriptors. It returns when there will be
// something to do even if nothing wakes the loop, or that there is something to do now.
func (l *Loop) plan() (until time.Duration, now bool) {
	if l.flushFiles() || len(l.reports) > 0 || !l.requests.empty() || l.idle.any() || len(l.files.always) > 0 {
		return 0, true
	}
	until = l.timers.next()
	if until != never || len(l.periodics.heap) > 0 {
		l.update()
		until = min(until, l.nextPeriodic())
	}
	return until, false
}

// dueAt returns until, which plan has returned, or the end of the timeout interval if that is
// later. It reports whether that time has come.
func (l *Loop) dueAt(until time.Duration) (at time.Duration, now bool) {
	if until == never {
		return never, false
	}
	at = max(until, after(l.mono, l.timeoutInterval))
	return at, at <= l.mono
}

// look collects ready descriptors without waiting, unless the io interval says that it is
// too early.
func (l *Loop) look(always bool) {
	if l.files.count == 0 && l.exposed.Load() == 0 || !always && l.ioInterval > 0 && l.mono-l.files.polled < l.ioInterval {
		l.beforeWait() // in each iteration, or other goroutines could never stop an Idle
		l.afterWait()
	} else {
		l.files.looked(l.mono)
		l.beforeWait()
		l.poller.poll()
		l.afterWait()
	}
	l.yield(!always)
}

// rest parks, without a look at descriptors, for the rest of the io interval. It reports
// whether there is nothing else to do then.
func (l *Loop) rest(until time.Duration) bool {
	l.update()
	next := after(l.files.polled, l.ioInterval)
	if next <= l.mono {
		return true
	}
	l.park(min(next, until), false)
	l.update()
	return next <= l.mono && until > l.mono && l.requests.empty() && !l.interrupted()
}

// invoke makes the pending callbacks, or calls the function of SetInvoke.
func (l *Loop) invoke() {
	if l.override != nil {
		l.override(l)
		return
	}
	l.callPending(&l.closed)
}

// Invoke makes all pending callbacks now (ev_invoke_pending), also outside Run.
func (l *Loop) Invoke() {
	l.own("Invoke")
	l.callPending(&l.closed)
	if l.depth == 0 {
		l.publish()
		l.shrink()
	}
}
