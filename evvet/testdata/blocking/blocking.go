// Package blocking is the input of the analyzer's test for calls that block a loop.
package blocking

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

type app struct {
	loop  *ev.Loop
	other *ev.Loop
	items *ev.Queue[int]
	db    *sql.DB
	wg    sync.WaitGroup
	ln    net.Listener
	conn  net.Conn
	tcp   *net.TCPConn
	done  chan error    // with a buffer
	hand  chan int      // without
	slots chan struct{} // a semaphore
	from  chan int      // not known
}

func New(l *ev.Loop) *app {
	a := &app{loop: l, done: make(chan error, 1), slots: make(chan struct{}, 8)}
	a.hand = make(chan int)
	return a
}

func (a *app) Callbacks(ctx context.Context, client *http.Client) {
	ev.NewTimer(a.loop, 0, time.Second, func(*ev.Timer) {
		time.Sleep(time.Second)                 // want `time.Sleep blocks the loop: use a Timer in a callback, or Task.Sleep in a task`
		_, _ = http.Get("http://localhost")     // want `http.Get blocks the loop: do it on another goroutine, by ev.Go in a callback or ev.Await in a task`
		_, _ = client.Get("http://localhost")   // want `http.Client.Get blocks the loop`
		a.wg.Wait()                             // want `sync.WaitGroup.Wait blocks the loop`
		_ = exec.Command("sleep", "1").Run()    // want `exec.Cmd.Run blocks the loop`
		_, _ = a.db.QueryContext(ctx, "select") // want `sql.DB.QueryContext blocks the loop`
		_, _ = net.Dial("tcp", "localhost:80")  // want `net.Dial blocks the loop`
		_, _ = a.ln.Accept()                    // want `a.ln.Accept blocks the loop`
		_, _ = a.conn.Read(nil)                 // want `a.conn.Read blocks the loop`
		_, _ = a.tcp.Read(nil)                  // want `a.tcp.Read blocks the loop`
		http.ServeFile(nil, nil, "x")
		<-a.from                  // want `a receive from a channel blocks the loop: let the sender use a Queue`
		<-ctx.Done()              // want `a receive from a channel blocks`
		<-time.After(time.Second) // want `a receive from time.After blocks the loop: use a Timer`
		a.hand <- 1               // want `a send to a channel without a buffer blocks the loop: make the channel with a buffer`
		for range a.from {        // want `a range over a channel blocks`
		}
		select { // want `a select without default blocks`
		case <-a.from:
			time.Sleep(1) // want `time.Sleep blocks`
		case a.hand <- 1:
		}
		a.done <- nil
		a.from <- 1
		select {
		case <-a.from:
		case a.hand <- 1:
		default:
		}
		<-a.slots
		for len(a.from) > 0 {
			<-a.from
		}
		go func() { time.Sleep(time.Second); <-a.from }()
		ev.Go(a.loop, func() (*http.Response, error) {
			time.Sleep(time.Second)
			return http.Get("http://localhost")
		}, func(*http.Response, error) {
			time.Sleep(time.Second) // want `time.Sleep blocks`
		})
	}).Start()
	_ = a.loop.Post(func() {
		a.fetch()                                                                         // want `http.Get in a.fetch .blocking.go:\d+. blocks the loop`
		a.nested()                                                                        // want `http.Get in a.fetch .blocking.go:\d+. blocks the loop`
		_, _ = ev.Call(ctx, a.loop, func() (int, error) { time.Sleep(1); return 0, nil }) // want `ev.Call blocks the loop: call the function directly` `time.Sleep blocks`
		_ = evmeter.Ping(ctx, a.other)                                                    // want `evmeter.Ping blocks the loop`
		_ = a.items.SendWait(ctx, 1)                                                      // want `ev.Queue.SendWait blocks the loop: use Queue.Send`
		func() { defer a.wg.Wait() }()                                                    // want `sync.WaitGroup.Wait blocks`
	})
	_ = a.loop.Post(a.flush)
	q := ev.NewQueue(a.loop, 0, a.batch)
	q.Start()
	q.SetCallback(func(*ev.Queue[int], []int) { time.Sleep(1) }) // want `time.Sleep blocks`
	ev.NewCleanup(a.loop, func(*ev.Cleanup) { a.wg.Wait() }).Start()
}

func (a *app) Conns(fd net.Conn) error {
	io := ev.NewConnIO(a.loop, fd.(*net.TCPConn), ev.Read, func(*ev.IO, ev.Events) {
		_, _ = fd.Read(nil)                 // want `fd.Read may block the loop: use TryRead or TryAccept of the IO`
		_, _ = a.ln.Accept()                // want `a.ln.Accept may block the loop`
		_, _ = http.Get("http://localhost") // want `http.Get blocks`
	})
	return io.Start()
}

func (a *app) flush() { time.Sleep(1) } // want `time.Sleep blocks`

func (a *app) batch(*ev.Queue[int], []int) {
	a.wg.Wait() // want `sync.WaitGroup.Wait blocks`
}

func (a *app) fetch() { _, _ = http.Get("http://localhost") }

func (a *app) nested() { a.fetch() }

func (a *app) Tasks(ctx context.Context) {
	ev.Spawn(a.loop, func(t *ev.Task) error {
		time.Sleep(time.Second) // want `time.Sleep blocks`
		<-t.Context().Done()    // want `a receive from a channel blocks`
		_, _ = a.conn.Read(nil) // evnet suspends the task
		_ = t.Within(1, func() error {
			<-a.from // want `a receive from a channel blocks`
			return t.Yield()
		})
		_, err := ev.Await(t, func(ctx context.Context) (int, error) {
			time.Sleep(time.Second)
			<-ctx.Done()
			a.fetch()
			_ = a.items.SendWait(ctx, 1)
			return ev.Call(ctx, a.other, func() (int, error) { return 1, nil })
		})
		return err
	})
	_ = ev.RunTask(ctx, a.main)
	ev.Spawn(a.loop, func(t *ev.Task) error {
		group := ev.NewGroup(t)
		group.Go(func(t *ev.Task) error {
			_, err := a.conn.Read(nil) // evnet suspends the task
			return err
		})
		return group.Wait()
	})
	grown := make(chan int)
	grow(&grown)
	_ = a.loop.Post(func() { grown <- 1 })
}

func (a *app) main(t *ev.Task) error {
	a.wg.Wait() // want `sync.WaitGroup.Wait blocks`
	return t.Sleep(time.Second)
}

func grow(ch *chan int) { *ch = make(chan int, 1) }

// These are not on a loop.
func (a *app) Elsewhere() {
	time.Sleep(time.Second)
	<-a.from
	a.fetch()
	a.wg.Wait()
}
