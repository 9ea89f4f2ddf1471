//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// row has the increase since before the connections were made.
type row struct {
	name       string
	memory     int64 // of the Go heap and of stacks
	goroutines int
	asked      bool
	answered   int // clients that were asked
}

// measure makes the rows one after the other, each with a server and connections
// of its own.
func measure(n int) ([]row, error) {
	clients, err := startClients()
	if err != nil {
		return nil, err
	}
	rows, err := withWatchers(clients, n)
	for _, way := range ways {
		if err != nil {
			break
		}
		var r row
		r, err = withGoroutines(clients, n, way.name, way.handle)
		rows = append(rows, r)
	}
	return rows, errors.Join(err, clients.stop())
}

// withWatchers measures the connections alone, then with watchers.
func withWatchers(clients *company, n int) (rows []row, err error) {
	loop, err := ev.New(ev.WithName("idleconns"))
	if err != nil {
		return nil, err
	}
	lot := newLot(loop, n)
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(context.Background()) }()
	defer func() {
		_, lotErr := ev.Call(context.Background(), loop, func() (any, error) { return nil, lot.err })
		loop.Stop()
		err = errors.Join(err, lotErr, <-ended, loop.Close())
	}()
	parked := func() int {
		m, _ := ev.Call(context.Background(), loop, func() (int, error) { return len(lot.held) + lot.watched, nil })
		return m
	}

	s, err := listen(func(conn net.Conn, rw *bufio.ReadWriter) { lot.park(conn, earlyData(rw)) })
	if err != nil {
		return nil, err
	}
	defer s.close()
	before := take()
	if _, err := clients.tell(open, n, s.addr()); err != nil {
		return nil, err
	}
	if err := until(func() bool { return parked() == n && runtime.NumGoroutine() <= before.goroutines }); err != nil {
		return nil, fmt.Errorf("%w: %d of %d connections are parked, %d goroutines more than before",
			err, parked(), n, runtime.NumGoroutine()-before.goroutines)
	}
	rows = append(rows, take().since(before, "net.Conn alone"))

	if err := loop.Post(lot.watch); err != nil {
		return nil, err
	}
	parked() // the watchers are started
	parked() // the system has been told of them
	watched := take().since(before, "with an ev.IO")
	if watched.answered, err = clients.tell(ask, n, "-"); err != nil {
		return nil, err
	}
	watched.asked = true
	if _, err := clients.tell(leave, n, "-"); err != nil {
		return nil, err
	}
	return append(rows, watched), until(func() bool { return parked() == 0 })
}

// ways are the variants with a goroutine for each connection.
var ways = []struct {
	name   string
	handle func(conn net.Conn, rw *bufio.ReadWriter, served func())
}{
	{"with a goroutine, 512 B buffer", func(conn net.Conn, rw *bufio.ReadWriter, served func()) {
		early := earlyData(rw)
		go func() { // net/http's goroutine ends, with its larger stack
			defer served()
			defer conn.Close()
			serve(conn, early)
		}()
	}},
	{"with net/http's goroutine and buffers", func(conn net.Conn, rw *bufio.ReadWriter, served func()) {
		defer served()
		defer conn.Close()
		serveBuffered(rw, rw.Flush)
	}},
}

func withGoroutines(clients *company, n int, name string, handle func(net.Conn, *bufio.ReadWriter, func())) (r row, err error) {
	var serving atomic.Int64
	served := func() { serving.Add(-1) }
	s, err := listen(func(conn net.Conn, rw *bufio.ReadWriter) {
		serving.Add(1)
		handle(conn, rw, served)
	})
	if err != nil {
		return r, err
	}
	defer s.close()
	before := take()
	if _, err := clients.tell(open, n, s.addr()); err != nil {
		return r, err
	}
	if err := until(func() bool {
		return serving.Load() == int64(n) && runtime.NumGoroutine() <= before.goroutines+n
	}); err != nil {
		return r, fmt.Errorf("%w: %d of %d connections are served", err, serving.Load(), n)
	}
	r = take().since(before, name)
	if r.answered, err = clients.tell(ask, n, "-"); err != nil {
		return r, err
	}
	r.asked = true
	if _, err := clients.tell(leave, n, "-"); err != nil {
		return r, err
	}
	return r, until(func() bool { return serving.Load() == 0 })
}

// server is a net/http server on a free port whose handler hijacks.
type server struct {
	listener net.Listener
	http     *http.Server
	ended    chan error
}

func listen(handle func(conn net.Conn, rw *bufio.ReadWriter)) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener, ended: make(chan error, 1)}
	s.http = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		const answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
		if _, err := io.WriteString(conn, answer); err != nil {
			conn.Close()
			return
		}
		handle(conn, rw)
	})}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

func (s *server) addr() string { return s.listener.Addr().String() }

func (s *server) close() {
	_ = s.http.Close()
	<-s.ended
}

// earlyData returns data that net/http has read from the client. No later read
// of the connection returns it.
func earlyData(rw *bufio.ReadWriter) []byte {
	if rw.Reader.Buffered() == 0 {
		return nil
	}
	data, _ := rw.Reader.Peek(rw.Reader.Buffered())
	return bytes.Clone(data) // does not keep the buffer of 4 KB
}

// usage is the memory and the goroutines of this process.
type usage struct {
	memory     int64
	goroutines int
}

func take() usage {
	var m runtime.MemStats
	for range 3 { // values in a sync.Pool survive one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapInuse + m.StackInuse), runtime.NumGoroutine()}
}

func (u usage) since(before usage, name string) row {
	return row{name: name, memory: u.memory - before.memory, goroutines: u.goroutines - before.goroutines}
}

var errSlow = errors.New("nothing happens any more")

// until polls for a condition that nothing reports, such as the end of a
// goroutine.
func until(condition func() bool) error {
	for end := time.Now().Add(patient); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return errSlow
		}
	}
	return nil
}

func report(out io.Writer, n int, rows []row) {
	fmt.Fprintf(out, "%d idle connections, parked by a net/http server:\n\n", n)
	fmt.Fprintf(out, "| %-37s | %12s | %10s | %9s |\n", "", "B/connection", "goroutines", "answered")
	fmt.Fprintf(out, "|%s|%s:|%s:|%s:|\n", dashes(39), dashes(13), dashes(11), dashes(10))
	for _, r := range rows {
		answered := "-"
		if r.asked {
			answered = fmt.Sprintf("%d/%d", r.answered, (n+every-1)/every)
		}
		fmt.Fprintf(out, "| %-37s | %12d | %10d | %9s |\n", r.name, r.memory/int64(n), r.goroutines, answered)
	}
	fmt.Fprintf(out, "\nThe watcher's own share: %d B. Of the connection, the Go heap and stacks are counted;\n"+
		"the kernel's part of a socket, the same in all rows, is not.\n", (rows[1].memory-rows[0].memory)/int64(n))
}

func dashes(n int) string { return string(bytes.Repeat([]byte{'-'}, n)) }
