//go:build cgo

package redis

import "github.com/goevlib/ev"

// Client sends commands to a server. It keeps Run going while a command is in progress.
type Client struct {
	link
	pending []func(reply any, err error) // of the commands without a reply, in the order of both
	head    int                          // of pending
}

// NewClient makes a Client and begins to connect. The loop's Close closes it. NewClient must be
// called on the loop's goroutine, or before the loop runs. The error wraps errors.ErrUnsupported
// if the loop's backend has no descriptors. It is ev.ErrClosed on a closed loop.
func NewClient(l *ev.Loop, o Options) (*Client, error) {
	c := &Client{}
	if err := c.open(l, c, o); err != nil {
		return nil, err
	}
	return c, nil
}

// Do sends a command. done is called with the reply: nil, an int64, a string, or a []any of these
// and of ServerErrors. If the server refuses the command, err is a ServerError. With any other
// error it is not known whether the server has executed the command. No command is sent twice.
//
// Commands may be given while the Client is connecting. Between two attempts done gets
// ErrNotConnected. Do returns ErrClosed after Close, and an error for a command that it does not
// send; then done is not called.
func (c *Client) Do(done func(reply any, err error), args ...string) error {
	if c.closed {
		return ErrClosed
	}
	if err := check(args); err != nil {
		return err
	}
	if c.conn == nil || c.conn.context == nil {
		c.post(func() { done(nil, ErrNotConnected) })
		return nil
	}
	first := !c.waits()
	c.pending = append(c.pending, done)
	if first {
		c.await()
	}
	c.enqueue(args...)
	return nil
}

// InProgress returns the number of commands whose replies have not come.
func (c *Client) InProgress() int { return len(c.pending) - c.head }

// Connected reports whether there is a connection.
func (c *Client) Connected() bool { return c.up }

// Calls returns how often the Client has called C. C has never called Go.
func (c *Client) Calls() uint64 { return c.calls }

// Close ends the connection. No callback begins after it. Further calls have no effect.
func (c *Client) Close() {
	c.close()
	c.pending, c.head = nil, 0
}

func (c *Client) connected()  {}
func (c *Client) waits() bool { return c.InProgress() > 0 }

func (c *Client) received(v any) {
	done := c.pending[c.head]
	c.pending[c.head] = nil
	if c.head++; c.head == len(c.pending) {
		c.pending, c.head = c.pending[:0], 0
	}
	if refusal, ok := v.(ServerError); ok {
		c.queue(done, nil, refusal)
		return
	}
	c.queue(done, v, nil)
}

func (c *Client) lost(err error) {
	for _, done := range c.pending[c.head:] {
		c.queue(done, nil, err)
	}
	c.pending, c.head = nil, 0
}
