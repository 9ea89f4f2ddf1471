// Package locks is the input of the analyzer's test for mutexes that are locked while a task waits.
package locks

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

type app struct {
	sync.Mutex
	mu    sync.RWMutex
	cond  *ev.Cond
	lines *ev.Mailbox[int]
	n     int
}

func (a *app) Wrong(l *ev.Loop) {
	ev.Spawn(l, func(t *ev.Task) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.n++
		return t.Sleep(time.Second) // want `t.Sleep waits while a.mu is locked, and another task that locks it blocks the loop: unlock it before the wait, or use a flag and a Cond instead of the mutex`
	})
	ev.Spawn(l, func(t *ev.Task) error {
		a.Lock()
		if a.n > 0 {
			_ = t.Yield() // want `t.Yield waits while a is locked`
		}
		for range 3 {
			_ = a.cond.Wait(t) // want `a.cond.Wait waits while a is locked`
		}
		a.Unlock()
		a.mu.RLock()
		v, err := a.lines.Receive(t) // want `a.lines.Receive waits while a.mu is locked`
		a.n = v
		a.mu.RUnlock()
		_ = t.Yield()
		return err
	})
	ev.Spawn(l, a.task)
}

func (a *app) task(t *ev.Task) error {
	a.mu.Lock()
	_, err := ev.Await(t, func(context.Context) (int, error) { return 1, nil }) // want `ev.Await waits while a.mu is locked`
	a.save(t)                                                                   // want `a.save waits while a.mu is locked`
	_ = t.Within(1, func() error { return t.Yield() })                          // want `t.Yield waits while a.mu is locked`
	a.mu.Unlock()
	return err
}

func (a *app) serve(_ *ev.Task, c net.Conn, ln net.Listener) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := c.Write([]byte("hello")) // want `c.Write waits while a.mu is locked`
	if err == nil {
		_, err = c.Read(make([]byte, 1)) // want `c.Read waits while a.mu is locked`
	}
	if err == nil {
		_, err = ln.Accept() // want `ln.Accept waits while a.mu is locked`
	}
	_ = c.SetDeadline(time.Time{})
	return err
}

// write is not for tasks.
func (a *app) write(c net.Conn) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := c.Write([]byte("hello"))
	return err
}

func (a *app) save(t *ev.Task) { _ = t.Sleep(time.Second) }

func (a *app) Right(l *ev.Loop) {
	ev.Spawn(l, func(t *ev.Task) error {
		a.mu.Lock()
		a.n++
		a.mu.Unlock()
		if err := t.Yield(); err != nil {
			return err
		}
		for {
			a.mu.Lock()
			if a.n > 3 {
				a.mu.Unlock()
				break
			}
			a.n++
			a.mu.Unlock()
			if err := t.Sleep(1); err != nil {
				return err
			}
		}
		func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.n++
		}()
		if a.n > 5 {
			a.mu.Lock()
			defer a.mu.Unlock()
			panic("many")
		}
		often := a.n > 7
		if often {
			a.mu.Lock()
		}
		_ = t.Yield() // not locked on every way to it
		if often {
			a.mu.Unlock()
		}
		_, err := ev.Await(t, func(context.Context) (int, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.n, nil
		})
		return err
	})
}
