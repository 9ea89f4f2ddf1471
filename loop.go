package ev

import (
	"context"
	"errors"
	"time"

	"github.com/goevlib/ev/internal/pathwatch"
)

// ErrClosed is what the doors of a closed loop answer.
var ErrClosed = errors.New("ev: loop closed")

// Loop is an event loop; libev's struct ev_loop. It belongs to the goroutine
// that is in Run (before Run, to whoever sets it up): watchers and loop are
// touched there only. The exceptions, open to every goroutine, are Post, Call,
// Stop, StopAll, Stats, Close, Async.Send, Async.Sent, Queue.Send and
// FeedSignal; none of them waits for a busy loop, but Call.
//
// Any number of loops may run at the same time. A loop that is parked costs a
// goroutine, as a blocked channel receive does, and no OS thread.
type Loop struct {
	_ noCopy

	// Read by every goroutine, and hardly ever written after New.
	config
	id        uint64
	debug     bool // EV_DEBUG=1: check the owner of every call
	poller    poller
	resources *resources
	counters  *counters
	closing
	guarding

	// The loop goroutine's.
	clock
	runState
	roster
	pending   pending
	timers    alarms
	periodics periodics
	hookLists
	files   files
	paths   *pathwatch.Table // of the Stats; nil before the first
	signals signalGroups     // nil before the first Signal
	hosting
	memory
	settings

	_ [64]byte // what senders write stays off the cache lines above

	// Any goroutine's: the wake-up protocol, and what it carries.
	wakeState
	mail  mailbox
	looks looks
	runStack
	hosted
}

// New makes a loop (ev_loop_new). It fails when the system lacks the backend
// (errors.ErrUnsupported) or a descriptor for it (syscall.EMFILE).
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
	l := &Loop{config: c, debug: debugging(), poller: p, clock: clock, counters: new(counters)}
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

// Run calls back the loop's watchers until none is active (those that do not
// Keep it aside) and nothing posted waits, or Stop is called, or ctx is done.
// It returns ctx.Err() when ctx is done, without an iteration if it was done
// before, ErrClosed when the loop is closed, and otherwise nil. A callback may
// call Run: it nests.
//
// In each iteration: the loop parks until something happens or the next timer
// is due; Now is updated; requests from other goroutines are collected, then
// timers; then everything pending is called, by priority. What a callback
// starts or sends is for the next iteration.
//
// Entering Run allocates a little, for a ctx that can be cancelled more; nothing
// after does.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, forever) }

// RunOnce makes one iteration, and parks in it if nothing is to be done at once
// (EVRUN_ONCE). It may return without a callback made.
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
	// Deferred, so that a panic or a Goexit out of a callback leaves the loop
	// as a return does: usable by another Run, and closable.
	outer := l.ctx
	l.ctx = ctx
	defer l.leave(mode, outer, &err)
	untold := l.noteEnter()
	defer l.noteLeave(untold)
	if l.labels != nil && mode != noWait { // RunNoWait has no context to take them from, nor to go back to
		defer l.labels.leaveRun(l.labels.enterRun(ctx))
	}
	done := ctx.Done()
	if done != nil {
		stop := context.AfterFunc(ctx, func() { l.stopRun(id) })
		defer stop()
	}

	l.invoke()
	for !isDone(done) { // stopRun may not have got round to it yet
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
	if len(l.embedded) > 0 {
		l.pollWithEmbedded(mode)
	} else {
		l.poll(mode)
	}
	before := l.mono
	l.update()
	l.wakePolicy.hot = l.mono-before < hotIteration
	l.collect()
	l.markReady()
	l.expireTimers()
	l.expirePeriodics()
	l.markIdles()
	l.markChecks()
	l.invoke()
	if l.iteration%publishEvery == 0 {
		l.publish()
		if l.iteration-l.looked >= publishEvery {
			l.tidy()
		}
	}
}

// poll waits for something to do, unless there is something already.
func (l *Loop) poll(mode runMode) {
	if mode == noWait {
		l.flushFiles()
		l.look(true)
		return
	}
	until, now := l.plan()
	if now || !l.alive() || l.linger() {
		l.look(false)
		return
	}
	if until != never {
		until = max(until, after(l.mono, l.timeoutInterval))
		if until <= l.mono {
			l.look(false)
			return
		}
	}
	if l.ioInterval == 0 || l.files.count == 0 || l.rest(until) {
		l.park(until, true)
		l.files.looked(l.mono)
	}
}

// plan tells the poller what it has to know, and returns when there will be
// something to do though nobody wakes the loop, or that there is something now.
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

// look collects ready descriptors without waiting, unless the io interval says
// that it is too early.
func (l *Loop) look(always bool) {
	if l.files.count == 0 || !always && l.ioInterval > 0 && l.mono-l.files.polled < l.ioInterval {
		l.beforeWait() // in each iteration, or nobody else could ever stop an Idle
		l.afterWait()
		return
	}
	l.files.looked(l.mono)
	l.beforeWait()
	l.poller.poll()
	l.afterWait()
}

// rest parks, deaf to descriptors, for what is left of the io interval. It
// reports whether there is nothing else to do then.
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

// invoke runs what is pending, or has the user's function do it.
func (l *Loop) invoke() {
	if l.override != nil {
		l.override(l)
		return
	}
	l.callPending(&l.closed)
}

// Invoke runs everything pending now (ev_invoke_pending), also outside Run.
func (l *Loop) Invoke() {
	l.own("Invoke")
	l.callPending(&l.closed)
	if l.depth == 0 {
		l.publish()
		l.shrink()
	}
}
