package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode"

	"github.com/goevlib/ev"
)

// maxLine is the longest line of a client, in bytes.
const maxLine = 1024

// client is one connection. Its task reads. A second task writes what is in out.
type client struct {
	*server
	conn net.Conn // on which Close ends both tasks
	in   *bufio.Reader
	out  *ev.Mailbox[string]
	w    stream
}

// stream is a connection whose end the peer is told.
type stream interface {
	io.ReadWriter
	CloseWrite() error
}

// hear gives the client a line. If too many lines wait already, the client is dropped instead: its
// tasks find the connection closed.
func (c *client) hear(line string) {
	if c.out.Send(line) == ev.ErrFull {
		c.log.Printf("%v does not read, and is dropped", c.conn.RemoteAddr())
		c.out.Close()
		_ = c.conn.Close()
	}
}

// welcome is the task of a connection.
func (s *server) welcome(t *ev.Task, conn net.Conn) {
	defer conn.Close()
	c := &client{server: s, conn: conn, out: ev.NewMailbox[string](t.Loop(), s.backlog)}
	s.clients[c] = true
	defer delete(s.clients, c)
	w, err := s.secure(t, conn)
	if err != nil {
		s.log.Printf("%v: %v", conn.RemoteAddr(), err)
		return
	}
	c.in, c.w = bufio.NewReaderSize(w, maxLine), w
	g := ev.NewGroup(t)
	g.Go(c.write)
	if err := c.talk(t); err != nil {
		c.hear("* " + err.Error())
	}
	c.out.Close()
	_ = t.Within(s.grace, g.Wait) // for the last lines
}

// talk returns when the client has left, with a reason if that was not its wish.
func (c *client) talk(t *ev.Task) error {
	name, err := c.askName(t)
	if err != nil {
		return c.reason(err)
	}
	defer c.room.leave(name)
	for {
		switch line, err := c.line(t); {
		case err != nil:
			return c.reason(err)
		case line == "":
		case line == "/quit":
			return nil
		case line == "/who":
			c.hear("* " + c.room.names())
		default:
			c.room.say("<" + name + "> " + line)
			if err := t.Yield(); err != nil { // the others write it before there is a next line
				return err
			}
		}
	}
}

func (c *client) askName(t *ev.Task) (string, error) {
	c.hear("* what is your name?")
	for {
		name, err := c.line(t)
		switch {
		case err != nil:
			return "", err
		case name == "" || len(name) > 32 || strings.ContainsAny(name, " /<>*"):
			c.hear("* that is not a name")
		case !c.room.enter(name, c):
			c.hear("* that name is taken")
		default:
			c.hear(fmt.Sprintf("* welcome: %d are here", len(c.room)))
			return name, nil
		}
	}
}

var errTooLong = errors.New("that line is too long")

// line reads a line, without what could upset the terminals of others.
func (c *client) line(t *ev.Task) (line string, err error) {
	err = t.Within(c.idle, func() error {
		p, err := c.in.ReadSlice('\n')
		line = strings.Map(printable, strings.ToValidUTF8(string(p), "?"))
		return err
	})
	return strings.TrimSpace(line), err
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// reason returns what the client should hear about the end of its connection.
func (c *client) reason(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("you were silent for too long")
	case errors.Is(err, bufio.ErrBufferFull):
		return errTooLong
	}
	return nil
}

// write is the second task. It ends when the mailbox is closed and empty, or with the connection.
// Lines that wait are written together.
func (c *client) write(t *ev.Task) error {
	defer c.conn.Close() // and so ends the first task
	var buf []byte
	for {
		line, err := c.out.Receive(t)
		if err == io.EOF {
			_ = c.w.CloseWrite()
		}
		if err != nil {
			return nil
		}
		buf = append(append(buf[:0], line...), '\n')
		for len(buf) < 16<<10 {
			line, more := c.out.TryReceive()
			if !more {
				break
			}
			buf = append(append(buf, line...), '\n')
		}
		if _, err := c.w.Write(buf); err != nil {
			return nil
		}
	}
}
