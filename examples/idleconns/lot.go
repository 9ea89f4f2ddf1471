//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

// client is a connection with the beginning of a line that has not ended yet.
type client struct {
	conn net.Conn
	line []byte
}

const maxLine = 4096

var errLongLine = fmt.Errorf("a line of more than %d bytes", maxLine)

// take returns the answer: the complete lines that end in data. The answer may
// be part of data.
func (c *client) take(data []byte) (answer []byte, err error) {
	end := bytes.LastIndexByte(data, '\n') + 1
	switch {
	case end == 0:
	case c.line == nil: // nearly always
		answer = data[:end]
	default:
		answer, c.line = append(c.line, data[:end]...), nil
	}
	if rest := data[end:]; len(rest) > 0 {
		c.line = append(c.line, rest...)
	}
	if len(c.line) > maxLine {
		return nil, errLongLine
	}
	return answer, nil
}

// lot holds the parked connections. It belongs to the loop's goroutine, except
// for arrivals, whose Send is safe for concurrent use.
type lot struct {
	loop     *ev.Loop
	arrivals *ev.Queue[*client]
	held     []*client // not watched yet, so that the connections can be measured alone
	watched  int
	answer   func(*ev.IO, ev.Events) // l.ready, as a value: one for all watchers
	buf      [maxLine]byte           // also one for all watchers, empty between callbacks
	err      error                   // the first that a client has not caused
}

func newLot(loop *ev.Loop, capacity int) *lot {
	l := &lot{loop: loop, held: make([]*client, 0, capacity)}
	l.answer = l.ready
	l.arrivals = ev.NewQueue(loop, 0, func(_ *ev.Queue[*client], batch []*client) {
		l.held = append(l.held, batch...)
	}, ev.Name("arrivals"))
	l.arrivals.Start()
	return l
}

// park takes over the connection from net/http's goroutine, which then ends.
func (l *lot) park(conn net.Conn, early []byte) {
	if l.arrivals.Send(&client{conn, early}) != nil {
		conn.Close() // the loop is closed
	}
}

// watch starts to watch the held connections.
func (l *lot) watch() {
	for _, c := range l.held {
		l.begin(c)
	}
	l.held = nil
}

func (l *lot) begin(c *client) {
	// net/http gives a *net.TCPConn. A *tls.Conn is not a syscall.Conn. It decrypts
	// and buffers data, so the readiness of its descriptor means little.
	conn, ok := c.conn.(syscall.Conn)
	if !ok {
		l.fail(fmt.Errorf("%T has no descriptor", c.conn))
		c.conn.Close()
		return
	}
	w := ev.NewConnIO(l.loop, conn, ev.Read, l.answer)
	w.SetData(c)
	if err := w.Start(); err != nil {
		l.fail(err)
		c.conn.Close()
		return
	}
	l.watched++
	// Data that came with the request has been read already, so the descriptor will
	// not be ready for it.
	early := c.line
	c.line = nil
	l.reply(w, c, early)
}

// fail keeps the first error. Later errors are mostly the same.
func (l *lot) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// ready is called when a client has sent data or has disconnected. Only the
// loop closes connections, so the descriptor still belongs to the client.
func (l *lot) ready(w *ev.IO, events ev.Events) {
	c := w.Data().(*client)
	if events&ev.Error != 0 {
		l.end(w, c) // the descriptor was closed: a bug
		return
	}
	n, err := syscall.Read(w.FD(), l.buf[:])
	switch {
	case again(err):
	case err != nil || n == 0:
		l.end(w, c)
	default:
		l.reply(w, c, l.buf[:n])
	}
}

func (l *lot) reply(w *ev.IO, c *client, data []byte) {
	answer, err := c.take(data)
	if err != nil {
		l.end(w, c)
		return
	}
	if len(answer) == 0 {
		return
	}
	n, err := syscall.Write(w.FD(), answer)
	if err != nil && !again(err) {
		l.end(w, c)
		return
	}
	if n = max(n, 0); n < len(answer) {
		l.writeElsewhere(w, c, bytes.Clone(answer[n:]))
	}
}

// writeElsewhere writes the rest to a slow client on another goroutine. Until
// that is done, nothing is read from the client.
func (l *lot) writeElsewhere(w *ev.IO, c *client, rest []byte) {
	w.Stop()
	write := func() (int, error) {
		_ = c.conn.SetWriteDeadline(time.Now().Add(patient))
		return c.conn.Write(rest)
	}
	ev.Go(l.loop, write, func(_ int, err error) {
		if err == nil {
			err = w.Start()
		}
		if err != nil {
			l.end(w, c)
		}
	})
}

// end stops the watcher before it closes the connection.
func (l *lot) end(w *ev.IO, c *client) {
	w.Stop()
	c.conn.Close()
	l.watched--
}

// again reports whether a system call may succeed later: readiness can be
// spurious.
func again(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}
