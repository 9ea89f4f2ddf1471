package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// way is a way for a goroutine to react to others. open starts that goroutine,
// which calls woken after each send, or once after several. end waits until it
// has returned.
type way struct {
	name string
	open func(woken func()) (send func(), end func() error, err error)
}

var ways = []way{
	{"ev", loopWay(ev.WakeAuto)},
	{"ev WakeWrite", loopWay(ev.WakeWrite)},
	{"ev WakeDirect", loopWay(ev.WakeDirect)},
	{"chan(1)+select", chanWay},
}

func loopWay(mode ev.Wakeup) func(woken func()) (func(), func() error, error) {
	return func(woken func()) (func(), func() error, error) {
		l, err := ev.New(ev.WithWakeup(mode))
		if err != nil {
			return nil, nil, err
		}
		a := ev.NewAsync(l, func(*ev.Async) { woken() })
		a.Start()
		ran := make(chan error, 1)
		go func() { ran <- l.Run(context.Background()) }()
		end := func() error {
			if err := l.Close(); err != nil {
				return err
			}
			if err := <-ran; !errors.Is(err, ev.ErrClosed) {
				return fmt.Errorf("the loop ended with %v", err)
			}
			return nil
		}
		return a.Send, end, nil
	}
}

func chanWay(woken func()) (send func(), end func() error, err error) {
	wake, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for range wake {
			woken()
		}
	}()
	send = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	end = func() error {
		close(wake)
		<-ended
		return nil
	}
	return send, end, nil
}

// measurement measures a way. It returns a value per column.
type measurement func(w way, quick bool) ([]float64, error)

func situationFigures() []figure {
	const briefly, longer = 50 * time.Microsecond, 100 * time.Microsecond
	working := func(d time.Duration) func() { return func() { compute(d) } }
	nothing := func() {}
	figures := []figure{
		situation("idle process, the sender blocks right after", percentileColumns(), fromIdle(blocking),
			target{column: p50, what: "ev", over: "chan(1)+select", bound: 4, slack: 3}),
		situation("ping-pong of two, a round trip", percentileColumns("trips/s"), pingPong,
			target{column: p50, what: "ev", over: "chan(1)+select", bound: 2, slack: 3}),
		situation("idle process, the sender goes on computing", percentileColumns(), fromIdle(computing)),
		situation("idle process, the sender yields until it is answered", percentileColumns(), fromIdle(yielding)),
		// The measurement includes the moment at which the process becomes busy.
		situation("every processor busy, with yields", percentileColumns(), saturated(2*time.Second, someWork, runtime.Gosched),
			target{column: p50, what: "ev", over: "chan(1)+select", bound: 5, slack: 3},
			target{column: p999, what: "ev", over: "chan(1)+select", bound: 2, slack: 30}),
		situation("every processor busy, no yields", percentileColumns(), saturated(1500*time.Millisecond, someWork, nothing),
			target{column: p99, what: "ev", over: "chan(1)+select", bound: 3, slack: 3}),
		situation("net/http under load, handlers of 0-500 us", percentileColumns("requests/s"),
			underHTTP(load{clients: 32}, func() { compute(between(0, 500*time.Microsecond)) }, nothing),
			target{column: p99, what: "ev", over: "chan(1)+select", bound: 1.2, slack: 3}),
	}
	for _, rate := range []int{200, 1000, 3000} {
		figures = append(figures, situation(fmt.Sprintf("net/http, %d requests/s, handlers of 50 us", rate),
			percentileColumns("requests/s"), underHTTP(load{16, rate}, working(briefly), nothing)))
	}
	figures = append(figures, situation("net/http, 1000 requests/s, handlers go on for 100 us",
		percentileColumns("requests/s"), underHTTP(load{16, 1000}, working(briefly), working(longer))))
	return figures
}

// The first columns of all situations.
const (
	p50 = iota
	p90
	p99
	p999
)

