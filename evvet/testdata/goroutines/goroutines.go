// Package goroutines is the input of the analyzer's test: functions that run on other goroutines
// without a go statement, or that a go statement names.
package goroutines

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

type hub struct {
	loop    *ev.Loop
	timer   *ev.Timer
	timers  map[string]*ev.Timer
	latest  atomic.Pointer[ev.Timer]
	save    *evtime.Debounce
	visits  int
	records *ev.Queue[int]
	stop    func()
}

var global *ev.Timer

// ServeHTTP is called on goroutines of the server.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.timer.Reset()    // want `Timer.Reset must be called on the loop's goroutine, and net/http calls this on another: use Loop.Post`
	h.save.Trigger()   // want `Debounce.Trigger must`
	global.Stop()      // want `Timer.Stop must`
	_ = h.loop.Alive() // want `Loop.Alive must`
	t := h.timers[r.URL.Path]
	t.Stop() // want `Timer.Stop must`
	if t, ok := h.timers["x"]; ok {
		t.Stop() // want `Timer.Stop must`
	}
	for _, t := range h.timers {
		t.Stop() // want `Timer.Stop must`
	}
	var chosen *ev.Timer
	if r.Method == "GET" {
		chosen = h.timer
	} else {
		chosen = t
	}
	chosen.Stop()                                                   // want `Timer.Stop must`
	h.latest.Load().Stop()                                          // want `Timer.Stop must`
	ev.NewTimer(h.loop, time.Second, 0, func(*ev.Timer) {}).Start() // want `Timer.Start must`
	made := ev.NewTimer(h.loop, time.Second, 0, func(*ev.Timer) {})
	made.Start()                                                  // want `Timer.Start must`
	h.timer.Loop().Ref()                                          // want `Loop.Ref must`
	ev.Spawn(h.loop, func(t *ev.Task) error { return t.Yield() }) // want `ev.Spawn must`
	h.visit()                                                     // want `h.visit calls Timer.Reset .\w+.go:\d+., which must be called on the loop's goroutine`
	reset(h.timer)                                                // want `reset calls Timer.Reset .\w+.go:\d+., which must`
	restart := func() { h.timer.Start() }
	restart()                                    // want `restart calls Timer.Start .\w+.go:\d+., which must`
	h.stop()                                     // not known
	new(sync.Once).Do(func() { h.timer.Stop() }) // want `Timer.Stop must`

	_ = h.records.Send(1)
	_ = h.loop.Post(h.visit)
	_, err := ev.Call(r.Context(), h.loop, func() (int, error) { h.visit(); return h.visits, nil })
	fmt.Fprintln(w, err)

	next := h.timer
	for range 3 {
		previous := next
		next = previous
	}
	next.Stop() // want `Timer.Stop must`
}

// visit belongs to the loop.
func (h *hub) visit() {
	h.visits++
	h.restart()
}

func (h *hub) restart() { reset(h.timer) }

func reset(t *ev.Timer) { t.Reset() }

// recursive functions end.
func (h *hub) recursive(n int) {
	if n > 0 {
		h.recursive(n - 1)
	}
	h.timer.Stop() // want `Timer.Stop must`
}

// find returns a timer of the hub, or a new one of its loop.
func (h *hub) find(name string) (t *ev.Timer, ok bool) {
	if t, ok := h.timers[name]; ok {
		return t, true
	}
	return ev.NewTimer(h.loop, 0, 0, func(*ev.Timer) {}), false
}

func (h *hub) some() (t *ev.Timer) {
	t, _ = h.find("x")
	return
}

func (h *hub) same(name string) (*ev.Timer, bool) { return h.find(name) }

func pass(t *ev.Timer) (int, *ev.Timer) { return 1, t }

func fresh() *ev.Loop {
	l, err := ev.New()
	if err != nil {
		panic(err)
	}
	return l
}

type client struct {
	hub  *hub
	own  *hub
	conn conn
}

// conn is of a package that calls functions.
type conn struct{ handler func() }

func (c *client) read() {
	defer func() { c.hub.visit() }() // want `c.hub.visit calls Timer.Reset .\w+.go:\d+., which must`
	c.own.visit()                    // want `c.own.visit calls Timer.Reset .\w+.go:\d+., which must`
}

// session has the methods of its Timer.
type session struct {
	*ev.Timer
	last *ev.Timer
}

func sessions(h *hub) {
	var all sync.Map
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s := &session{}
		s.Timer = ev.NewTimer(h.loop, time.Minute, 0, func(*ev.Timer) {})
		s.last = h.timer
		s.Start()     // want `session.Start must`
		s.last.Stop() // want `Timer.Stop must`
		all.Store("x", s)
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := all.LoadAndDelete("x"); ok {
			s.(*session).Stop() // want `session.Stop must`
		}
	})
	http.HandleFunc("/own", func(w http.ResponseWriter, r *http.Request) {
		own := &session{Timer: ev.NewTimer(fresh(), 0, 0, func(*ev.Timer) {})}
		own.Start()
	})
}

