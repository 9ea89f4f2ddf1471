package ev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.uber.org/atomic"
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

	// Immutable after New.
	name       string
	logger     *slog.Logger
	onPanic    func(w Watcher, v any, stack []byte)
	slow       time.Duration
	debug      bool // EV_DEBUG=1: check the owner of every call
	backend    Backend
	poller     poller
	commitFunc func() bool
	counters   *counters
	done       chan struct{} // closed by Close

	// The loop goroutine's.
	clock
	pending         pending
	timers          alarms
	periodics       periodics
	idle            idleHooks
	prepares        hooks
	checks          hooks
	cleanups        hooks
	files           files
	polled          time.Duration // when descriptors were looked at last
	hidden          int           // active watchers that are the loop's own
	active          []*watcher
	refs            int // active watchers that keep Run going, plus Ref, less Unref
	depth           int
	iteration       uint64
	collected       uint64
	override        func(*Loop)
	ioInterval      time.Duration
	timeoutInterval time.Duration
	data            any

	_ [64]byte // what senders write stays off the cache lines above

	// Any goroutine's: the wake-up protocol.
	requests requests
	parked   atomic.Uint32
	stopped  atomic.Uint32 // 1: the innermost Run was asked to stop
	closed   atomic.Uint32
	how      how
	mail     mailbox

	// Guarded by mu.
	mu    sync.Mutex
	runs  []run // the Runs active now, the innermost last
	runID uint64
	owner uint64 // the goroutine in them, if it was looked up
}

// run is an active Run. Requests to stop belong to it: one that is entered
// later neither sees nor clears them.
type run struct {
	id   uint64
	stop bool
}

type runMode int

const (
	forever runMode = iota
	once
	noWait
)

var methodOf = [...]string{forever: "Run", once: "RunOnce", noWait: "RunNoWait"}

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
	p, backend, err := openPoller(c.backend)
	if err != nil {
		return nil, err
	}
	l := &Loop{
		name: c.name, logger: c.logger, onPanic: c.onPanic, slow: c.slow, debug: debugging(),
		backend: backend, poller: p, clock: newClock(), counters: new(counters),
		done: make(chan struct{}),
	}
	l.commitFunc = l.commit
	l.how.init(c.wakeup, p.canWrite())
	l.requests.activate(&l.mail.request)
	if l.onPanic != nil || l.slow > 0 {
		l.pending.guard = l.guard
	}
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
// Entering Run with a ctx that can be cancelled allocates; nothing after does.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, forever) }

// RunOnce makes one iteration, and parks in it if nothing is to be done at once
// (EVRUN_ONCE). It may return without a callback made.
func (l *Loop) RunOnce(ctx context.Context) error { return l.run(ctx, once) }

// RunNoWait makes one iteration without parking (EVRUN_NOWAIT).
func (l *Loop) RunNoWait() error { return l.run(context.Background(), noWait) }

func (l *Loop) run(ctx context.Context, mode runMode) (err error) {
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
	defer func() { err = l.leave(err) }()
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
	if len(l.periodics.failures) > 0 {
		l.reportFailures()
	}
	if len(l.prepares) > 0 {
		l.markPrepares()
		l.invoke()
	}
	if l.interrupted() {
		return
	}
	l.iteration++
	l.poll(mode)
	l.update()
	l.collect()
	l.markReady()
	l.expireTimers()
	l.expirePeriodics()
	l.markIdles()
	l.markChecks()
	l.invoke()
	if l.iteration%publishEvery == 0 {
		l.publish()
	}
}

// poll waits for something to do, unless there is something already.
func (l *Loop) poll(mode runMode) {
	failed := l.flushFiles()
	if failed || mode == noWait || !l.alive() || !l.requests.empty() || l.idle.any() || len(l.files.always) > 0 {
		l.look(mode == noWait)
		return
	}
	until := l.timers.next()
	if until != never || len(l.periodics.heap) > 0 {
		l.update()
		until = max(min(until, l.nextPeriodic()), after(l.mono, l.timeoutInterval))
		if until <= l.mono {
			l.look(false)
			return
		}
	}
	if l.ioInterval == 0 || l.files.count == 0 || l.rest(until) {
		l.park(until, true)
		l.polled = time.Since(l.base)
	}
}

