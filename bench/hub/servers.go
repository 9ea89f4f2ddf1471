package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// server listens, prints its address, and greets each client with a line when it
// is in the room.
type server struct {
	name  string
	serve func() error
}

var servers = []server{
	{"ev, tasks and a map", serveTasks},
	{"goroutines, a mutex and channels", serveGoroutines},
}

// backlog is how many lines may wait for a client. One that has more is dropped.
const backlog = 1024

// serve runs a server until standard input ends.
func serve(name string) error {
	for _, s := range servers {
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

// serveTasks has two tasks for each client.
func serveTasks() error {
	room := map[*ev.Mailbox[[]byte]]net.Conn{}
	return ev.RunTask(context.Background(), func(t *ev.Task) error {
		l, err := evnet.Listen(t.Loop(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			lines := ev.NewMailbox[[]byte](t.Loop(), backlog)
			room[lines] = conn
			_ = lines.Send([]byte("welcome\n"))
			ev.Spawn(t.Loop(), func(t *ev.Task) error {
				defer conn.Close()
				return write(conn, func(wait bool) ([]byte, bool) {
					if !wait {
						return lines.TryReceive()
					}
					line, err := lines.Receive(t)
					return line, err == nil
				})
			})
			ev.Spawn(t.Loop(), func(*ev.Task) error {
				defer lines.Close()
				defer delete(room, lines)
				return read(conn, func(line []byte) {
					for lines, conn := range room {
						if lines.Send(line) != nil {
							_ = conn.Close()
						}
					}
				})
			})
		}
	})
}

// serveGoroutines has two goroutines for each client.
func serveGoroutines() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	var mu sync.Mutex
	room := map[chan []byte]net.Conn{}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		lines := make(chan []byte, backlog)
		lines <- []byte("welcome\n")
		mu.Lock()
		room[lines] = conn
		mu.Unlock()
		go func() {
			defer conn.Close()
			_ = write(conn, func(wait bool) ([]byte, bool) {
				if wait {
					line, ok := <-lines
					return line, ok
				}
				select {
				case line, ok := <-lines:
					return line, ok
				default:
					return nil, false
				}
			})
		}()
		go func() {
			_ = read(conn, func(line []byte) {
				mu.Lock()
				defer mu.Unlock()
				for lines, conn := range room {
					select {
					case lines <- line:
					default:
						_ = conn.Close()
					}
				}
			})
			mu.Lock()
			delete(room, lines)
			mu.Unlock()
			close(lines)
		}()
	}
}

// read calls say with each line, which say may keep.
func read(conn net.Conn, say func(line []byte)) error {
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		say(line)
	}
}

// write writes the lines that next returns. It writes all lines that wait at once.
func write(conn net.Conn, next func(wait bool) ([]byte, bool)) error {
	w := bufio.NewWriter(conn)
	for {
		line, ok := next(true)
		for ; ok; line, ok = next(false) {
			_, _ = w.Write(line) // Flush reports
		}
		if w.Buffered() == 0 {
			return nil // no line: it is over
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}
