package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/goevlib/ev"
)

// handOverFigures measure work that does not collapse.
func handOverFigures() []figure {
	columns := []string{"ns/op", "allocs/op"}
	return []figure{
		{group: "Functions and values", name: "post a function", columns: columns, rivals: []contestant{
			{"ev", handOver(loopPost)},
			{"chan func()", handOver(chanPost)},
			{"sync.Cond+slice", handOver(condPost)},
			{"goja_nodejs", handOver(gojaPost)},
		}},
		callFigure("call a function", 1, 1.3),
		callFigure("call a function, 32 callers", 32, 1.1),
		queueFigure("send a value, 1 producer", 1),
		queueFigure("send a value, 4 producers", 4),
	}
}

func queueFigure(name string, producers int) figure {
	return figure{group: "Functions and values", name: name, columns: []string{"ns/op", "allocs/op"}, rivals: []contestant{
		{"ev", handOver(values(producers, loopQueue))},
		{"chan T", handOver(values(producers, chanQueue))},
		{"sync.Cond+slice", handOver(values(producers, sliceQueue))},
	}}
}

func callFigure(name string, callers int, bound float64) figure {
	return figure{group: "Functions and values", name: name, columns: []string{"ns/op", "allocs/op"},
		targets: []target{
			{what: "ev", over: "chan func()", bound: bound, slack: 2},
			{column: 1, what: "ev", bound: 3, slack: 1.1},
		},
		rivals: []contestant{
			{"ev", handOver(calls(callers, loopCall))},
			{"chan func()", handOver(calls(callers, chanCall))},
			{"sync.Cond+slice", handOver(calls(callers, condCall))},
			{"goja_nodejs", handOver(calls(callers, gojaCall))},
		}}
}

// handOver measures work(n), which makes n operations. done counts the
// operations that were made.
func handOver(open func(done *int) (work func(n int), err error)) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		done, asked := 0, 0
		work, err := open(&done)
		if err != nil {
			return nil, err
		}
		allocs := 0.0
		ns := nsPerOp(quick, func(n int) {
			n = n / burst * burst
			before := mallocs()
			work(n)
			allocs = float64(mallocs()-before) / float64(n)
			asked += n
		})
		if done != asked {
			return nil, fmt.Errorf("%d done of %d", done, asked)
		}
		return []float64{ns, allocs}, nil
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// inTurn posts bursts of functions that count, and waits for the last of each.
func inTurn(done *int, post func(fn func())) func(n int) {
	last := make(chan struct{})
	return func(n int) {
		for range n / burst {
			for i := range burst {
				post(func() {
					*done++
					if i == burst-1 {
						last <- struct{}{}
					}
				})
			}
			<-last
		}
	}
}

func loopPost(done *int) (func(n int), error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	background(l)
	return inTurn(done, func(fn func()) { _ = l.Post(fn) }), nil
}

func chanPost(done *int) (func(n int), error) {
	funcs := make(chan func(), burst)
	go func() {
		for fn := range funcs {
			fn()
		}
	}()
	return inTurn(done, func(fn func()) { funcs <- fn }), nil
}

func condPost(done *int) (func(n int), error) {
	m := newCondQueue(func(batch []func()) {
		for _, fn := range batch {
			fn()
		}
	})
	return inTurn(done, m.send), nil
}

// gojaPost is inTurn with functions of RunOnLoop's type. Wrapping other
// functions would cost an allocation that its users do not have.
func gojaPost(done *int) (func(n int), error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	last := make(chan struct{})
	return func(n int) {
		for range n / burst {
			for i := range burst {
				l.RunOnLoop(func(*goja.Runtime) {
					*done++
					if i == burst-1 {
						last <- struct{}{}
					}
				})
			}
			<-last
		}
	}, nil
}

// openCall starts a receiver. call returns i by way of a function that the receiver runs.
type openCall func() (call func(i int) int, err error)

