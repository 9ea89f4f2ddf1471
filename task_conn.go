package ev

import (
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/taskconn"
)

// The loop's part of the connections of package evnet. Package internal/taskconn has the
// contract.

func init() {
	taskconn.New = func(loop any, raw syscall.RawConn) taskconn.Conn {
		if l := loop.(*Loop); !l.isClosed() {
			return newConnection(l, raw)
		}
		return nil
	}
}

// connection keeps its IO registered between waits: a task that reads, writes and reads again
// makes no system call but those. After a wait, Read stays registered until an event finds no
// task that waits. Write does not: it holds nearly always.
type connection struct {
	l      *Loop
	raw    syscall.RawConn // nil without a descriptor
	io     *IO             // nil until the first wait for the descriptor
	failed bool            // the poller has refused the descriptor
	closed bool
	ways   [2]way
}

// way is one direction of a connection.
type way struct {
	events   Events
	turn     *Task // whose operation it is; nil
	waits    bool  // turn is suspended in Wait
	event    bool  // the descriptor was ready since the last Wait
	queue    waiters
	deadline time.Duration // never, if there is none

	// Of a Wait for another goroutine, which sets done and then calls Wake. The task stores
	// asker before it looks at done, so one of them sees what the other has stored.
	done  interface{ Load() bool }
	asker atomic.Pointer[Task]
}

func newConnection(l *Loop, raw syscall.RawConn) *connection {
	c := &connection{l: l, raw: raw}
	c.ways[taskconn.In].init(Read)
	c.ways[taskconn.Out].init(Write)
	return c
}

func (w *way) init(events Events) { w.events, w.deadline = events, never }

func (c *connection) Begin(at taskconn.Way) error {
	t, w := c.l.task, &c.ways[at]
	if err := t.refusal(); err != nil {
		return err
	}
	if err := t.spend(); err != nil {
		return err
	}
	if w.turn != nil {
		w.queue.push(t)
		if err := t.suspend(w, never); err != nil {
			w.queue.remove(t)
			if w.turn == t {
				w.pass()
			}
			return err
		}
	}
	w.turn = t
	if err := c.check(w); err != nil {
		w.pass()
		return err
	}
	return nil
}

// check returns why no operation begins or goes on.
func (c *connection) check(w *way) error {
	switch {
	case c.closed:
		return os.ErrClosed
	case w.deadline != never && w.deadline <= time.Since(c.l.base):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *connection) End(at taskconn.Way) { c.ways[at].pass() }

// pass gives the turn to the task that waits longest for it. A deadline and Close end the wait of
// the task whose turn it is, and so, one after the other, those of all.
func (w *way) pass() {
	w.turn = nil
	for t := w.queue.pop(); t != nil; t = w.queue.pop() {
		if t.wake() {
			w.turn = t
			return
		}
	}
}

func (c *connection) Wait(at taskconn.Way, done interface{ Load() bool }) error {
	t, w := c.l.task, &c.ways[at]
	if done != nil {
		w.done = done
		w.asker.Store(t)
	} else if err := c.watch(w.events); err != nil {
		return err
	}
	var err error
	if !w.event && (done == nil || !done.Load()) {
		w.waits = true
		err = t.suspend(w, w.deadline)
		w.waits = false
	}
	if done != nil {
		w.asker.Store(nil)
		w.done = nil
	}
	ready := w.event
	w.event = false
	switch {
	case err != nil:
		return err
	case c.failed && !c.closed:
		return c.failure()
	case ready && !c.closed:
		return nil // before the deadline
	}
	return c.check(w)
}

// failure tells a connection that was closed by others from one that cannot be watched.
func (c *connection) failure() error {
	if c.raw.Control(func(uintptr) {}) != nil {
		return os.ErrClosed
	}
	return syscall.EBADF
}

func (c *connection) Wake(at taskconn.Way) {
	if t := c.ways[at].asker.Load(); t != nil {
		t.send(c.l)
	}
}

func (w *way) ready(t *Task) bool { return w.turn == t && w.done != nil && w.done.Load() }
func (w *way) abandon(*Task)      {}

func (w *way) method() string {
	if w.events == Write {
		return "evnet write"
	}
	return "evnet read" // or Accept
}

// watch has the IO watch for the events, besides others.
func (c *connection) watch(events Events) error {
	if c.io == nil {
		c.io = NewIO(c.l, -1, None, func(*IO, Events) {}, hidden{})
		c.io.internal = c.becameReady
		c.io.conn = c.raw
	}
	if c.io.index != 0 {
		c.setInterest(c.io.interest | events)
		return nil
	}
	c.failed = false
	c.io.interest = events
	return c.io.start()
}

func (c *connection) setInterest(events Events) {
	if c.io.index != 0 && c.io.interest != events {
		c.io.interest = events
		c.l.files.change(c.io.fd)
	}
}

// becameReady is called in the poll phase: the step comes in the same iteration.
func (c *connection) becameReady(got Events) {
	if got == Error {
		c.failed = true
		got = Read | Write
	}
	keep := c.io.interest &^ (got & Write)
	for i := range c.ways {
		w := &c.ways[i]
		if got&w.events == None {
			continue
		}
		w.event = true
		if !w.waits {
			keep &^= w.events
		} else if !w.turn.over {
			w.turn.over = true
			c.l.pending.mark(&w.turn.watcher, w.events)
		}
	}
	c.setInterest(keep)
}

func (c *connection) SetDeadline(at taskconn.Way, deadline time.Time) {
	w := &c.ways[at]
	w.deadline = never
	if !deadline.IsZero() {
		w.deadline = after(time.Since(c.l.base), time.Until(deadline))
	}
	if w.waits {
		w.turn.suspendUntil(w.deadline)
	}
}

func (c *connection) Close() bool {
	if c.closed {
		return false
	}
	c.closed = true
	if c.io != nil {
		c.io.Stop()
	}
	for i := range c.ways {
		w := &c.ways[i]
		if w.waits {
			w.turn.wake()
		}
	}
	return true
}