// look collects ready descriptors without waiting, unless the io interval says
// that it is too early.
func (l *Loop) look(always bool) {
	if l.files.count == 0 || !always && l.ioInterval > 0 && l.mono-l.polled < l.ioInterval {
		return
	}
	l.polled = l.mono
	l.poller.poll()
}

// rest parks, deaf to descriptors, for what is left of the io interval. It
// reports whether there is nothing else to do then.
func (l *Loop) rest(until time.Duration) bool {
	l.update()
	next := l.polled + l.ioInterval
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
	l.pending.pass(&l.closed)
}

// interrupted reports whether the innermost Run must end.
func (l *Loop) interrupted() bool { return l.stopped.Load() != 0 || l.isClosed() }

func (l *Loop) isClosed() bool { return l.closed.Load() != 0 }

// enter begins a Run and returns its id.
func (l *Loop) enter(mode runMode) (uint64, error) {
	var caller uint64
	if mode == forever || l.debug {
		caller = goroutineID()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return 0, ErrClosed
	}
	if len(l.runs) > 0 && caller != 0 && l.owner != 0 && caller != l.owner {
		return 0, fmt.Errorf("ev: %s: goroutine %d is running this loop already", methodOf[mode], l.owner)
	}
	if l.owner == 0 {
		l.owner = caller
	}
	l.runID++
	l.runs = append(l.runs, run{id: l.runID})
	l.depth = len(l.runs)
	l.stopped.Store(0)
	return l.runID, nil
}

// leave ends the innermost Run. The last one to leave a closed loop takes it
// down.
func (l *Loop) leave(err error) error {
	l.publish()
	l.mu.Lock()
	l.runs = l.runs[:len(l.runs)-1]
	l.depth = len(l.runs)
	l.mirrorStop()
	closed, last := l.isClosed(), l.depth == 0
	if last {
		l.owner = 0
	}
	l.mu.Unlock()
	if !closed {
		return err
	}
	if last {
		_ = l.teardown()
	}
	return ErrClosed
}

// mirrorStop keeps stopped what the innermost Run's request to stop is, for the
// loop to read without the lock. It requires that mu is held.
func (l *Loop) mirrorStop() {
	stop := uint32(0)
	if n := len(l.runs); n > 0 && l.runs[n-1].stop {
		stop = 1
	}
	l.stopped.Store(stop)
}

// Stop makes the innermost Run return once the pass in progress is done
// (EVBREAK_ONE). Any goroutine may call it; it wakes a parked loop. It is never
// lost while a Run is active, and has no effect otherwise.
func (l *Loop) Stop() {
	l.stopRuns(func(i int, _ run) bool { return i == len(l.runs)-1 })
}

// StopAll makes every Run that is active now return (EVBREAK_ALL). Any
// goroutine may call it.
func (l *Loop) StopAll() {
	l.stopRuns(func(int, run) bool { return true })
}

// stopRun stops the Run with this id, if it is active still.
func (l *Loop) stopRun(id uint64) {
	l.stopRuns(func(_ int, r run) bool { return r.id == id })
}

func (l *Loop) stopRuns(which func(i int, r run) bool) {
	l.mu.Lock()
	for i := range l.runs {
		if which(i, l.runs[i]) {
			l.runs[i].stop = true
		}
	}
	l.mirrorStop()
	l.mu.Unlock()
	l.wake()
}

// Close ends the loop's life (ev_loop_destroy). Any goroutine may call it, any
// number of times. During a Run it shuts the doors, wakes the loop and returns
// nil; that Run finishes the callback in progress, frees the descriptors, and
// returns ErrClosed. Otherwise all of that is done when Close returns. Other
// pending callbacks, and what was posted and has not begun, are dropped.
// Watchers are stopped.
func (l *Loop) Close() error {
	l.mu.Lock()
	if l.isClosed() {
		l.mu.Unlock()
		return nil
	}
	l.closed.Store(1)
	close(l.done)
	running := len(l.runs) > 0
	l.mu.Unlock()
	if running {
		l.wake()
		return nil
	}
	return l.teardown()
}

// teardown frees what the loop holds. It happens once: in Close when no Run is
// active, else in the last Run to leave, and enter admits none after.
// The Cleanups run first, and even if one panics the rest is done.
func (l *Loop) teardown() (err error) {
	defer func() { err = l.free() }()
	l.pending.drop()
	l.markCleanups()
	l.pending.pass(new(atomic.Uint32))
	return nil
}

