package main

import (
	"crypto/tls"
	"net"

	"github.com/goevlib/ev"
)

// secure makes the handshake, within the idle time. Without TLS it returns conn.
func (s *server) secure(t *ev.Task, conn net.Conn) (stream, error) {
	if s.tls == nil {
		return conn.(stream), nil
	}
	d := &deferred{Conn: conn}
	c := &secured{tls.Server(d, s.tls), d}
	return c, t.Within(s.idle, func() error {
		if err := c.Handshake(); err != nil {
			_ = d.flush() // the alert
			return err
		}
		return d.flush()
	})
}

// secured is a TLS connection that two tasks may use, whatever the peer does.
//
// A tls.Conn holds a lock while it writes, and its Read takes the same lock to answer a key
// update or to send an alert. If Write waited with the lock held, for a peer that does not read,
// such a Read would block the goroutine of the loop. So the tls.Conn writes to memory, and the
// tasks write that to the connection without a lock.
type secured struct {
	*tls.Conn
	d *deferred
}

func (c *secured) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		err = c.d.flush()
	}
	return n, err
}

// CloseWrite sends the alert by which TLS ends.
func (c *secured) CloseWrite() error {
	err := c.Conn.CloseWrite()
	if err == nil {
		err = c.d.flush()
	}
	return err
}

// deferred is a connection whose Write does not wait.
type deferred struct {
	net.Conn
	out []byte
}

func (d *deferred) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// Read writes first: the peer may be waiting for that.
func (d *deferred) Read(p []byte) (int, error) {
	if err := d.flush(); err != nil {
		return 0, err
	}
	return d.Conn.Read(p)
}

// flush writes what there is. The connection serves several tasks in the order of their calls.
func (d *deferred) flush() error {
	if len(d.out) == 0 {
		return nil
	}
	p := d.out
	d.out = nil
	_, err := d.Conn.Write(p)
	return err
}
