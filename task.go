package ev

import (
	"context"
	"runtime/debug"
	"sync/atomic" // whose Uint32 takes 4 bytes
	"time"
)

// Task is a watcher whose callback may wait in the middle: sequential code on the loop.
// (gevent's greenlet, the task of asyncio and trio, a coroutine of Lua.)
//
// While its function runs, it is the loop's goroutine: no callback and no other task of that
// loop runs. So it may use every watcher of the loop, and all state that the callbacks use,
// without a lock. It gives the loop back only in the calls that wait: Await, methods of
// Task, Cond, Mailbox and Group, and calls of package evnet. Between two such calls, nothing
// else of the loop runs.
//
//	ev.Spawn(l, func(t *ev.Task) error {
//		for n := 3; n > 0; n-- {
//			fmt.Println(n)
//			if err := t.Sleep(time.Second); err != nil {
//				return err
//			}
//		}
//		return nil
//	})
//
// A task is called back like every watcher: by priority, then first come, first served. One
// call, from the end of a wait to the next wait, is a step. If code on the loop ends a wait,
// with Cond.Signal for example, the step comes in the next iteration. If a timer or a
// descriptor ends it, the step comes in the same iteration. So tasks that wake each other do
// not starve other watchers.
//
// # Waits
//
// Only the task's own function, and the functions that it calls, may wait on the task; for
// other callers the wait panics. A wait returns nil, or the error that ended it:
// context.Canceled after Stop, ErrClosed when the loop is closed, context.DeadlineExceeded
// inside Within, or one of its own. After Stop, each further wait fails at once. The
// function must return when it gets that error. Waits cost no goroutine and no thread, and
// most do not allocate.
//
// # Feed, Clear and Invoke
//
// Feed and Invoke do not end a wait. A step is made only if the wait is over. Clear delays a
// pending step until Feed is called.
//
// # Panics
//
// A panic in the function ends the task. Err returns it as a *PanicError, with the stack. It
// then goes on as a panic of the callback: the panic handler gets it, or it leaves Run. A
// runtime.Goexit ends the task too and goes on as one of the callback.
//
// # Locks
//
// Do not wait while you hold a sync.Mutex. If another task locks that mutex meanwhile, the
// whole loop blocks: the first task, which would unlock it, cannot go on. Use the state of
// the loop instead, or a Cond. crypto/tls holds such a lock during a handshake, so complete
// that before two tasks use the connection.
//
// A task must not call runtime.LockOSThread and then wait. From its first step on, a task is
// bound to the thread lock of the goroutine in Run. If that goroutine is locked to a thread,
// it must make all further Runs, and a Stop or a Close outside of Run, locked as often as
// then. If it is not, goroutines that are not locked must make them. Otherwise the Go runtime
// ends the process ("OS thread locking must match").
//
// # Cost
//
// A task has the stack of a goroutine, and a switch to it does not use the Go scheduler. A
// step costs about as much as an Async's callback and 130 ns. If a loop is dropped without
// Close while a task waits, the task and its goroutine are never freed.
type Task struct {
	_ noCopy
	request
	alarm
	fn func(*Task) error
	on *coroutine // nil unless fn runs or waits
	io *readiness // nil until the first wait for a descriptor

	// Of the wait.
	source source        // nil for Sleep
	since  time.Duration // the loop's time when it began
	got    Events        // of a descriptor
	over   bool          // the next step may be made
	toLate bool          // the deadline comes before what is waited for
	late   bool          // and has come
	spent  uint8         // operations since the last wait; see allowance

	running  bool // on the stack, perhaps below others
	main     bool // of RunTask
	done     bool
	panicked bool                        // err is fn's panic, which is yet to go on
	end      atomic.Uint32               // why ctx is done and waits fail: an index of ends
	ctx      atomic.Pointer[taskContext] // nil until Context is called
	err      error                       // of fn, once it has returned; until then of a task joined

	joining    waiters // for the end of this task
	next, prev *Task   // in a list of waiters
	seldom     *seldom // nil until a Within or a Group
}

// seldom has the fields of a task that few tasks need.
type seldom struct {
	deadline time.Duration // of the innermost Within, less Loop.delayed; never
	group    *Group        // of which the task is one; nil
	older    *Task         // in the group
	younger  *Task
	groups   *Group // of the task's own, with tasks
}

func (t *Task) needSeldom() *seldom {
	if t.seldom == nil {
		t.seldom = &seldom{deadline: never}
	}
	return t.seldom
}

// Why a run of fn is at its end.
const (
	goesOn = iota
	stopped
	closed
	returned
)

var ends = [...]error{stopped: context.Canceled, closed: ErrClosed, returned: context.Canceled}

