//go:build unix

// Command descriptors is a TCP server that sends its input back in upper case, and closes a
// connection after a time without input.
//
//	descriptors -address 127.0.0.1:7000 -idle 1m
//
// One goroutine serves all connections, by system calls that do not wait.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "listen on `host:port`")
	idle := flag.Duration("idle", time.Minute, "close a connection that is silent for this `time`")
	flag.Parse()
	if err := run(*address, *idle); err != nil {
		fmt.Fprintln(os.Stderr, "descriptors:", err)
		os.Exit(1)
	}
}

func run(address string, idle time.Duration) error {
	loop, err := ev.New(ev.WithName("descriptors"))
	if err != nil {
		return err
	}
	defer loop.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer listener.Close()
	accept := ev.NewConnIO(loop, listener.(*net.TCPListener), ev.Read, func(w *ev.IO, _ ev.Events) {
		conn, err := w.TryAccept()
		if err != nil {
			if err != ev.ErrWouldBlock {
				fmt.Fprintln(os.Stderr, "descriptors:", err)
			}
			return
		}
		serve(loop, conn.(*net.TCPConn), idle)
	})
	if err := accept.Start(); err != nil {
		return err
	}
	end := ev.NewSignal(loop, syscall.SIGTERM, func(*ev.Signal) { loop.Stop() })
	if err := end.Start(); err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return loop.Run(context.Background())
}

// client is a connection. It is watched for Read or, while output waits, for Write.
type client struct {
	conn   *net.TCPConn
	io     *ev.IO
	silent *ev.Timer
	idle   time.Duration
	output []byte
	buf    [4096]byte
}

func serve(loop *ev.Loop, conn *net.TCPConn, idle time.Duration) {
	c := &client{conn: conn, idle: idle}
	c.silent = ev.NewTimer(loop, idle, 0, func(*ev.Timer) { c.close() })
	c.silent.Start()
	c.io = ev.NewConnIO(loop, conn, ev.Read, c.ready)
	if err := c.io.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "descriptors:", err)
		c.close()
	}
}

func (c *client) ready(_ *ev.IO, events ev.Events) {
	var err error
	if events&ev.Write != 0 {
		err = c.write()
	}
	if events&ev.Read != 0 && err == nil {
		var n int
		if n, err = c.io.TryRead(c.buf[:]); n > 0 {
			c.output = append(c.output, bytes.ToUpper(c.buf[:n])...)
			c.silent.Arm(c.idle)
			err = c.write()
		}
	}
	if err != nil && err != ev.ErrWouldBlock {
		c.close()
	}
}

// write writes as much as the connection takes.
func (c *client) write() error {
	n, err := c.io.TryWrite(c.output)
	c.output = c.output[:copy(c.output, c.output[n:])]
	if err != nil && err != ev.ErrWouldBlock {
		return err
	}
	if len(c.output) > 0 {
		return c.io.SetEvents(ev.Write)
	}
	return c.io.SetEvents(ev.Read)
}

func (c *client) close() {
	c.io.Stop()
	c.silent.Stop()
	c.conn.Close()
}