// situation is a figure of all ways. The default must not be worse than the better
// of the two ways that it chooses from.
func situation(name string, columns []string, measure measurement, targets ...target) figure {
	f := figure{group: "Situations: wake-up latency", name: name, columns: columns, targets: targets}
	for _, column := range []int{p50, p90} {
		f.targets = append(f.targets, target{column: column, what: "ev", over: "ev WakeWrite", or: "ev WakeDirect", bound: 1.2, slack: 3})
	}
	for _, w := range ways {
		f.rivals = append(f.rivals, contestant{w.name, func(quick bool) ([]float64, error) {
			return measure(w, quick)
		}})
	}
	return f
}

func percentileColumns(more ...string) []string {
	return append([]string{"p50 us", "p90 us", "p99 us", "p99.9 us"}, more...)
}

// percentiles sorts its argument and returns the percentiles of percentileColumns in
// microseconds.
func percentiles(samples []time.Duration) []float64 {
	slices.Sort(samples)
	values := make([]float64, 0, 5)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		values = append(values, inMicros(samples[int(q*float64(len(samples)-1))]))
	}
	return values
}

func inMicros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// shorter returns how long to measure.
func shorter(d time.Duration, quick bool) time.Duration {
	if quick {
		return min(d, 300*time.Millisecond)
	}
	return d
}

// answerTime is the time after which an answer counts as lost.
const answerTime = 10 * time.Second

var errUnanswered = errors.New("a send was not answered")

// box holds the times at which sends began, until the callback that answers
// them. Every send is measured, even if one callback answers several. The clock
// is read with the lock held, so that waiting for the lock does not count as
// latency.
type box struct {
	base      time.Time
	mu        sync.Mutex
	sent      int
	waiting   []time.Duration
	latencies []time.Duration
}

func newBox() *box {
	return &box{base: time.Now(), waiting: make([]time.Duration, 0, 1<<10), latencies: make([]time.Duration, 0, 1<<16)}
}

func (b *box) stamp() {
	b.mu.Lock()
	b.sent++
	b.waiting = append(b.waiting, time.Since(b.base))
	b.mu.Unlock()
}

func (b *box) answer() {
	b.mu.Lock()
	now := time.Since(b.base)
	for _, began := range b.waiting {
		b.latencies = append(b.latencies, now-began)
	}
	b.waiting = b.waiting[:0]
	b.mu.Unlock()
}

// forget ends the warm-up.
func (b *box) forget() {
	b.mu.Lock()
	b.sent, b.waiting, b.latencies = 0, b.waiting[:0], b.latencies[:0]
	b.mu.Unlock()
}