// source is what a task waits for; the time needs none.
type source interface {
	// ready reports whether the wait is over. It is asked in a step of a task whose over is
	// not set: other goroutines cannot set that.
	ready(t *Task) bool
	// abandon is called when the wait has ended with an error instead. It passes a signal or
	// an item that the task was given to the next task in line.
	abandon(t *Task)
	// method is the name of the call that waits, for tools.
	method() string
}

// NewTask makes a task. It does nothing until Start. It panics if l or fn is nil.
func NewTask(l *Loop, fn func(t *Task) error, opts ...Option) *Task {
	t := &Task{fn: fn}
	t.watcher.init("NewTask", t, l, fn == nil, opts)
	t.request.init(&t.watcher, AsyncEvent)
	return t
}

// Spawn makes a task and starts it. It panics if l or fn is nil. It must be called on the
// loop's goroutine.
func Spawn(l *Loop, fn func(t *Task) error, opts ...Option) *Task {
	t := NewTask(l, fn, opts...)
	t.Start()
	return t
}

// RunTask makes a loop, runs fn as a task on it, and closes the loop when fn has returned.
// Tasks and other watchers that are still active are stopped then. It is Python's
// asyncio.run. It returns fn's error. If ctx is done first, the loop is closed: fn's waits fail
// with ErrClosed, and RunTask returns ctx.Err() once fn has returned. It fails as New does. It
// panics if ctx or fn is nil.
func RunTask(ctx context.Context, fn func(t *Task) error, opts ...LoopOption) (err error) {
	if ctx == nil {
		panic("ev: RunTask: nil context")
	}
	if fn == nil {
		panic("ev: RunTask: nil function")
	}
	l, err := New(opts...)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	t := NewTask(l, fn)
	t.main = true
	t.Start()
	l.Ref() // t may be kept out
	for !t.done {
		if err := l.Run(ctx); err != nil && !t.done {
			return err
		}
	}
	return t.err
}

// Start makes fn begin in the next iteration. It has no effect on an active task or on a
// closed loop. After fn has returned, Start runs it anew.
func (t *Task) Start() {
	t.own("Start")
	if !t.begin() {
		return
	}
	t.done, t.over = false, true
	t.end.Store(goesOn)
	if c := t.ctx.Swap(nil); c != nil {
		c.cancel(context.Canceled) // Context may have made it since the last run
	}
	t.loop.requests.activate(&t.request)
	t.send(t.loop)
}

// Stop ends the task: the wait in progress and every later one return context.Canceled at
// once. When Stop returns, fn has returned too, its deferred calls included. fn is not
// called if it has not begun. If the task is running (it calls Stop itself, or has called a
// function that does), Stop only marks it: its waits fail from then on.
//
// The rest of fn runs during the call of Stop, and may change the state that the caller works
// on. Post(t.Stop) stops the task in the next iteration instead.
func (t *Task) Stop() {
	t.ownIfConstructed("Stop")
	t.interrupt(stopped)
}

// interrupt is Stop, for a reason.
func (t *Task) interrupt(why uint32) {
	if t.index == 0 {
		t.watcher.Stop()
		return
	}
	t.endContext(why)
	switch {
	case t.running:
	case t.on == nil:
		t.err = ends[t.end.Load()]
		t.leave()
	default:
		t.loop.pending.clear(&t.watcher)
		t.over = true
		t.loop.callNow(&t.watcher)
	}
}

// beforeCleanups is called when the loop is closed, until it reports false.
func (t *Task) beforeCleanups() (ended bool) {
	if t.end.Load() == closed || t.running {
		t.endContext(closed)
		return false
	}
	t.interrupt(closed)
	return true
}

// onStop ends what Start began.
func (t *Task) onStop() {
	t.loop.requests.deactivate(&t.request)
	t.disarm()
	t.unwatch()
}

// armed is for Verify: a task need not wait for a time.
func (t *Task) armed() bool { return true }

func (t *Task) disarm() {
	if t.alarm.armed() {
		t.loop.timers.remove(&t.alarm)
	}
}

// SetCallback replaces fn for the next time that it begins. It panics if fn is nil.
func (t *Task) SetCallback(fn func(t *Task) error) {
	t.own("SetCallback")
	t.checkCallback(fn == nil)
	t.fn = fn
}

func (t *Task) callback() any { return t.fn }

// Done reports whether the task has ended since Start: fn has returned, or the task was
// stopped before fn began.
func (t *Task) Done() bool {
	t.own("Done")
	return t.done
}

// Err returns what fn returned, nil before that. It is a *PanicError if fn panicked, and
// context.Canceled or ErrClosed if the task was ended before fn began.
func (t *Task) Err() error {
	t.own("Err")
	if !t.done {
		return nil
	}
	return t.err
}