func results(h *hub) {
	http.HandleFunc("/clients", func(w http.ResponseWriter, r *http.Request) {
		c := &client{hub: h, own: &hub{loop: fresh()}}
		c.hub.visit() // want `c.hub.visit calls Timer.Reset .\w+.go:\d+., which must`
		c.own.loop.Ref()
		go c.read()
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t, _ := h.find("a")
		t.Stop()        // want `Timer.Stop must`
		h.some().Stop() // want `Timer.Stop must`
		u, _ := h.same("a")
		u.Stop() // want `Timer.Stop must`
		_, same := pass(h.timer)
		same.Stop() // want `Timer.Stop must`
		l := fresh()
		l.Ref()
		_, own := pass(ev.NewTimer(l, 0, 0, func(*ev.Timer) {}))
		own.Start()
	})
}

// own is a loop that the handler makes.
func own(w http.ResponseWriter, r *http.Request) {
	l, err := ev.New()
	if err != nil {
		return
	}
	defer l.Close()
	t := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	t.Start()
	_ = l.Run(r.Context())
	t.Stop()
}

// onLoop is called on the loop's goroutine, though it could be a handler.
func (h *hub) onLoop(w http.ResponseWriter, r *http.Request) { h.timer.Stop() }

// OfOthers is registered by another package.
func (h *hub) OfOthers(w http.ResponseWriter, r *http.Request) {
	_ = h.loop.Post(func() { h.onLoop(w, r) })
	h.timer.Stop() // want `Timer.Stop must`
}

func Handlers(h *hub, mux *http.ServeMux) {
	mux.Handle("/hub", h)
	mux.HandleFunc("/own", own)
	mux.HandleFunc("/literal", func(w http.ResponseWriter, _ *http.Request) {
		h.timer.Start()                      // want `Timer.Start must`
		fmt.Fprintln(w, h.timer.Remaining()) // want `Timer.Remaining must`
		_ = h.loop.Post(func() { h.timer.Start() })
	})
	mux.Handle("/func", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { h.timer.Stop() })) // want `Timer.Stop must`
}

func Starters(ctx context.Context, h *hub) {
	time.AfterFunc(time.Second, func() {
		h.stop()
		h.timer.Stop() // want `Timer.Stop must`
	})
	time.AfterFunc(time.Second, h.timer.Stop) // want `Timer.Stop must`
	time.AfterFunc(time.Second, h.expire)
	context.AfterFunc(ctx, func() { h.loop.Unref() }) // want `Loop.Unref must`
	time.AfterFunc(time.Second, func() { _ = h.loop.Post(h.timer.Stop) })
	var wg sync.WaitGroup
	wg.Go(func() { h.timer.Stop() }) // want `Timer.Stop must`
	wg.Go(func() { _ = h.loop.Run(ctx); h.timer.Stop() })
	wg.Wait()
	var group errgroup.Group
	group.Go(func() error {
		h.timers["a"].Stop() // want `Timer.Stop must`
		return nil
	})
	group.Go(func() error { return h.loop.Run(ctx) })
	_ = group.Wait()
	ev.Go(h.loop, h.work, func(int, error) {})
	work := func() { h.timer.Stop() } // want `Timer.Stop must`
	time.AfterFunc(0, work)
}

func (h *hub) expire() {
	h.timer.Stop() // want `Timer.Stop must be called on the loop's goroutine, and time.AfterFunc calls this on another`
}

func (h *hub) work() (int, error) {
	return h.loop.Active(), nil // want `Loop.Active must`
}

// The go statements name functions.
func Named(ctx context.Context, h *hub, l *ev.Loop) {
	go h.worker()
	go tick(h.timer)
	go h.runner(ctx)
	go maker()
	go func(t *ev.Timer) { t.Stop() }(h.timer) // want `Timer.Stop must`
	go func() {
		h.visit() // want `h.visit calls Timer.Reset .\w+.go:\d+., which must`
	}()
	go h.recursive(1)
	go func() { h.run(ctx); h.timer.Stop() }()
}

func (h *hub) worker() {
	for range 3 {
		time.Sleep(time.Second)
		h.timer.Reset() // want `Timer.Reset must`
	}
}

func tick(t *ev.Timer) {
	t.Start() // want `Timer.Start must be called on the loop's goroutine, and goroutines.go:\d+ starts this function on another`
}

func (h *hub) runner(ctx context.Context) {
	h.timer.Start()
	h.run(ctx)
}

func (h *hub) run(ctx context.Context) { _ = h.loop.Run(ctx) }

// maker has a loop of its own.
func maker() {
	l, err := ev.New()
	if err != nil {
		return
	}
	l.Ref()
	_ = l.RunNoWait()
}

// ignored has reasons.
func ignored(h *hub) {
	go func() {
		h.timer.Stop() //evvet:ignore the loop has ended
		//evvet:ignore so it has here
		h.timer.Stop()
		h.timer.Stop() // want `Timer.Stop must`
	}()
}