// settled waits until every send is answered. It returns the latencies.
func (b *box) settled() ([]time.Duration, error) {
	for range answerTime / time.Millisecond {
		b.mu.Lock()
		sent, answered := b.sent, len(b.latencies)
		b.mu.Unlock()
		if sent == answered && sent > 0 {
			return b.latencies, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("%d sends, %d of them answered", b.sent, len(b.latencies))
}

// fromIdle measures sends from one goroutine to a parked one, in a process that
// does nothing else. The sender calls after before it waits for the answer.
func fromIdle(after func(answered <-chan struct{})) measurement {
	return func(w way, quick bool) ([]float64, error) {
		if runtime.GOMAXPROCS(0) < 2 {
			return nil, skipped("it takes two processors")
		}
		b, answered := newBox(), make(chan struct{}, 1)
		send, end, err := w.open(func() {
			b.answer()
			answered <- struct{}{}
		})
		if err != nil {
			return nil, err
		}
		round := func(lost <-chan time.Time) error {
			time.Sleep(200 * time.Microsecond) // all goroutines park
			b.stamp()
			send()
			after(answered)
			select {
			case <-answered:
				return nil
			case <-lost:
				return errUnanswered
			}
		}
		d := shorter(700*time.Millisecond, quick)
		lost := time.After(d + answerTime)
		for range 50 {
			if err := round(lost); err != nil {
				return nil, err
			}
		}
		b.forget()
		runtime.GC()
		for began := time.Now(); time.Since(began) < d; {
			if err := round(lost); err != nil {
				return nil, err
			}
		}
		return finish(b, end)
	}
}

func blocking(<-chan struct{}) {}

func computing(<-chan struct{}) { compute(between(100*time.Microsecond, 200*time.Microsecond)) }

func yielding(answered <-chan struct{}) {
	for len(answered) == 0 {
		runtime.Gosched()
	}
}

// finish ends a measurement.
func finish(b *box, end func() error) ([]float64, error) {
	latencies, err := b.settled()
	if err := errors.Join(err, end()); err != nil {
		return nil, err
	}
	return percentiles(latencies), nil
}

// pingPong has two receivers that send to each other, in turn.
func pingPong(w way, quick bool) ([]float64, error) {
	const warmup, most = 1000, 1 << 18
	d := shorter(500*time.Millisecond, quick)
	trips := make([]time.Duration, most)
	clear(trips) // touch the pages
	runtime.GC()

	var sendPong func()
	var began, last time.Time
	n, done := -warmup, make(chan time.Duration, 1)
	sendPing, endPing, err := w.open(func() {
		now := time.Now()
		if n > 0 {
			trips[n-1] = now.Sub(last)
		}
		if n == 0 {
			began = now
		}
		if n == most || n > 0 && now.Sub(began) > d {
			done <- now.Sub(began)
			return
		}
		n++
		last = now
		sendPong()
	})
	if err != nil {
		return nil, err
	}
	sendPong, endPong, err := w.open(func() { sendPing() })
	if err != nil {
		return nil, err
	}
	sendPing()
	select {
	case took := <-done:
		if err := errors.Join(endPing(), endPong()); err != nil {
			return nil, err
		}
		return append(percentiles(trips[:n]), float64(n)/took.Seconds()), nil
	case <-time.After(d + answerTime):
		return nil, errUnanswered
	}
}

// saturated runs goroutines that work and yield all the time, two per
// processor. One of them sends every millisecond by its own clock, before it
// yields. The receiver has been woken before, but in an idle process. The
// measurement includes its reaction to the change.
func saturated(d time.Duration, work, yield func()) measurement {
	return func(w way, quick bool) ([]float64, error) {
		b := newBox()
		send, end, err := w.open(b.answer)
		if err != nil {
			return nil, err
		}
		for range 50 {
			time.Sleep(200 * time.Microsecond)
			b.stamp()
			send()
		}
		if _, err := b.settled(); err != nil {
			return nil, err
		}
		b.forget()
		runtime.GC()

		relax := saturate(2*runtime.GOMAXPROCS(0)-1, work, yield)
		sender := make(chan struct{})
		go func() {
			defer close(sender)
			began := time.Now()
			for last := began; time.Since(began) < shorter(d, quick); {
				work()
				if now := time.Now(); now.Sub(last) >= time.Millisecond {
					last = now
					b.stamp()
					send()
				}
				yield()
			}
		}()
		<-sender
		relax()
		return finish(b, end)
	}
}

// saturate makes n goroutines work and yield until relax is called.
func saturate(n int, work, yield func()) (relax func()) {
	var stop atomic.Bool
	var working sync.WaitGroup
	for range n {
		working.Go(func() {
			for !stop.Load() {
				work()
				yield()
			}
		})
	}
	return func() {
		stop.Store(true)
		working.Wait()
	}
}

func someWork() { compute(between(time.Microsecond, 20*time.Microsecond)) }

func between(least, most time.Duration) time.Duration {
	return least + time.Duration(rand.Int64N(int64(most-least)))
}

var computed atomic.Uint64

// compute keeps a processor busy for d.
func compute(d time.Duration) {
	x := uint64(d) | 1
	for began := time.Now(); time.Since(began) < d; {
		for range 32 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	}
	if x == 0 { // never, which the compiler does not know
		computed.Store(x)
	}
}
