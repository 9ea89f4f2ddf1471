package evnet

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/taskconn"
)

// Listen listens as net.Listen does, and wraps the listener. A name in the address is looked up
// before Listen returns, and the loop waits for that.
func Listen(l *ev.Loop, network, address string) (net.Listener, error) {
	checkLoop("Listen", l)
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	w, err := WrapListener(l, inner)
	if err != nil {
		_ = inner.Close()
	}
	return w, err
}

// WrapListener returns a listener whose Accept suspends the calling task until there is a
// connection, and wraps that. It must be called on the loop's goroutine, as must all methods of
// the listener; Accept must be called by a task. Close closes inner too.
//
// WrapListener returns ev.ErrClosed if the loop is closed, and an error if inner is closed: inner
// is then the caller's still. It panics if l or inner is nil.
func WrapListener(l *ev.Loop, inner net.Listener) (net.Listener, error) {
	checkLoop("WrapListener", l)
	if inner == nil {
		panic("evnet: WrapListener: nil listener")
	}
	w := &listener{l: l, inner: inner}
	if err := w.init(); err == ev.ErrClosed {
		return nil, err
	} else if err != nil {
		return nil, opError("wrap", network(inner.Addr()), nil, inner.Addr(), err)
	}
	return w, nil
}

type listener struct {
	l     *ev.Loop
	inner net.Listener
	at    taskconn.Conn
	shut  bool
	from  acceptor
}

// acceptor makes one step of an Accept that has begun. It waits, if it must.
type acceptor interface{ accept() (net.Conn, error) }

// limited is a listener whose Accept can be ended.
type limited interface {
	net.Listener
	SetDeadline(time.Time) error
}

func (n *listener) init() (err error) {
	timed, ok := n.inner.(limited)
	var may any = n.inner
	if !ok {
		may = nil // without a descriptor
	}
	at, raw, err := part(n.l, may)
	if err != nil {
		return err
	}
	n.at = at
	if raw != nil {
		n.from = &fileAcceptor{at: at, raw: raw, inner: timed}
	} else {
		n.from = &pulledAcceptor{listener: n, call: call{at: at, way: taskconn.In}}
	}
	return nil
}

// Accept waits for a connection and returns it, wrapped.
func (n *listener) Accept() (net.Conn, error) {
	running(n.l, "Listener.Accept")
	if err := n.at.Begin(taskconn.In); err != nil {
		return nil, n.fail("accept", err)
	}
	c, err := n.from.accept()
	n.at.End(taskconn.In)
	if err != nil {
		return nil, n.fail("accept", err)
	}
	w, err := Wrap(n.l, c)
	if err != nil {
		_ = c.Close()
	}
	return w, err
}

func (n *listener) fail(op string, err error) error {
	return opError(op, network(n.Addr()), nil, n.Addr(), err)
}

// Close closes the listener. An Accept in progress returns net.ErrClosed.
func (n *listener) Close() error {
	if !n.at.Close() {
		return n.fail("close", net.ErrClosed)
	}
	n.shut = true
	err := n.inner.Close()
	if p, ok := n.from.(*pulledAcceptor); ok {
		p.close()
	}
	return err
}

// Addr returns the listener's address.
func (n *listener) Addr() net.Addr { return n.inner.Addr() }

// SetDeadline has Accept fail with os.ErrDeadlineExceeded from t on, also an Accept that waits
// now. The zero Time is no deadline.
func (n *listener) SetDeadline(t time.Time) error {
	if n.shut {
		return n.fail("set", net.ErrClosed)
	}
	n.at.SetDeadline(taskconn.In, t)
	return nil
}

// SyscallConn returns the descriptor of the wrapped listener, or errors.ErrUnsupported if that
// has none.
func (n *listener) SyscallConn() (syscall.RawConn, error) {
	if s, ok := n.inner.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// fileAcceptor accepts by the listener's own Accept, when poll says that there is a connection.
// Its own makes a net.Conn from a descriptor with fewer system calls than any other way, and with
// the options of its net.ListenConfig. If another process has taken the connection meanwhile,
// that Accept would block the loop: so there is a deadline.
type fileAcceptor struct {
	at    taskconn.Conn
	raw   syscall.RawConn
	inner limited
}

func (a *fileAcceptor) accept() (net.Conn, error) {
	for {
		var ready bool
		if a.raw.Control(func(fd uintptr) { ready = readable(int(fd)) }) != nil {
			return nil, net.ErrClosed
		}
		if !ready {
			if err := a.at.Wait(taskconn.In, nil); err != nil {
				return nil, err
			}
			continue
		}
		if err := a.inner.SetDeadline(time.Now().Add(blink)); err != nil {
			return nil, err
		}
		c, err := a.inner.Accept()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return c, err
		}
	}
}

// pulledAcceptor accepts by a goroutine. A connection that comes after the task was stopped is
// for the next Accept. After Close nobody takes it: then run or close closes it, and one of them
// sees what the other has stored.
type pulledAcceptor struct {
	listener *listener
	call     call
	result   atomic.Pointer[accepted]
	closed   atomic.Bool
}

type accepted struct {
	conn net.Conn
	err  error
}

func (a *pulledAcceptor) accept() (net.Conn, error) {
	if !a.call.begun {
		a.call.start(a.run)
	}
	if err := a.call.wait(); err != nil {
		return nil, err
	}
	if r := a.result.Swap(nil); r != nil {
		return r.conn, r.err
	}
	return nil, errGoexit
}

func (a *pulledAcceptor) run() {
	c, err := a.listener.inner.Accept()
	a.result.Store(&accepted{c, err})
	if a.closed.Load() {
		a.discard()
	}
}

func (a *pulledAcceptor) close() {
	a.closed.Store(true)
	a.discard()
}

func (a *pulledAcceptor) discard() {
	if r := a.result.Swap(nil); r != nil && r.conn != nil {
		_ = r.conn.Close()
	}
}
