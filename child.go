package ev

import (
	"fmt"
	"sync"
	"syscall"
	"weak"
)

// Child calls back on the loop when a child process exits, however that comes;
// libev's ev_child. It watches and never reaps: whoever started the process
// waits for it as without the watcher, before the callback, in it or after, and
// learns the status too. Any number of watchers in any number of loops may watch
// one process. There is no watcher for "any child": it would take the children
// of os/exec and of every other package.
//
// The exit is called back once, and nothing comes after it. The watcher is never
// stopped automatically: the callback usually does. A process that has exited
// when Start is called, and that nobody has waited for, is called back too.
//
// With Trace, stops and continues are called back as well, each with a callback
// of its own. The system keeps only the last of them until it is looked at, so
// that a stop and a continue in quick succession may show as the continue alone.
//
// A Child runs at MaxPriority, so that an exit is known before its consequences,
// such as the end of a pipe: Start sets that, whatever the priority was.
//
// # Wait in the callback
//
// The process has exited, so os.Process.Wait does not block. exec.Cmd.Wait can:
// for a Stdin, Stdout or Stderr that is neither nil nor an *os.File it also waits
// until its goroutines have copied everything, and a grandchild that has inherited
// the pipe can make that last. Give the Cmd files, bound the wait by its WaitDelay,
// or let Go call Wait on another goroutine.
//
// The callback can come before the last output of the process was read. Cmd.Wait
// closes the pipes of StdoutPipe and StderrPipe, and what was not read is lost.
// Use os.Pipe, which stays open.
//
// # signal.Ignore and signal.Reset
//
// Where a Child learns of changes by SIGCHLD, these two, of SIGCHLD, end that, until
// the next Start of such a Child or of a Signal for SIGCHLD, on any loop. SIGCHLD is
// needed for all changes on macOS and the BSDs and where the system or the Go
// runtime's poller refuses a pidfd, otherwise for stops and continues only.
//
// Child exists on Linux, macOS and the BSDs; Trace on Linux only.
type Child struct {
	_ noCopy
	request
	watcher
	pid    int
	trace  bool
	fn     func(*Child)
	rpid   int
	status syscall.WaitStatus

	// Of an active watcher.
	changes  *changes
	resource *resource
}

// NewChild makes a Child for the process with this number. It panics when l or fn
// is nil; what is wrong with pid, Start reports.
func NewChild(l *Loop, pid int, fn func(*Child), opts ...Option) *Child {
	c := &Child{pid: pid, fn: fn, status: unknownStatus}
	c.watcher.init("NewChild", c, l, fn == nil, opts)
	c.request.init(&c.watcher, ChildEvent)
	return c
}

// Trace has a Child also call back when the process is stopped by a signal, and
// when it continues. To do so it takes these states from the system, as a
// Wait4 with WUNTRACED or WCONTINUED does: each of them is seen by one of those
// who ask, so do not ask too, and have one tracing Child per process at most.
func Trace(on bool) Option { return traceOption(on) }

type traceOption bool

func (o traceOption) apply(w *watcher) {
	c, ok := w.self.(*Child)
	if !ok {
		panic("ev: New" + kindOf(w.self) + ": Trace is an option of NewChild")
	}
	c.trace = bool(o)
}

// Pid returns the number of the process watched. Any goroutine may call it.
func (c *Child) Pid() int { return c.pid }

// RPid returns the number of the process whose state changed, which is Pid, or 0
// before the first change.
func (c *Child) RPid() int {
	c.own("RPid")
	return c.rpid
}

// Status returns, in the callback, the state that the process changed to.
//
// It is ^syscall.WaitStatus(0), which is neither Exited nor Signaled, before the
// first change, and also when the process has ended but somebody's wait came
// first and took the status along. Linux since 6.15 keeps it; on an older one
// that is a matter of chance while someone else is waiting. On macOS and
// the BSDs it happens only to a process that had exited before Start.
func (c *Child) Status() syscall.WaitStatus {
	c.own("Status")
	return c.status
}

