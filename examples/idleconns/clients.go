//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// clientsEnv tells the program that it is the clients of another one.
const clientsEnv = "EV_IDLECONNS_CLIENTS"

const (
	every   = 10               // client 0, 10, 20 … have something to say
	dialers = 32               // so many connect at the same time
	patient = 30 * time.Second // so long anyone waits for the other end
)

// The commands, a line each, and the answer to each, a line too: a number, or
// what went wrong.
const (
	open  = "open"  // with a number and an address: that many connections
	ask   = "ask"   // those who have something to say do; the number is of those answered
	leave = "leave" // close all
)

// clients obeys the commands until there are no more.
func clients(commands io.Reader, answers io.Writer) error {
	var conns []net.Conn
	for {
		var name, addr string
		var n int
		if _, err := fmt.Fscanln(commands, &name, &n, &addr); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var err error
		switch name {
		case open:
			conns = make([]net.Conn, n)
			err = each(conns, 1, func(i int) (err error) {
				conns[i], err = upgrade(addr, i)
				return err
			})
		case ask:
			n = (len(conns) + every - 1) / every
			err = each(conns, every, func(i int) error { return converse(conns[i], i) })
		case leave:
			for _, c := range conns {
				_ = c.(*net.TCPConn).SetLinger(0) // leaves no port in TIME_WAIT
				err = errors.Join(err, c.Close())
			}
			conns = nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(answers, n)
	}
}

// each calls fn for 0, step, … on some goroutines, and returns the first error.
func each(conns []net.Conn, step int, fn func(i int) error) error {
	var working sync.WaitGroup
	var errs [dialers]error
	for d := range dialers {
		working.Go(func() {
			for i := d * step; i < len(conns) && errs[d] == nil; i += dialers * step {
				errs[d] = fn(i)
			}
		})
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// upgrade makes a connection that is to be hijacked. Some say something with the
// request: it is in the server's buffer by the time of the Hijack.
func upgrade(addr string, i int) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	request := "GET / HTTP/1.1\r\nHost: " + addr + "\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	if i%every == 0 {
		request += early(i)
	}
	_ = conn.SetDeadline(time.Now().Add(patient))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	// Of one byte: what comes after the answer is for converse.
	resp, err := http.ReadResponse(bufio.NewReaderSize(oneByOne{conn}, 16), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return conn, nil
}

// oneByOne reads no further than it is asked to.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func early(i int) string { return fmt.Sprintf("client %d was early\n", i) }

// converse sees that the early line was answered, and another one is.
func converse(conn net.Conn, i int) error {
	_ = conn.SetDeadline(time.Now().Add(patient))
	late := fmt.Sprintf("client %d is there still\n", i)
	if _, err := io.WriteString(conn, late); err != nil {
		return err
	}
	want := early(i) + late
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("client %d: %w", i, err)
	}
	if string(got) != want {
		return fmt.Errorf("client %d got %q, not %q", i, got, want)
	}
	return nil
}

// company is the process in which the clients are.
type company struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startClients() (*company, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &company{process: exec.Command(self)}
	c.process.Env = append(os.Environ(), clientsEnv+"=1")
	c.process.Stderr = os.Stderr
	if c.in, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.process.Start()
}

// tell gives a command and waits until it is done.
func (c *company) tell(command string, n int, addr string) (int, error) {
	if _, err := fmt.Fprintln(c.in, command, n, addr); err != nil {
		return 0, fmt.Errorf("clients: %w", err)
	}
	var done int
	if _, err := fmt.Fscanln(c.out, &done); err != nil {
		return 0, fmt.Errorf("clients: %s failed", command) // they have said why
	}
	return done, nil
}

// stop ends the process, which ends when there are no more commands.
func (c *company) stop() error {
	return errors.Join(c.in.Close(), c.process.Wait())
}
