package ev

import (
	"context"
	"errors"
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
	id         uint64
	name       string
	logger     *slog.Logger
	onPanic    func(w Watcher, v any, stack []byte)
	slow       time.Duration
	debug      bool // EV_DEBUG=1: check the owner of every call
	backend    Backend
	poller     poller
	resources  *resources
	commitFunc func() bool
	guardFunc  func(entry)
	guarded    bool    // an option needs guard around every callback
	labels     *labels // nil unless they were asked for; the loop goroutine's
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
	guests          guests        // the loops that this one runs; changed with embedding held
	polling         bool          // the guests may be lent
	polled          time.Duration // when descriptors were looked at last
	hidden          int           // active watchers that are the loop's own
	active          []*watcher    // but for the timers
	inHeap          int           // active timers
	starts          uint64        // of watchers that are in active, ever
	started         usage         // of active, for shrinkWatchers
	roomy           bool          // shrinkWatchers has found more to let go of, next time
	queues          []batches     // the Queues with much room
	looked          uint64        // in which iteration
	more            bool          // shrink has found more to let go of, next time
	lookTimer       *time.Timer   // for lookLater
	refs            int           // active watchers that keep Run going, and extra
	extra           int           // Refs less Unrefs
	depth           int
	freed           bool // Close has done its work
	iteration       uint64
	collected       uint64
	override        func(*Loop)
	release         func(*Loop)
	acquire         func(*Loop)
	waiting         bool // between the two: see beforeWait
	ioInterval      time.Duration
	timeoutInterval time.Duration
	data            any
	kept            map[any]any     // what a kind keeps for all its watchers; see keep
	ctx             context.Context // of the innermost Run

	_ [64]byte // what senders write stays off the cache lines above

	// Any goroutine's: the wake-up protocol.
	requests requests
	parked   atomic.Uint32
	stopped  atomic.Uint32 // 1: the innermost Run was asked to stop
	closed   atomic.Uint32
	recalled atomic.Uint32 // 1: the host wants the loop back; see Embed
	how      how
	mail     mailbox
	looks    looks

	observers atomic.Pointer[observers] // nil while there are none

	// Guarded by mu. The order of locks is: embedding, then the mu of one loop.
	// With mu held no other lock is taken, least of all another loop's mu.
	mu    sync.Mutex
	runs  []run // the Runs active now, the innermost last
	runID uint64
	lent  bool   // another goroutine may be parked in this loop; see Embed
	owner uint64 // the goroutine in them, if it was looked up

	// Guarded by embedding.
	host       *Loop // who embeds this loop
	deferredTo *Loop // the host up the chain whose Run tears down this closed loop; see Close
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
	l := &Loop{
		name: c.name, logger: c.logger, onPanic: c.onPanic, slow: c.slow, debug: debugging(),
		backend: backend, poller: p, clock: clock, counters: new(counters),
		done: make(chan struct{}),
	}
	l.resources = freeWithLoop(l, p)
	l.commitFunc, l.guardFunc = l.commit, l.guard
	enlist(l)
	l.how.init(c.wakeup, p.canWrite())
	l.requests.activate(&l.mail.request)
	l.looks.init(l)
	if c.labels {
		l.labels = &labels{loop: l.String()}
	}
	l.guarded = l.onPanic != nil || l.slow > 0 || c.labels
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
	l.made(methodOf[mode])
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
	if len(l.guests) > 0 {
		l.pollWithGuests(mode)
	} else {
		l.poll(mode)
	}
	before := l.mono
	l.update()
	l.how.hot = l.mono-before < hotIteration
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
		l.polled = l.mono
		l.files.round++
	}
}

// plan tells the poller what it has to know, and returns when there will be
// something to do though nobody wakes the loop, or that there is something now.
func (l *Loop) plan() (until time.Duration, now bool) {
	if l.flushFiles() || len(l.periodics.failures) > 0 || !l.requests.empty() || l.idle.any() || len(l.files.always) > 0 {
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
	if l.files.count == 0 || !always && l.ioInterval > 0 && l.mono-l.polled < l.ioInterval {
		l.beforeWait() // in each iteration, or nobody else could ever stop an Idle
		l.afterWait()
		return
	}
	l.polled = l.mono
	l.files.round++
	l.beforeWait()
	l.poller.poll()
	l.afterWait()
}

// rest parks, deaf to descriptors, for what is left of the io interval. It
// reports whether there is nothing else to do then.
func (l *Loop) rest(until time.Duration) bool {
	l.update()
	next := after(l.polled, l.ioInterval)
	if next <= l.mono {
		return true
	}
	l.park(min(next, until), false)
	l.update()
	return next <= l.mono && until > l.mono && l.requests.empty() && !l.interrupted()
}

// beforeWait lets other goroutines have the loop, if SetRelease was called. Between it
// and afterWait the loop's goroutine uses nothing that a Start, a Stop or an Update
// writes: only the poller, and atomics. waiting says that it is so. It is written with
// the user's lock held, both times, and read with that lock held.
func (l *Loop) beforeWait() {
	if l.release != nil {
		l.waiting = true
		l.release(l)
	}
}

func (l *Loop) afterWait() {
	if l.acquire != nil {
		l.acquire(l)
		l.waiting = false
	}
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

// SetRelease has release called right before the loop may wait in the system, at
// least once per iteration, and acquire right after (ev_set_loop_release_cb). A
// lock that is free between them lets other goroutines start and stop watchers of
// all kinds but Embed, and call Update, while they hold it. They must Send an Async
// after, because the wait in progress does not know of the change. nil, nil is the
// default.
//
// Where the set for descriptors cannot be opened, the first IO of a loop fails with an
// Error event then, not in Start. With functions set, EV_DEBUG=1 checks no owners.
func (l *Loop) SetRelease(release, acquire func(*Loop)) {
	l.own("SetRelease")
	if (release == nil) != (acquire == nil) {
		panic("ev: Loop.SetRelease: one nil function")
	}
	l.release, l.acquire = release, acquire
	l.debug = release == nil && debugging()
}

// SetInvoke has fn called wherever the loop would run what is pending: at least on
// entering a Run and at the end of each iteration, also when nothing is pending. fn
// calls Invoke, now or later. nil restores the default. It is pyev's Loop.callback.
func (l *Loop) SetInvoke(fn func(*Loop)) {
	l.own("SetInvoke")
	l.override = fn
}

func (l *Loop) isClosed() bool { return l.closed.Load() != 0 }