// calls makes callers call at a time.
func calls(callers int, open openCall) func(done *int) (func(n int), error) {
	return func(done *int) (func(n int), error) {
		call, err := open()
		if err != nil {
			return nil, err
		}
		return func(n int) {
			var calling sync.WaitGroup
			answered := make([]int, callers)
			for c := range callers {
				calling.Go(func() {
					right := 0
					for i := range n / callers {
						if call(i+1) == i+1 {
							right++
						}
					}
					answered[c] = right
				})
			}
			calling.Wait()
			for _, right := range answered {
				*done += right
			}
		}, nil
	}
}

func loopCall() (func(i int) int, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	background(l)
	return func(i int) int {
		got, _ := ev.Call(context.Background(), l, func() (int, error) { return i, nil })
		return got
	}, nil
}

// answered gets answers through channels, as programs without a loop do.
func answered(post func(fn func())) func(i int) int {
	return func(i int) int {
		answer := make(chan int, 1)
		post(func() { answer <- i })
		return <-answer
	}
}

func chanCall() (func(i int) int, error) {
	funcs := make(chan func())
	go func() {
		for fn := range funcs {
			fn()
		}
	}()
	return answered(func(fn func()) { funcs <- fn }), nil
}

func condCall() (func(i int) int, error) {
	m := newCondQueue(func(batch []func()) {
		for _, fn := range batch {
			fn()
		}
	})
	return answered(m.send), nil
}

func gojaCall() (func(i int) int, error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	return func(i int) int {
		answer := make(chan int, 1)
		l.RunOnLoop(func(*goja.Runtime) { answer <- i })
		return <-answer
	}, nil
}

// condQueue is a queue written by hand: a slice, a lock, and a receiver that
// waits.
type condQueue[T any] struct {
	mu    sync.Mutex
	more  sync.Cond
	items []T
}

func newCondQueue[T any](take func(batch []T)) *condQueue[T] {
	q := &condQueue[T]{}
	q.more.L = &q.mu
	go q.deliver(take)
	return q
}

func (q *condQueue[T]) send(v T) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	q.more.Signal()
}

func (q *condQueue[T]) deliver(take func(batch []T)) {
	var spare []T
	for {
		q.mu.Lock()
		for len(q.items) == 0 {
			q.more.Wait()
		}
		batch := q.items
		q.items = spare
		q.mu.Unlock()
		take(batch)
		clear(batch)
		spare = batch[:0]
	}
}

// openQueue starts a receiver that calls take for every value, in the order of
// each sender.
type openQueue func(take func(v int)) (send func(v int), err error)

// values makes producers send bursts of values, and waits until each burst has
// been taken.
func values(producers int, open openQueue) func(done *int) (func(n int), error) {
	return func(done *int) (func(n int), error) {
		taken, all := 0, make(chan struct{})
		send, err := open(func(v int) {
			*done += v
			if taken++; taken == burst {
				taken = 0
				all <- struct{}{}
			}
		})
		if err != nil {
			return nil, err
		}
		bursts := make(chan struct{})
		for range producers {
			go func() {
				for range bursts {
					for range burst / producers {
						send(1)
					}
				}
			}()
		}
		return func(n int) {
			for range n / burst {
				for range producers {
					bursts <- struct{}{}
				}
				<-all
			}
		}, nil
	}
}

func loopQueue(take func(v int)) (func(v int), error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) {
		for _, v := range batch {
			take(v)
		}
	})
	q.Start()
	background(l)
	return func(v int) { _ = q.Send(v) }, nil
}

func chanQueue(take func(v int)) (func(v int), error) {
	ch := make(chan int, burst)
	go func() {
		for v := range ch {
			take(v)
		}
	}()
	return func(v int) { ch <- v }, nil
}

func sliceQueue(take func(v int)) (func(v int), error) {
	q := newCondQueue(func(batch []int) {
		for _, v := range batch {
			take(v)
		}
	})
	return q.send, nil
}