// Context returns a context that is done when the task is stopped, when the loop is closed
// or when fn has returned. context.Cause tells which. Start begins a new one. It is safe for
// concurrent use.
func (t *Task) Context() context.Context {
	// It is made at the first call. One of Context and endContext sees the other's store:
	// each stores first, and then loads the value that the other stores.
	c := t.ctx.Load()
	if c == nil {
		c = new(taskContext)
		c.Context, c.cancel = context.WithCancelCause(context.Background())
		if !t.ctx.CompareAndSwap(nil, c) {
			c.cancel(nil)
			c = t.ctx.Load()
		}
	}
	if why := t.end.Load(); why != goesOn {
		c.cancel(ends[why])
	}
	return c
}

type taskContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// endContext notes why fn is at its end, unless that is known.
func (t *Task) endContext(why uint32) {
	if t.end.Load() != goesOn {
		return
	}
	t.end.Store(why)
	if c := t.ctx.Load(); c != nil {
		c.cancel(ends[why])
	}
}

// Task returns the task that runs now, or nil in a plain callback. It is for functions that
// do not get the task as an argument, such as Read of package evnet. It must be called on
// the loop's goroutine.
func (l *Loop) Task() *Task {
	l.own("Task")
	return l.coroutines.task
}

// call is a step: it runs fn on its coroutine until fn waits or is done. The loop's state
// is restored also if fn calls runtime.Goexit.
//
// It is one function, because each return after a switch of stacks costs some 10 ns: the
// CPU predicts returns for a stack that has no other.
func (t *Task) call() {
	if t.index == 0 || t.running || !t.over && (t.source == nil || !t.source.ready(t)) {
		return // a request that came late, or Feed
	}
	l := t.loop
	if t.on == nil {
		t.on = l.coroutines.get(t)
	}
	c, returned := t.on, false
	outerTask, outer := l.task, l.running.Load()
	defer func() {
		if !returned { // a Goexit has ended the coroutine, and ends the caller
			t.stepped(outerTask, outer)
			t.on = nil
			t.leave()
		}
	}()
	t.over, t.running = false, true
	l.task = t
	l.running.Store(c.id)
	c.next()
	returned = true
	t.stepped(outerTask, outer)
	if c.task != nil {
		return // fn waits
	}
	l.coroutines.put(c, l.depth > 0)
	t.on = nil
	t.leave()
}

// stepped gives the loop back to what called the step.
func (t *Task) stepped(outerTask *Task, outer uint64) {
	t.running = false
	t.loop.task = outerTask
	t.loop.running.Store(outer)
}

// goOnPanicking raises fn's panic on the loop's stack. The panic has lost fn's stack there:
// when no handler gets it, it is logged.
func (t *Task) goOnPanicking(p *PanicError) {
	if l := t.loop; l.panicHandler() == nil {
		l.loggerOrDefault().Error("ev: panic in a task", CallbackOf(t).attributes(l), "panic", p.Value, "stack", string(p.Stack))
	}
	panic(p.Value)
}

// panicStack returns the stack of the panic that has ended fn; nil without one.
func (t *Task) panicStack() []byte {
	if p, ok := t.err.(*PanicError); ok && t.done {
		return p.Stack
	}
	return nil
}

// run runs fn, on the coroutine.
func (t *Task) run() {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			t.err, t.panicked = &PanicError{Value: v, Stack: debug.Stack()}, true
		} else {
			t.err = errGoexit
		}
	}()
	t.err = t.fn(t)
	returned = true
}

// leave is the end of a run of fn, on the loop's stack. If fn has panicked, that goes on.
func (t *Task) leave() {
	if t.index != 0 {
		t.watcher.Stop()
	}
	t.done, t.io = true, nil
	t.endContext(returned)
	for other := t.joining.pop(); other != nil; other = t.joining.pop() {
		other.err = t.err // this task may run again before the other goes on
		other.wake()
	}
	if t.main {
		t.loop.StopAll() // it may have ended in a nested Run
	}
	if t.panicked {
		t.panicked = false
		defer t.goOnPanicking(t.err.(*PanicError))
	}
	if s := t.seldom; s != nil {
		defer s.group.left(t) // also if a task of its groups panics
		if s.groups != nil {
			stopGroups(&s.groups)
		}
	}
}

// expire is the end of a wait for a time: that of Sleep, or of Within.
func (t *Task) expire(_, _ time.Duration) {
	if t.over {
		return
	}
	t.over, t.late = true, t.toLate
	t.loop.pending.mark(&t.watcher, TimerEvent)
}
