package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/goevlib/ev"
)

// uvFigures are twins of libuv's benchmarks, which the programs in C have too.
// They use the same handles and threads (here goroutines), and do less work
// where the original takes seconds.
//
//   - async_N makes a million round trips for each of N; here 15 000 in all.
//   - async_pummel_N ends after a million callbacks. Here it ends after 5 million
//     sends in C, and after a time in Go, where as many sends are done before the
//     receiver is awake: a contestant that collapses more sends must not be slower
//     for it. The callbacks are a column.
//   - million_async sends to random handles for 5 s; here once to each.
//   - loop_count has one idle handle; here it also has a prepare and a timer, which
//     count the iterations.
func uvFigures() []figure {
	var figures []figure
	for _, n := range []int{1, 2, 4, 8} {
		name := fmt.Sprintf("async-c%d", n)
		figures = append(figures, figure{
			group: "libuv's own", name: fmt.Sprintf("async_%d", n), columns: []string{"ns/round trip"},
			rivals: []contestant{
				{"ev", func(quick bool) ([]float64, error) { return asyncThreads(n, quick) }},
				{"chan(1)+select", func(quick bool) ([]float64, error) { return chanThreads(n, quick) }},
			},
		}.inC(name))
	}
	for _, n := range []int{1, 2, 4, 8} {
		name := fmt.Sprintf("async-pummel-c%d", n)
		figures = append(figures, figure{
			group: "libuv's own", name: fmt.Sprintf("async_pummel_%d", n), columns: []string{"ns/send", "calls/1000 sends"},
			rivals: []contestant{
				{"ev", func(quick bool) ([]float64, error) { return pummel(n, quick) }},
				{"chan(1)+select", func(quick bool) ([]float64, error) { return pummelChan(n, quick) }},
				pummelInC("libev", name),
				pummelInC("libuv", name),
			},
		})
	}
	return append(figures,
		figure{group: "libuv's own", name: "million_async", columns: []string{"ns/async"}, rivals: []contestant{
			{"ev", millionAsync},
		}, targets: []target{{what: "ev", over: "libev", bound: 1, slack: 5}}}.inC("million-async"),
		figure{group: "libuv's own", name: "loop_count", columns: []string{"ns/iteration"}, rivals: []contestant{
			{"ev", loopCount},
			{"goja_nodejs", gojaCount},
		}}.inC("loop-count"))
}

func fewer(n int, quick bool) int {
	if quick {
		return n / 5
	}
	return n
}

// asyncThreads makes n loops play ping-pong with one loop.
func asyncThreads(n int, quick bool) ([]float64, error) {
	boss, err := ev.New()
	if err != nil {
		return nil, err
	}
	pings, left := make([]*ev.Async, n), make([]int, n)
	playing, seen := 0, 0
	for i := range n {
		worker, err := ev.New()
		if err != nil {
			return nil, err
		}
		pong := ev.NewAsync(boss, func(*ev.Async) {
			seen++
			if left[i]--; left[i] > 0 {
				pings[i].Send()
			} else if playing--; playing == 0 {
				boss.Stop()
			}
		})
		pings[i] = ev.NewAsync(worker, func(*ev.Async) { pong.Send() })
		pings[i].Start()
		pong.Start()
		background(worker)
	}
	play := func(each int) (time.Duration, error) {
		seen, playing = 0, n
		began := time.Now()
		for i := range n {
			left[i] = each
			pings[i].Send()
		}
		err := boss.Run(context.Background())
		if seen != n*each {
			err = errors.Join(err, fmt.Errorf("%d round trips, not %d", seen, n*each))
		}
		return time.Since(began), err
	}
	return played(play, n, quick)
}

// played calls play for a warm-up, and then for the measurement.
func played(play func(each int) (time.Duration, error), n int, quick bool) ([]float64, error) {
	if _, err := play(100); err != nil {
		return nil, err
	}
	runtime.GC()
	each := fewer(15_000, quick) / n
	took, err := play(each)
	return []float64{float64(took) / float64(n*each)}, err
}

// chanThreads makes n goroutines play ping-pong, with a channel each. The
// goroutine in the middle has one channel for all, which carries the number of
// the sender.
func chanThreads(n int, quick bool) ([]float64, error) {
	pongs, pings := make(chan int, n), make([]chan struct{}, n)
	for i := range pings {
		pings[i] = make(chan struct{}, 1)
		go func() {
			for range pings[i] {
				pongs <- i
			}
		}()
	}
	play := func(each int) (time.Duration, error) {
		left := make([]int, n)
		began := time.Now()
		for i := range n {
			left[i] = each
			pings[i] <- struct{}{}
		}
		for range n * each {
			i := <-pongs
			if left[i]--; left[i] > 0 {
				pings[i] <- struct{}{}
			}
		}
		return time.Since(began), nil
	}
	return played(play, n, quick)
}

