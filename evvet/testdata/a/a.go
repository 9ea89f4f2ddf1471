// Package a is the input of the analyzer's test. The lines with a want are reported, and no
// others.
package a

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

type server struct {
	loop   *ev.Loop
	timers []*ev.Timer
	wake   *ev.Async
}

// ticker has the methods of its Timer.
type ticker struct {
	*ev.Timer
}

type waker struct {
	*ev.Async
}

func Wrong(l *ev.Loop, t *ev.Timer, w ev.Watcher, q *ev.Queue[int], s *server) {
	go t.Stop() // want `Timer.Stop must be called on the loop's goroutine`
	go func() {
		t.Start()             // want `Timer.Start must be called on the loop's goroutine`
		_ = t.Remaining()     // want `Timer.Remaining must`
		w.Feed(ev.Custom)     // want `Watcher.Feed must`
		q.Stop()              // want `Queue.Stop must`
		l.Ref()               // want `Loop.Ref must`
		s.timers[0].Reset()   // want `Timer.Reset must`
		s.wake.SetData(1)     // want `Async.SetData must`
		defer l.Update()      // want `Loop.Update must`
		_ = (s.loop).Active() // want `Loop.Active must`
	}()
	tick, wake := ticker{t}, waker{s.wake}
	go func() {
		time.Sleep(time.Second)
		tick.Stop() // want `ticker.Stop must`
		wake.Send()
		wake.Stop() // want `waker.Stop must`
		func() {
			defer func() { t.Stop() }() // want `Timer.Stop must`
		}()
	}()
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := l.Post(func() { t.Stop() }); err != nil {
			t.Stop() // want `Timer.Stop must`
		}
	}()
	wg.Wait()
}

// These are safe for concurrent use.
func Safe(l *ev.Loop, a *ev.Async, q *ev.Queue[int], w ev.Watcher) {
	go l.Stop()
	go a.Send()
	go func() {
		a.Send()
		_ = a.Sent()
		_ = q.Send(1)
		ev.FeedSignal(nil)
		_, _ = ev.Call(context.Background(), l, func() (int, error) { return l.Active(), nil })
		_ = l.Post(func() { a.Stop() })
		l.Stop()
		l.StopAll()
		_ = l.Stats()
		_, _, _, _ = l.ID(), l.Name(), l.Backend(), l.Running()
		_, _, _ = l.Parked(), l.GoroutineID(), l.String()
		l.Observe(&ev.Observer{})()
		_, _ = w.Name(), w.Loop()
		_ = l.Close()
	}()
}

// The goroutine is the loop's own, or may be.
func Owners(l *ev.Loop, t *ev.Timer, s *server) {
	go func() {
		t.Start()
		_ = l.Run(context.Background())
		t.Stop()
	}()
	go func() {
		s.run()
		t.Stop()
	}()
	go func() {
		RunIt(l)
		t.Stop()
	}()
	go func() {
		fmt.Println(s) // does not run loops
		t.Stop()       // want `Timer.Stop must`
	}()
	go func() {
		_ = assert.ObjectsAreEqual(s, nil) // might
		t.Stop()
	}()
	go func() {
		_ = assert.ObjectsAreEqual(1, 2) // has no loop
		t.Stop()                         // want `Timer.Stop must`
	}()
	go func() {
		own, err := ev.New()
		if err != nil {
			return
		}
		defer own.Close()
		ev.NewTimer(own, 0, 0, func(t *ev.Timer) { t.Stop() }).Start()
		own.Ref()
	}()
}

// Idle is started elsewhere.
var idle *ev.Idle

func startIdle() { idle.Start() }

// The functions are called later, perhaps on another goroutine.
func Later(l *ev.Loop, t *ev.Timer) {
	go func() {
		stop := func() { t.Stop() }
		_ = l.Post(stop)
		idle = ev.NewIdle(l, func(*ev.Idle) { t.Start() })
	}()
}

func (s *server) run() { _ = s.loop.Run(context.Background()) }

// RunIt runs the loop.
func RunIt(l *ev.Loop) { _ = l.Run(context.Background()) }
