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

// clientsEnv is the environment variable that makes this process the clients.
const clientsEnv = "EV_IDLECONNS_CLIENTS"

const (
	every   = 10               // clients 0, 10, 20 … send a line
	dialers = 32               // the number that connect at the same time
	patient = 30 * time.Second // the longest wait for the other end
)

// The commands, a line each. The answer to each is a line too: a number or an
// error.
const (
	open  = "open"  // with a number and an address: make that many connections
	ask   = "ask"   // some clients send a line; the answer is the number that got a reply
	leave = "leave" // close all
)

// clients carries out commands until they end.
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

// upgrade makes a connection that the server hijacks. Some clients send a line
// together with the request, so the line is in the server's buffer at the time
// of the Hijack.
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
	// One byte at a time, because the data after the answer is for converse.
	resp, err := http.ReadResponse(bufio.NewReaderSize(oneByOne{conn}, 16), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return conn, nil
}

// oneByOne returns one byte per Read, so that a bufio.Reader does not read
// ahead.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func early(i int) string { return fmt.Sprintf("client %d was early\n", i) }

// converse checks that the early line was answered, and that another line is.
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

// company is the process of the clients.
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

// tell sends a command and waits for its answer.
func (c *company) tell(command string, n int, addr string) (int, error) {
	if _, err := fmt.Fprintln(c.in, command, n, addr); err != nil {
		return 0, fmt.Errorf("clients: %w", err)
	}
	var done int
	if _, err := fmt.Fscanln(c.out, &done); err != nil {
		return 0, fmt.Errorf("clients: %s failed", command) // they have printed the reason
	}
	return done, nil
}

// stop closes the commands, which ends the process.
func (c *company) stop() error {
	return errors.Join(c.in.Close(), c.process.Wait())
}
