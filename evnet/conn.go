package evnet

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/taskconn"
)

// conn is a connection. Its in and out do the reading and writing: by system calls that do not
// block, or by goroutines.
type conn struct {
	l    *ev.Loop
	c    net.Conn
	at   taskconn.Conn
	in   reader
	out  writer
	raw  syscall.RawConn // nil without a descriptor
	shut bool
}

// reader and writer make one step of an operation that has begun. They wait, if they must.
type (
	reader interface{ read(p []byte) (int, error) }
	writer interface{ write(p []byte) (int, error) }
)

type halfConn struct {
	*conn
	out interface{ CloseWrite() error }
}

type duplexConn struct {
	*conn
	in  interface{ CloseRead() error }
	out interface{ CloseWrite() error }
}

// CloseWrite shuts down the writing side: the peer reads io.EOF.
func (c *halfConn) CloseWrite() error { return c.out.CloseWrite() }

// CloseWrite shuts down the writing side: the peer reads io.EOF.
func (c *duplexConn) CloseWrite() error { return c.out.CloseWrite() }

// CloseRead shuts down the reading side: Read returns io.EOF.
func (c *duplexConn) CloseRead() error { return c.in.CloseRead() }

func (c *conn) wrapped() *conn { return c }

func (c *conn) init() (err error) {
	c.at, c.raw, err = part(c.l, c.c)
	if err != nil {
		return err
	}
	if c.raw != nil {
		return c.initFile()
	}
	c.in = &puller{conn: c, call: call{at: c.at, way: taskconn.In}}
	c.out = &pusher{conn: c, call: call{at: c.at, way: taskconn.Out}}
	return nil
}

// Read reads what there is, and waits if that is nothing.
func (c *conn) Read(p []byte) (int, error) {
	running(c.l, "Conn.Read")
	if err := c.at.Begin(taskconn.In); err != nil {
		return 0, c.fail("read", err)
	}
	n, err := 0, error(nil)
	if len(p) > 0 {
		n, err = c.in.read(p)
	}
	c.at.End(taskconn.In)
	if err != nil && err != io.EOF {
		err = c.fail("read", err)
	}
	return n, err
}

// Write writes all of p. It waits while the connection is full.
func (c *conn) Write(p []byte) (int, error) {
	running(c.l, "Conn.Write")
	if err := c.at.Begin(taskconn.Out); err != nil {
		return 0, c.fail("write", err)
	}
	n, err := c.out.write(p)
	c.at.End(taskconn.Out)
	if err != nil {
		err = c.fail("write", err)
	}
	return n, err
}

func (c *conn) fail(op string, err error) error {
	return opError(op, network(c.LocalAddr()), c.LocalAddr(), c.RemoteAddr(), err)
}

// Close closes the connection. Operations in progress return net.ErrClosed.
func (c *conn) Close() error {
	if !c.at.Close() {
		return c.fail("close", net.ErrClosed)
	}
	c.shut = true
	return c.c.Close()
}

// LocalAddr returns the local address.
func (c *conn) LocalAddr() net.Addr { return c.c.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *conn) RemoteAddr() net.Addr { return c.c.RemoteAddr() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *conn) SetDeadline(t time.Time) error {
	err := c.SetReadDeadline(t)
	if err == nil {
		err = c.SetWriteDeadline(t)
	}
	return err
}

// SetReadDeadline has Read fail with os.ErrDeadlineExceeded from t on, also a Read that waits
// now. The zero Time is no deadline.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.shut {
		return c.fail("set", net.ErrClosed)
	}
	c.at.SetDeadline(taskconn.In, t)
	return nil
}

// SetWriteDeadline is SetReadDeadline for Write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.shut {
		return c.fail("set", net.ErrClosed)
	}
	if c.raw == nil {
		return c.c.SetWriteDeadline(t)
	}
	c.at.SetDeadline(taskconn.Out, t)
	return nil
}

// SyscallConn returns the descriptor of the wrapped connection, or errors.ErrUnsupported if that
// has none.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.c.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// ReadFrom writes to the connection what it reads from r, to the end.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	running(c.l, "Conn.ReadFrom")
	return transfer(c, r)
}

// WriteTo writes to w what it reads from the connection, to the end.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	running(c.l, "Conn.WriteTo")
	return transfer(w, c)
}

// buffers are for transfer: 1 000 connections that are copied to each other need few.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// transfer is io.Copy, which would call ReadFrom and WriteTo again.
func transfer(w io.Writer, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf[:])
}
