package evnet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/taskconn"
)

// Wrap returns a connection whose Read and Write suspend the calling task until c is ready.
//
// It must be called on the loop's goroutine, as must all methods of the connection; Read, Write,
// ReadFrom and WriteTo must be called by a task. Close closes c too. Nothing else may read or
// write c meanwhile. A connection that Wrap has returned for this loop is returned as it is.
//
// Wrap returns ev.ErrClosed if the loop is closed, and an error if c is closed: c is then the
// caller's still. It panics if l or c is nil.
func Wrap(l *ev.Loop, c net.Conn) (net.Conn, error) {
	checkLoop("Wrap", l)
	if c == nil {
		panic("evnet: Wrap: nil connection")
	}
	if w, ok := c.(interface{ wrapped() *conn }); ok && w.wrapped().l == l {
		return c, nil
	}
	w := &conn{l: l, c: c}
	if err := w.init(); err == ev.ErrClosed {
		return nil, err
	} else if err != nil {
		return nil, &net.OpError{Op: "wrap", Net: network(c.LocalAddr()), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	}
	out, canCloseWrite := c.(interface{ CloseWrite() error })
	in, canCloseRead := c.(interface{ CloseRead() error })
	switch {
	case canCloseRead && canCloseWrite:
		return &duplexConn{conn: w, in: in, out: out}, nil
	case canCloseWrite:
		return &halfConn{conn: w, out: out}, nil
	}
	return w, nil
}

// Dial connects to the address as net.Dial does, and wraps the connection. The task t, which
// calls, waits meanwhile: put Dial into Within for a timeout. It costs a goroutine until it
// returns.
func Dial(t *ev.Task, network, address string) (net.Conn, error) {
	var handed atomic.Bool // to one side; the other closes the connection
	var dialed net.Conn
	c, err := ev.Await(t, func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		dialed = c
		if !handed.CompareAndSwap(false, true) {
			_ = c.Close()
		}
		return c, nil
	})
	if err != nil {
		if !handed.CompareAndSwap(false, true) {
			_ = dialed.Close()
		}
		return nil, opError("dial", network, nil, nil, err)
	}
	w, err := Wrap(t.Loop(), c)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return w, nil
}

func checkLoop(function string, l *ev.Loop) {
	if l == nil {
		panic("evnet: " + function + ": nil loop")
	}
}

// running panics unless a task of the loop calls.
func running(l *ev.Loop, method string) {
	if l.Task() == nil {
		panic("evnet: " + method + ": called outside any task of the loop")
	}
}

func network(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.Network()
}

// opError is the error of an operation, in the form in which package net returns it.
func opError(op, network string, source, addr net.Addr, err error) error {
	var errno syscall.Errno
	var done *net.OpError
	switch {
	case errors.As(err, &done):
		return err
	case errors.Is(err, os.ErrClosed):
		err = net.ErrClosed
	case errors.As(err, &errno) && err == error(errno):
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: network, Source: source, Addr: addr, Err: err}
}

// hasDescriptors reports whether the loop can wait for descriptors.
func hasDescriptors(l *ev.Loop) bool { return descriptors && l.Backend() != ev.BackendChan }

// part makes the loop's part of a connection or listener v. raw is nil if it can be used by way
// of goroutines only.
func part(l *ev.Loop, v any) (at taskconn.Conn, raw syscall.RawConn, err error) {
	if c, ok := v.(syscall.Conn); ok && hasDescriptors(l) {
		watched := false
		if raw, err = c.SyscallConn(); err == nil {
			err = raw.Control(func(fd uintptr) { watched = canWatch(int(fd)) })
		}
		if err != nil {
			return nil, nil, net.ErrClosed
		}
		if !watched {
			raw = nil
		}
	}
	if at = taskconn.New(l, raw); at == nil {
		return nil, nil, ev.ErrClosed
	}
	return at, raw, nil
}