// Start begins to watch. It has no effect on an active watcher. It fails with
// ErrClosed on a closed loop, and with an error that wraps
//
//   - syscall.ESRCH when there is no such process, which is also the case when it
//     was waited for already;
//   - syscall.ECHILD when the process is not a child of this one. On Linux an IO can
//     watch a pidfd of it (unix.PidfdOpen): that is readable after the exit, and has
//     no status. macOS and the BSDs do not refuse it, and the callback never comes;
//   - syscall.EINVAL when the number is not positive;
//   - syscall.EMFILE, ENFILE or ENOMEM when there is no room for its descriptor;
//   - errors.ErrUnsupported where there is no Child or no Trace.
//
// An active watcher costs a goroutine and, until the process has exited, a
// descriptor, but no OS thread. It cannot be used in a testing/synctest bubble:
// real processes do not live in virtual time.
func (c *Child) Start() error {
	c.own("Start")
	switch {
	case c.loop.isClosed():
		return ErrClosed
	case c.index != 0:
		return nil
	}
	p, err := c.open()
	if err != nil {
		return fmt.Errorf("ev: Child.Start: pid %d: %w", c.pid, err)
	}
	c.raise()
	if !c.begin() {
		p.close()
		return ErrClosed // by another goroutine, meanwhile
	}
	c.loop.requests.activate(&c.request)
	c.changes = &changes{to: weak.Make(c)}
	p.watch(c.changes.add)
	c.resource = c.loop.resources.add(p.close) // after watch: close looks at what that has set
	return nil
}

func (c *Child) open() (*process, error) {
	switch {
	case c.pid == 0:
		return nil, fmt.Errorf("%w: 0 would be any child, those of os/exec too", syscall.EINVAL)
	case c.pid < 0:
		return nil, fmt.Errorf("%w: process groups cannot be watched", syscall.EINVAL)
	}
	return openProcess(c.pid, c.trace)
}

// raise sets the priority, for which a pending watcher, fed before Start, changes
// queues.
func (c *Child) raise() {
	pending := c.pending
	events := c.loop.pending.clear(&c.watcher)
	c.priority = MaxPriority
	if pending {
		c.loop.pending.mark(&c.watcher, events)
	}
}

// SetCallback replaces the callback, from the next call on.
func (c *Child) SetCallback(fn func(*Child)) {
	c.own("SetCallback")
	c.checkCallback(fn == nil)
	c.fn = fn
}

// call makes the callback for the oldest change. If there are more, the watcher
// is pending again before: Stop in the callback clears that, and a panic out of
// it does not lose them.
func (c *Child) call() {
	if c.changes != nil && c.events&ChildEvent != 0 {
		if status, left, ok := c.changes.take(); ok {
			c.rpid, c.status = c.pid, status
			if left > 0 {
				c.loop.pending.mark(&c.watcher, ChildEvent)
			}
		}
	}
	c.fn(c)
}

func (c *Child) callback() any { return c.fn }

func (c *Child) onStop() {
	c.changes.shut()
	c.resource.release()
	c.resource, c.changes = nil, nil
	c.loop.requests.deactivate(&c.request)
}

// changes is what became of a process between a Start and the Stop after it, and
// has not been called back. Each Start makes a new one: a goroutine of an earlier
// one may still be about to report. Those goroutines reach the watcher by a weak
// pointer only, so that a loop that is dropped without Close can be collected. As
// long as anybody can run the loop, its list of active watchers keeps the Child.
type changes struct {
	to weak.Pointer[Child]

	mu     sync.Mutex
	list   []syscall.WaitStatus
	closed bool // by Stop, or by the exit
}

// add reports a change, on whatever goroutine noticed it. The lock is held
// until the request is made, so that none is after shut has returned.
func (ch *changes) add(status syscall.WaitStatus, exit bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed {
		return
	}
	ch.closed = exit
	ch.list = append(ch.list, status)
	if c := ch.to.Value(); c != nil {
		c.send(c.loop)
	}
}

func (ch *changes) take() (status syscall.WaitStatus, left int, ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.list) == 0 {
		return status, 0, false
	}
	status = ch.list[0]
	ch.list = ch.list[1:]
	return status, len(ch.list), true
}

func (ch *changes) shut() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.closed = true
}
