//go:build linux || darwin

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/cloudwego/netpoll"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// server listens, prints its address with announce, and serves.
type server struct {
	name  string
	serve func() error
}

// yardstick is the server with which the others are compared.
const yardstick = "goroutine per connection"

var servers = []server{
	{"ev, own descriptors", serveEV},
	{"ev, net.Conn's", serveEVConns},
	{"ev, tasks", serveTasks},
	{yardstick, serveGoroutines},
	{"cloudwego/netpoll", serveNetpoll},
	{"libev", serveLibev},
}

// serve runs a server until standard input ends.
func serve(name string) error {
	for _, s := range servers {
		if s.name == name && name == "libev" { // it reads standard input itself
			return s.serve()
		}
		if s.name == name {
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				os.Exit(0)
			}()
			return s.serve()
		}
	}
	return fmt.Errorf("no server %q", name)
}

func announce(addr net.Addr) { fmt.Println(addr) }

func listen() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		announce(l.Addr())
	}
	return l, err
}

// serveGoroutines serves each connection on a goroutine of its own.
func serveGoroutines() error {
	l, err := listen()
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 4096)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func serveNetpoll() error {
	l, err := listen()
	if err != nil {
		return err
	}
	loop, err := netpoll.NewEventLoop(func(_ context.Context, c netpoll.Connection) error {
		r, w := c.Reader(), c.Writer()
		data, err := r.Next(r.Len())
		if err != nil {
			return err
		}
		if _, err := w.WriteBinary(data); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return r.Release()
	})
	if err != nil {
		return err
	}
	return loop.Serve(l)
}

// peer is a connection of a loop. It is the data of its watcher.
type peer struct {
	conn io.Closer
	rest []byte // not yet accepted by the socket
}

type descriptor int

func (d descriptor) Close() error { return syscall.Close(int(d)) }

// echoes returns the callback of all watchers. It reads and writes with system
// calls, because the descriptors are non-blocking.
func echoes() func(*ev.IO, ev.Events) {
	buf := make([]byte, 4096)
	return func(w *ev.IO, events ev.Events) {
		p := w.Data().(*peer)
		data := p.rest
		if events&ev.Write == 0 {
			n, err := syscall.Read(w.FD(), buf)
			if again(err) {
				return
			}
			if err != nil || n == 0 {
				p.end(w)
				return
			}
			data = buf[:n]
		}
		n, err := syscall.Write(w.FD(), data)
		switch data = data[max(n, 0):]; {
		case err != nil && !again(err):
			p.end(w)
		case len(data) > 0:
			p.rest = append([]byte(nil), data...)
			_ = w.SetEvents(ev.Write)
		case events&ev.Write != 0:
			p.rest = nil
			_ = w.SetEvents(ev.Read)
		}
	}
}

func again(err error) bool { return err == syscall.EAGAIN || err == syscall.EINTR }

// end stops the watcher before it closes the connection.
func (p *peer) end(w *ev.IO) {
	w.Stop()
	_ = p.conn.Close()
}

// serveEV also accepts on the loop. No other poller has the descriptors.
func serveEV() error {
	loop, err := ev.New()
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := syscall.Listen(fd, 1024); err != nil {
		return os.NewSyscallError("listen", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	echo := echoes()
	accept := ev.NewIO(loop, fd, ev.Read, func(*ev.IO, ev.Events) {
		conn, _, err := syscall.Accept(fd)
		if err != nil {
			return
		}
		_ = syscall.SetNonblock(conn, true)
		_ = syscall.SetsockoptInt(conn, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		_ = ev.NewIO(loop, conn, ev.Read, echo, ev.Data(&peer{conn: descriptor(conn)})).Start()
	})
	if err := accept.Start(); err != nil {
		return err
	}
	announce(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port})
	return loop.Run(context.Background())
}

// serveEVConns watches connections that package net has accepted. The Go
// runtime's poller watches them too.
func serveEVConns() error {
	loop, err := ev.New()
	if err != nil {
		return err
	}
	l, err := listen()
	if err != nil {
		return err
	}
	echo := echoes()
	arrivals := ev.NewQueue(loop, 0, func(_ *ev.Queue[*net.TCPConn], batch []*net.TCPConn) {
		for _, conn := range batch {
			_ = ev.NewConnIO(loop, conn, ev.Read, echo, ev.Data(&peer{conn: conn})).Start()
		}
	})
	arrivals.Start()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = arrivals.Send(conn.(*net.TCPConn))
		}
	}()
	return loop.Run(context.Background())
}

// serveTasks serves each connection by a task of its own.
func serveTasks() error {
	return ev.RunTask(context.Background(), func(t *ev.Task) error {
		l, err := evnet.Listen(t.Loop(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		announce(l.Addr())
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			ev.Spawn(t.Loop(), func(*ev.Task) error {
				defer conn.Close()
				buf := make([]byte, 4096)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return nil
					}
					if _, err := conn.Write(buf[:n]); err != nil {
						return nil
					}
				}
			})
		}
	})
}