func (l *Loop) free() error {
	for len(l.active) > 0 {
		w := l.active[len(l.active)-1]
		w.self.halt()
		l.deactivate(w)
	}
	l.pending.drop()
	l.mail.drop()
	l.publish()
	return l.poller.close()
}

// activate puts w among the active watchers, which the loop keeps alive.
func (l *Loop) activate(w *watcher) {
	l.active = append(l.active, w)
	w.index = int32(len(l.active))
	l.count(w, 1)
	l.settle()
}

func (l *Loop) deactivate(w *watcher) {
	last := l.active[len(l.active)-1]
	l.active[w.index-1] = last
	last.index = w.index
	l.active[len(l.active)-1] = nil
	l.active = l.active[:len(l.active)-1]
	w.index = 0
	l.count(w, -1)
}

// count keeps count of an active watcher more, or less.
func (l *Loop) count(w *watcher, n int) {
	switch {
	case w.hidden:
		l.hidden += n
	case !w.weak:
		l.refs += n
	}
}

// Alive reports whether something keeps Run going: what pyev's start returns.
func (l *Loop) Alive() bool {
	l.own("Alive")
	return l.alive()
}

func (l *Loop) alive() bool {
	return l.refs != 0 || l.pending.posts > 0 || l.mail.waiting()
}

// Ref makes Run go on as if one more watcher were active (ev_ref). For a single
// watcher, Watcher.Keep is safer.
func (l *Loop) Ref() {
	l.own("Ref")
	l.refs++
}

// Unref undoes a Ref, or makes Run not wait for one of the active watchers
// (ev_unref).
func (l *Loop) Unref() {
	l.own("Unref")
	l.refs--
}

// Name returns what WithName gave, or "".
func (l *Loop) Name() string { return l.name }

// Backend returns the backend in use, never BackendAuto.
func (l *Loop) Backend() Backend { return l.backend }

// Iteration returns how many iterations there were (ev_iteration). It grows
// before the poll.
func (l *Loop) Iteration() uint64 {
	l.own("Iteration")
	return l.iteration
}

// Depth returns how many Runs are active: 0 outside, 1 in a callback, more in a
// nested Run (ev_depth).
func (l *Loop) Depth() int {
	l.own("Depth")
	return l.depth
}

// Pending returns the number of callbacks that wait for the pass, cleared ones
// not counted (ev_pending_count).
func (l *Loop) Pending() int {
	l.own("Pending")
	return l.pending.count
}

// Active returns the number of active watchers.
func (l *Loop) Active() int {
	l.own("Active")
	return len(l.active) - l.hidden
}

// Data returns what SetData stored.
func (l *Loop) Data() any {
	l.own("Data")
	return l.data
}

// SetData stores v, which the loop never looks at.
func (l *Loop) SetData(v any) {
	l.own("SetData")
	l.data = v
}

// Invoke runs everything pending now (ev_invoke_pending), also outside Run.
func (l *Loop) Invoke() {
	l.own("Invoke")
	l.pending.pass(&l.closed)
	l.settle()
}

// SetInvoke has fn called wherever the loop would run what is pending, at least
// twice per Run, also with nothing pending; pyev's Loop.callback. fn calls
// Invoke, now or later. nil restores the default.
func (l *Loop) SetInvoke(fn func(*Loop)) {
	l.own("SetInvoke")
	l.override = fn
}

// SetTimeoutInterval makes each park last at least d unless something other
// than a timer ends it, so that timers are late by up to d and run together
// (ev_set_timeout_collect_interval). It fails when d is negative.
func (l *Loop) SetTimeoutInterval(d time.Duration) error {
	return l.setInterval(&l.timeoutInterval, "SetTimeoutInterval", d)
}

// SetIOInterval makes the loop look for ready descriptors no more often than
// once per d on average (ev_set_io_collect_interval). Timers and requests from
// other goroutines are not delayed. It fails when d is negative.
func (l *Loop) SetIOInterval(d time.Duration) error {
	return l.setInterval(&l.ioInterval, "SetIOInterval", d)
}

func (l *Loop) setInterval(interval *time.Duration, method string, d time.Duration) error {
	l.own(method)
	if d < 0 {
		return fmt.Errorf("ev: Loop.%s: negative duration %v", method, d)
	}
	*interval = d
	return nil
}
