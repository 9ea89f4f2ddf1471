package ev

import (
	"fmt"
	"sync"
	"syscall"
	"weak"

	"github.com/goevlib/ev/internal/process"
)

// Child calls back when a child process exits or is killed; libev's ev_child. It only watches
// and never reaps: your program must call Wait as it would without the watcher, before the
// callback, in it or after it, and gets the status too. Any number of watchers in any number
// of loops may watch one process. There is no watcher for "any child": it would take the
// children of os/exec and of every other package.
//
// There is one callback for the exit, and none after it. The watcher is not stopped
// automatically; the callback usually stops it. An exit before Start is reported too, if
// the process was not waited for.
//
// With [Trace], stops and continues are reported as well, each with a callback of its own.
// The system keeps only the last state change until it is read: a stop and a continue in
// quick succession can be reported as the continue alone.
//
// A Child runs at MaxPriority: an exit is reported before its consequences, such as the end
// of a pipe. Start sets that priority and overrides any other.
//
// # Wait in the callback
//
// The process has exited, so os.Process.Wait does not block. exec.Cmd.Wait can block if
// Stdin, Stdout or Stderr is neither nil nor an *os.File: it also waits until its goroutines
// have copied everything, and a grandchild that has inherited the pipe can make that last.
// Give the Cmd files, limit the wait with its WaitDelay, or call Wait on another goroutine
// with Go.
//
// The callback can come before the last output of the process was read. Cmd.Wait closes the
// pipes of StdoutPipe and StderrPipe, and unread output is lost. Use os.Pipe, which stays
// open.
//
// # signal.Ignore and signal.Reset
//
// A call of either with SIGCHLD ends the reports that depend on SIGCHLD, until the next Start
// of a Child that needs it, or of a Signal for SIGCHLD, on any loop. SIGCHLD is needed
//
//   - on Linux for stops and continues, and for exits where the system or the Go runtime's
//     poller refuses a pidfd;
//   - on macOS and the BSDs for all changes.
//
// Child exists on Linux, macOS and the BSDs, Trace on Linux only.
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

// NewChild makes a Child for the process with this number. It panics if l or fn is nil.
// Start reports errors of pid.
func NewChild(l *Loop, pid int, fn func(*Child), opts ...Option) *Child {
	c := &Child{pid: pid, fn: fn, status: process.UnknownStatus}
	c.watcher.init("NewChild", c, l, fn == nil, opts)
	c.request.init(&c.watcher, ChildEvent)
	return c
}

// Trace makes a Child also call back when the process is stopped by a signal, and when it
// continues. Each state change is reported to only one waiter: do not also call Wait4 with
// WUNTRACED or WCONTINUED, and trace a process with at most one Child.
func Trace(on bool) Option { return traceOption(on) }

type traceOption bool

func (o traceOption) apply(w *watcher) {
	c, ok := w.self.(*Child)
	if !ok {
		panic("ev: New" + kindOf(w.self) + ": Trace is an option of NewChild")
	}
	c.trace = bool(o)
}

// Pid returns the number of the process watched. It is safe for concurrent use.
func (c *Child) Pid() int { return c.pid }

// RPid returns the number of the process whose state changed: Pid, or 0 before the first
// change.
func (c *Child) RPid() int {
	c.own("RPid")
	return c.rpid
}

// Status returns, in the callback, the state that the process changed to. Before the first
// change it is ^syscall.WaitStatus(0), which is neither Exited nor Signaled.
//
// Status is also ^syscall.WaitStatus(0) if the process has ended but a wait elsewhere took
// the status first. Linux keeps the status since 6.15; on older versions this is a matter
// of chance while other code waits for the process. On macOS and the BSDs it happens only to
// a process that has exited before Start.
func (c *Child) Status() syscall.WaitStatus {
	c.own("Status")
	return c.status
}

// Start begins to watch. It has no effect on an active watcher. It returns ErrClosed on a
// closed loop, and an error that wraps
//
//   - syscall.ESRCH if there is no such process, or if it was waited for already;
//   - syscall.ECHILD if the process is not a child of this one. On Linux an IO can watch a
//     pidfd of it (unix.PidfdOpen), which is readable after the exit and has no status.
//     macOS refuses only a process that this one may not kill, and the BSDs refuse none: its
//     callback comes after the exit of some child, or never;
//   - syscall.EACCES on NetBSD and older OpenBSD if the process, a child or not, runs as another
//     user or has run a set-user-ID program, and this one is not root's;
//   - syscall.EINVAL if the number is not positive;
//   - syscall.EMFILE, ENFILE or ENOMEM if the process or the system has no descriptor left;
//   - errors.ErrUnsupported if the system has no Child or no Trace.
//
// An active watcher costs a goroutine and, until the process has exited, a descriptor, but
// no OS thread. It cannot be used in a testing/synctest bubble: real processes do not live
// in virtual time.
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
		return c.startError(fmt.Errorf("pid %d: %w", c.pid, err))
	}
	c.raise()
	if !c.begin() {
		p.Close()
		return ErrClosed // by another goroutine, meanwhile
	}
	c.loop.requests.activate(&c.request)
	c.changes = &changes{to: weak.Make(c)}
	p.Watch(c.changes.add)
	c.resource = c.loop.resources.add(p.Close) // after Watch, which sets what Close uses
	return nil
}

func (c *Child) open() (*process.Process, error) {
	switch {
	case c.pid == 0:
		return nil, fmt.Errorf("%w: 0 would be any child, those of os/exec too", syscall.EINVAL)
	case c.pid < 0:
		return nil, fmt.Errorf("%w: process groups cannot be watched", syscall.EINVAL)
	}
	return process.Open(c.pid, c.trace)
}

// raise sets the priority. A watcher that was fed before Start, and is pending, changes
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

// call makes the callback for the oldest change. If there are more, the watcher becomes
// pending again before the callback: Stop in the callback clears that, and a panic in it
// does not lose the others.
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

// changes are the state changes of a process, from a Start to the Stop after it, that have
// not been called back. Each Start makes a new one, because a goroutine of an earlier Start
// can still be about to report. Those goroutines have only a weak pointer to the watcher, so
// that a loop dropped without Close can be collected. While the loop can be run, its list of
// active watchers keeps the Child.
type changes struct {
	to weak.Pointer[Child]

	mu     sync.Mutex
	list   []syscall.WaitStatus
	closed bool // by Stop, or by the exit
}

// add adds a change and requests a callback. It may be called on any goroutine. It holds
// the lock until the request is made, so that there is no request after shut has returned.
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
