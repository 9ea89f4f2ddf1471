package faults

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// load is work for a loop, by all methods that are safe for concurrent use. All of it
// is counted. The load ends when all of it has arrived.
type load struct {
	t    *testing.T
	l    *ev.Loop
	size int // how much of each

	others sync.WaitGroup // the goroutines that send
	ended  bool           // they have, and the loop knows
	left   []func() bool  // each reports whether its part has arrived
}

// underLoad runs a load to its end, on a loop of each backend and wake mode.
func underLoad(t *testing.T, size int) {
	t.Helper()
	for _, backend := range ev.SupportedBackends() {
		for _, mode := range []ev.Wakeup{ev.WakeAuto, ev.WakeWrite, ev.WakeDirect} {
			if backend == ev.BackendChan && mode != ev.WakeAuto {
				continue // it ignores the mode
			}
			l := newLoop(t, ev.WithBackend(backend), ev.WithWakeup(mode), ev.WithName(fmt.Sprintf("%v-%v", backend, mode)))
			o := &load{t: t, l: l, size: size}
			o.sends()
			o.toggles()
			o.queue()
			o.posts()
			o.calls()
			o.timers()
			if backend != ev.BackendChan {
				o.bytes()
			}
			o.carry()
		}
	}
}

// goes runs fn on n goroutines that send.
func (o *load) goes(n int, fn func(number int)) {
	for i := range n {
		o.others.Go(func() { fn(i) })
	}
}

// carry runs the loop until all has arrived. If something does not arrive, it fails the
// test.
func (o *load) carry() {
	check := ev.NewCheck(o.l, func(*ev.Check) {
		if o.l.Iteration()%64 == 0 {
			assert.NoError(o.t, o.l.Verify())
		}
	})
	check.Start()
	watch := ev.NewTimer(o.l, 0, time.Millisecond, func(*ev.Timer) {
		if o.ended && o.arrived() {
			o.l.Stop()
		}
	})
	watch.Start()
	go func() {
		o.others.Wait()
		_ = o.l.Post(func() { o.ended = true })
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	require.NoError(o.t, o.l.Run(ctx), "%s: something did not arrive", o.l.Name())
	require.NoError(o.t, o.l.Verify())
}

func (o *load) arrived() bool {
	for _, done := range o.left {
		if !done() {
			return false
		}
	}
	return true
}

// sends makes goroutines count and send. Callbacks see all counts, and there are not
// more callbacks than sends.
func (o *load) sends() {
	const asyncs = 8
	var wrote, seen, calls [asyncs]atomic.Int64
	var all [asyncs]*ev.Async
	for i := range all {
		all[i] = ev.NewAsync(o.l, func(*ev.Async) {
			calls[i].Add(1)
			seen[i].Store(wrote[i].Load())
		}, ev.Priority(i%5-2))
		all[i].Start()
	}
	o.goes(4, func(number int) {
		for n := range o.size {
			i := (n*7 + number*3) % asyncs
			wrote[i].Add(1)
			all[i].Send()
			if n%64 == 0 {
				runtime.Gosched()
			}
		}
	})
	o.left = append(o.left, func() bool {
		for i := range all {
			assert.LessOrEqual(o.t, calls[i].Load(), wrote[i].Load())
			if seen[i].Load() != wrote[i].Load() {
				return false
			}
		}
		return true
	})
}

// toggles stops and starts a watcher while other goroutines send to it. It must not be
// called while it is stopped.
func (o *load) toggles() {
	var a *ev.Async
	a = ev.NewAsync(o.l, func(*ev.Async) { assert.True(o.t, a.Active()) })
	turns := 0
	ev.NewTimer(o.l, 0, time.Microsecond, func(w *ev.Timer) {
		if a.Active() {
			a.Stop()
		} else {
			a.Start()
		}
		if turns++; turns == 200 {
			w.Stop()
		}
	}).Start()
	o.goes(1, func(int) {
		for range o.size {
			a.Send()
		}
	})
	o.left = append(o.left, func() bool { return turns == 200 })
}

// item is the n-th item of a sender.
type item struct{ from, n int }

// ordered checks that each sender's items come in order, and counts them.
type ordered struct {
	next  [2]int
	total int
}

func (r *ordered) take(t *testing.T, i item) {
	assert.Equal(t, r.next[i.from], i.n)
	r.next[i.from]++
	r.total++
}

func (o *load) queue() {
	var got ordered
	q := ev.NewQueue(o.l, 0, func(_ *ev.Queue[*item], batch []*item) {
		for _, i := range batch {
			got.take(o.t, *i)
		}
	})
	q.Start()
	o.goes(2, func(number int) {
		for n := range o.size {
			assert.NoError(o.t, q.Send(&item{number, n})) // garbage
		}
	})
	o.left = append(o.left, func() bool { return got.total == 2*o.size })
}

func (o *load) posts() {
	var got ordered
	o.goes(2, func(number int) {
		for n := range o.size {
			assert.NoError(o.t, o.l.Post(func() { got.take(o.t, item{number, n}) }))
		}
	})
	o.left = append(o.left, func() bool { return got.total == 2*o.size })
}

// calls uses Call and Go.
func (o *load) calls() {
	worked := 0
	o.goes(1, func(int) {
		for n := range o.size / 10 {
			got, err := ev.Call(context.Background(), o.l, func() (int, error) {
				ev.Go(o.l, func() (int, error) { return n, nil }, func(int, error) { worked++ })
				return 2 * n, nil
			})
			assert.NoError(o.t, err)
			assert.Equal(o.t, 2*n, got)
		}
	})
	o.left = append(o.left, func() bool { return worked == o.size/10 })
}

// timers starts a new timer in each one's callback. None is early.
func (o *load) timers() {
	fired := 0
	var next func()
	next = func() {
		span := time.Duration(fired%7) * 100 * time.Microsecond
		began := time.Now()
		o.l.Update()
		ev.NewTimer(o.l, span, 0, func(*ev.Timer) {
			assert.GreaterOrEqual(o.t, time.Since(began), span)
			if fired++; fired < 100 {
				next()
			}
		}).Start()
	}
	next()
	o.left = append(o.left, func() bool { return fired == 100 })
}

// bytes go through a pipe that is full most of the time.
func (o *load) bytes() {
	r, w := pipe(o.t)
	sent, got, total := 0, 0, 40*o.size
	require.NoError(o.t, ev.NewIO(o.l, w, ev.Write, func(io *ev.IO, _ ev.Events) {
		for {
			chunk := make([]byte, min(9000, total-sent))
			for i := range chunk {
				chunk[i] = byte((sent + i) % 251)
			}
			n, err := unix.Write(w, chunk)
			if err == syscall.EAGAIN || err == syscall.EINTR {
				return
			}
			assert.NoError(o.t, err)
			if sent += n; sent == total {
				io.Stop()
				return
			}
		}
	}).Start())
	require.NoError(o.t, ev.NewIO(o.l, r, ev.Read, func(*ev.IO, ev.Events) {
		buf := make([]byte, 1000)
		n, _ := unix.Read(r, buf)
		for _, b := range buf[:max(n, 0)] {
			if int(b) != got%251 {
				assert.Fail(o.t, "another byte", "at %d", got)
			}
			got++
		}
	}).Start())
	o.left = append(o.left, func() bool { return got == total })
}