// pummelInC turns the number of callbacks into a share of the sends.
func pummelInC(lib, measurement string) contestant {
	c := libContestant(lib, measurement, 2)
	return contestant{lib, func(quick bool) ([]float64, error) {
		values, err := c.run(quick)
		if err == nil {
			values[1] *= 1000 / float64(fewer(5_000_000, quick))
		}
		return values, err
	}}
}

// pummel makes n goroutines send to one async all the time.
func pummel(n int, quick bool) ([]float64, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	calls := 0
	a := ev.NewAsync(l, func(*ev.Async) { calls++ })
	done := ev.NewAsync(l, func(*ev.Async) { l.Stop() })
	a.Start()
	done.Start()
	return pummelled(n, quick, &calls, func() {
		for range burst {
			a.Send()
		}
	}, done.Send, func() error { return l.Run(context.Background()) })
}

func pummelChan(n int, quick bool) ([]float64, error) {
	calls := 0
	wake := make(chan struct{}, 1)
	return pummelled(n, quick, &calls, func() {
		for range burst {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}, func() { close(wake) }, func() error {
		for range wake {
			calls++
		}
		return nil
	})
}

// pummelled makes n goroutines send bursts, for a time, while receive runs. end
// makes receive return.
func pummelled(n int, quick bool, calls *int, send, end func(), receive func() error) ([]float64, error) {
	d := 300 * time.Millisecond
	if quick {
		d /= 4
	}
	runtime.GC()
	var sends atomic.Int64
	var pummelling sync.WaitGroup
	began := time.Now()
	for range n {
		pummelling.Go(func() {
			bursts := int64(0)
			for time.Since(began) < d {
				send()
				bursts++
			}
			sends.Add(bursts * burst)
		})
	}
	go func() {
		pummelling.Wait()
		end()
	}()
	err := receive()
	took, made := time.Since(began), float64(sends.Load())
	if *calls == 0 || float64(*calls) > made {
		err = errors.Join(err, fmt.Errorf("%d callbacks for %v sends", *calls, made))
	}
	return []float64{float64(took) / made, 1000 * float64(*calls) / made}, err
}

// millionAsync makes another goroutine send to each of a million asyncs.
func millionAsync(quick bool) ([]float64, error) {
	n := 1_000_000
	if quick {
		n /= 10
	}
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	calls := 0
	asyncs := make([]*ev.Async, n)
	for i := range asyncs {
		asyncs[i] = ev.NewAsync(l, func(*ev.Async) {
			if calls++; calls == n {
				l.Stop()
			}
		})
		asyncs[i].Start()
	}
	if err := l.RunNoWait(); err != nil {
		return nil, err
	}
	runtime.GC()
	began := time.Now()
	go func() {
		for _, a := range asyncs {
			a.Send()
		}
	}()
	err = l.Run(context.Background())
	took := time.Since(began)
	if calls != n {
		err = errors.Join(err, fmt.Errorf("%d callbacks for %d sends", calls, n))
	}
	return []float64{float64(took) / float64(n)}, err
}

// loopCount measures iterations that have nothing to wait for.
func loopCount(quick bool) ([]float64, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	count, until := 0, 0
	ev.NewIdle(l, func(*ev.Idle) {}).Start()
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
	ev.NewPrepare(l, func(*ev.Prepare) {
		if count++; count == until {
			l.Stop()
		}
	}).Start()
	turn := func(n int) (time.Duration, error) {
		count, until = 0, n
		began := time.Now()
		err := l.Run(context.Background())
		if count != n {
			err = errors.Join(err, fmt.Errorf("%d iterations, not %d", count, n))
		}
		return time.Since(began), err
	}
	return turned(turn, quick)
}

func turned(turn func(n int) (time.Duration, error), quick bool) ([]float64, error) {
	if _, err := turn(10_000); err != nil {
		return nil, err
	}
	runtime.GC()
	n := fewer(500_000, quick)
	took, err := turn(n)
	return []float64{float64(took) / float64(n)}, err
}

// gojaCount runs a function that puts itself on the loop again.
func gojaCount(quick bool) ([]float64, error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	left, done := 0, make(chan struct{})
	var again func(*goja.Runtime)
	again = func(*goja.Runtime) {
		if left--; left == 0 {
			done <- struct{}{}
		} else {
			l.RunOnLoop(again)
		}
	}
	return turned(func(n int) (time.Duration, error) {
		left = n
		began := time.Now()
		l.RunOnLoop(again)
		<-done
		return time.Since(began), nil
	}, quick)
}
