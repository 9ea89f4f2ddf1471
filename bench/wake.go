package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/goevlib/ev"
)

// moreWays are measured only in an idle process.
var moreWays = []way{
	{"chan func()", funcWay},
	{"sync.Cond", condWay},
	{"goja_nodejs", gojaWay},
}

func wakeFigures() []figure {
	figures := []figure{
		waking("cycles", "send-parked", []string{"ns/cycle"}, cycles),
		waking("latency", "wake-latency", percentileColumns(), fromIdle(blocking)),
		waking("ping-pong", "ping-pong", []string{"ns/round trip"}, roundTrips),
	}
	for _, active := range []int{1, 1_000, 100_000} {
		measurement := fmt.Sprintf("dispatch-1-of-%d", active)
		f := figure{
			group: "Dispatch", name: fmt.Sprintf("1 of %d", active), columns: []string{"ns/iteration"},
			rivals: []contestant{
				{"ev", func(quick bool) ([]float64, error) { return dispatch(active, quick) }},
			},
		}
		if active == 1 {
			f.targets = []target{{what: "ev", over: "chan(1)+select", bound: 1.5, slack: 3}}
			f.rivals = append(f.rivals, contestant{"chan(1)+select", ownChannel})
		}
		figures = append(figures, f.inC(measurement))
	}
	return figures
}

func waking(name, program string, columns []string, measure measurement) figure {
	f := figure{group: "Waking", name: name, columns: columns}
	for _, w := range slices.Concat(ways, moreWays) {
		f.rivals = append(f.rivals, contestant{w.name, func(quick bool) ([]float64, error) { return measure(w, quick) }})
	}
	return f.inC(program)
}

// cycles sends to a receiver that sleeps, and then waits for its answer.
func cycles(w way, quick bool) ([]float64, error) {
	answered, calls := make(chan struct{}, 1), 0
	send, end, err := w.open(func() {
		calls++
		answered <- struct{}{}
	})
	if err != nil {
		return nil, err
	}
	sends := 0
	ns := nsPerOp(quick, func(n int) {
		for range n {
			send()
			<-answered
		}
		sends += n
	})
	if err := end(); err != nil {
		return nil, err
	}
	if calls != sends {
		return nil, fmt.Errorf("%d callbacks for %d sends", calls, sends)
	}
	return []float64{ns}, nil
}

// roundTrips makes two receivers send to each other. pingPong measures the
// latency of each trip, and reads the clock for it.
func roundTrips(w way, quick bool) ([]float64, error) {
	left, done := 0, make(chan struct{})
	var sendPong func()
	sendPing, endPing, err := w.open(func() {
		if left == 0 {
			done <- struct{}{}
			return
		}
		left--
		sendPong()
	})
	if err != nil {
		return nil, err
	}
	pongs := 0
	sendPong, endPong, err := w.open(func() {
		pongs++
		sendPing()
	})
	if err != nil {
		return nil, err
	}
	asked := 0
	ns := nsPerOp(quick, func(n int) {
		left = n
		asked += n
		sendPing()
		<-done
	})
	if err := errors.Join(endPing(), endPong()); err != nil {
		return nil, err
	}
	if pongs != asked {
		return nil, fmt.Errorf("%d round trips, not %d", pongs, asked)
	}
	return []float64{ns}, nil
}

func funcWay(woken func()) (send func(), end func() error, err error) {
	funcs, ended := make(chan func(), burst), make(chan struct{})
	go func() {
		defer close(ended)
		for fn := range funcs {
			fn()
		}
	}()
	end = func() error {
		close(funcs)
		<-ended
		return nil
	}
	return func() { funcs <- woken }, end, nil
}

func condWay(woken func()) (send func(), end func() error, err error) {
	var mu sync.Mutex
	var requested, closed bool
	ended, changed := make(chan struct{}), sync.NewCond(&mu)
	set := func(flag *bool) {
		mu.Lock()
		*flag = true
		mu.Unlock()
		changed.Signal()
	}
	go func() {
		defer close(ended)
		for {
			mu.Lock()
			for !requested && !closed {
				changed.Wait()
			}
			call := requested
			requested = false
			mu.Unlock()
			if !call {
				return
			}
			woken()
		}
	}()
	end = func() error {
		set(&closed)
		<-ended
		return nil
	}
	return func() { set(&requested) }, end, nil
}

func gojaWay(woken func()) (send func(), end func() error, err error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	end = func() error {
		l.Terminate()
		return nil
	}
	return func() { l.RunOnLoop(func(*goja.Runtime) { woken() }) }, end, nil
}

// ownChannel measures a goroutine that sends to its own channel, in the loop
// with which a program without an event loop receives.
func ownChannel(quick bool) ([]float64, error) {
	wake, done := make(chan struct{}, 1), make(chan struct{})
	calls, left, asked := 0, 0, 0
	go func() {
		for range wake {
			calls++
			if left--; left == 0 {
				done <- struct{}{}
				continue
			}
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}()
	ns := nsPerOp(quick, func(n int) {
		left = n
		asked += n
		wake <- struct{}{}
		<-done
	})
	close(wake)
	if calls != asked {
		return nil, fmt.Errorf("%d calls, not %d", calls, asked)
	}
	return []float64{ns}, nil
}

// dispatch measures an async that sends to itself, among many active ones.
func dispatch(active int, quick bool) ([]float64, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	calls := 0
	idle := func(*ev.Async) { calls = -1 }
	for range active - 1 {
		ev.NewAsync(l, idle).Start()
	}
	left := 0
	chosen := ev.NewAsync(l, func(a *ev.Async) {
		calls++
		if left--; left == 0 {
			l.Stop()
		} else {
			a.Send()
		}
	})
	chosen.Start()
	asked := 0
	before := l.Iteration()
	ns := nsPerOp(quick, func(n int) {
		left = n
		asked += n
		chosen.Send()
		err = errors.Join(err, l.Run(context.Background()))
	})
	if err != nil {
		return nil, err
	}
	if made := l.Iteration() - before; calls != asked || made < uint64(asked) {
		return nil, fmt.Errorf("%d callbacks in %d iterations, not %d", calls, made, asked)
	}
	runtime.KeepAlive(l)
	return []float64{ns}, l.Close()
}
