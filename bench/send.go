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

// receiver is the receiver of sends, with some watchers or channels. It can be
// held while others send.
type receiver struct {
	hold    func()         // returns when it is busy
	release func() error   // returns when everything sent before has been taken
	repeat  func(i, n int) // sends n times to its i-th watcher
	each    func()         // sends once to each
	calls   func() int     // how often it was called back; asked after release
	room    int            // how many sends it can have outstanding; 0: they collapse
}

type makeReceiver func(watchers int) (*receiver, error)

var receivers = []struct {
	name string
	make makeReceiver
}{
	{"ev", loopReceiver},
	{"chan(1)+select", chanReceiver},
	{"chan func()", funcReceiver},
	{"goja_nodejs", gojaReceiver},
}

const burst = 1024

func sendFigures() []figure {
	requested := figure{group: "Send", name: "requested already", columns: []string{"ns/send"}}
	first := figure{group: "Send", name: "not requested", columns: []string{"ns/send"}}
	for _, r := range receivers {
		requested.rivals = append(requested.rivals, contestant{r.name, sendRequested(r.make)})
		first.rivals = append(first.rivals, contestant{r.name, sendFirst(r.make)})
	}
	return append([]figure{requested.inC("send-pending"), first.inC("send-first")}, append(contendedFigures(), handOverFigures()...)...)
}

func contendedFigures() []figure {
	var figures []figure
	for _, shape := range []struct {
		producers, watchers int
		bound               float64
	}{{1, 1, 0}, {4, 1, 0}, {16, 1, 0.3}, {16, 16, 0.8}} {
		held := figure{
			group: "Send, contended", name: fmt.Sprintf("held, %d to %d", shape.producers, shape.watchers),
			columns: []string{"ns/send"},
		}
		if shape.bound > 0 {
			held.targets = []target{{what: "ev", over: "chan(1)+select", bound: shape.bound, slack: 2}}
		}
		draining := figure{
			group: "Send, contended", name: fmt.Sprintf("draining, %d to %d", shape.producers, shape.watchers),
			columns: []string{"ns/send", "calls/1000 sends"},
		}
		held.rivals = []contestant{
			{"ev", sendHeld(loopReceiver, shape.producers, shape.watchers)},
			{"chan(1)+select", sendHeld(chanReceiver, shape.producers, shape.watchers)},
		}
		draining.rivals = []contestant{
			{"ev", sendDraining(loopReceiver, shape.producers, shape.watchers)},
			{"chan(1)+select", sendDraining(rangingReceiver, shape.producers, shape.watchers)},
		}
		figures = append(figures, held, draining)
	}
	return figures
}

// nsPerOp repeats work until it takes about as long as a run may, and returns
// the nanoseconds per operation. Finding the number of repetitions is the
// warm-up.
func nsPerOp(quick bool, work func(n int)) float64 {
	span := 300 * time.Millisecond
	if quick {
		span /= 4
	}
	n := burst
	for {
		began := time.Now()
		work(n)
		took := time.Since(began)
		if took > span/20 {
			n = max(burst, int(float64(n)*float64(span)/float64(took)))
			break
		}
		n *= 2
	}
	runtime.GC()
	began := time.Now()
	work(n)
	return float64(time.Since(began)) / float64(n)
}

// sendRequested repeats a request that is outstanding.
func sendRequested(make makeReceiver) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		r, err := make(1)
		if err != nil {
			return nil, err
		}
		if r.room > 0 {
			return inBursts(r, r.room, func() { r.repeat(0, r.room) }, quick)
		}
		r.hold()
		r.each()
		ns := nsPerOp(quick, func(n int) { r.repeat(0, n) })
		if err := r.release(); err != nil {
			return nil, err
		}
		if calls := r.calls(); calls != 1 {
			return nil, fmt.Errorf("%d callbacks, not one", calls)
		}
		return []float64{ns}, nil
	}
}

// sendFirst sends once to each of many watchers without a request.
func sendFirst(make makeReceiver) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		r, err := make(burst)
		if err != nil {
			return nil, err
		}
		return inBursts(r, burst, r.each, quick)
	}
}

// inBursts measures work, which sends n times, while the receiver is held.
// Between the bursts the receiver takes all requests.
func inBursts(r *receiver, n int, work func(), quick bool) ([]float64, error) {
	const warmup = 20
	rounds := 1000
	if quick {
		rounds /= 4
	}
	var took time.Duration
	for i := -warmup; i < rounds; i++ {
		if i == 0 {
			runtime.GC()
		}
		r.hold()
		began := time.Now()
		work()
		if i >= 0 {
			took += time.Since(began)
		}
		if err := r.release(); err != nil {
			return nil, err
		}
	}
	if calls := r.calls(); calls != (warmup+rounds)*n {
		return nil, fmt.Errorf("%d callbacks for %d sends", calls, (warmup+rounds)*n)
	}
	return []float64{float64(took) / float64(rounds) / float64(n)}, nil
}

// sendHeld makes producers send all the time while the receiver is held.
func sendHeld(make makeReceiver, producers, watchers int) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		r, err := make(watchers)
		if err != nil {
			return nil, err
		}
		r.hold()
		r.each()
		ns := nsPerOp(quick, func(n int) { together(r, producers, watchers, n) })
		if err := r.release(); err != nil {
			return nil, err
		}
		if calls := r.calls(); calls != watchers {
			return nil, fmt.Errorf("%d callbacks of %d watchers", calls, watchers)
		}
		return []float64{ns}, nil
	}
}

// sendDraining makes producers send while the receiver takes requests as they
// come.
func sendDraining(make makeReceiver, producers, watchers int) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		r, err := make(watchers)
		if err != nil {
			return nil, err
		}
		sends := 0
		ns := nsPerOp(quick, func(n int) {
			together(r, producers, watchers, n)
			sends += n / producers * producers
		})
		r.hold()
		if err := r.release(); err != nil {
			return nil, err
		}
		calls := r.calls()
		if calls == 0 || calls > sends {
			return nil, fmt.Errorf("%d callbacks for %d sends", calls, sends)
		}
		return []float64{ns, 1000 * float64(calls) / float64(sends)}, nil
	}
}

// together makes each of the producers send its share of n sends.
func together(r *receiver, producers, watchers, n int) {
	var ready, sending sync.WaitGroup
	ready.Add(1)
	for p := range producers {
		sending.Go(func() {
			ready.Wait()
			r.repeat(p%watchers, n/producers)
		})
	}
	ready.Done()
	sending.Wait()
}

// background runs a loop on a goroutine of its own, for as long as the process lasts.
func background(l *ev.Loop) {
	l.Ref()
	go func() { _ = l.Run(context.Background()) }()
}

func loopReceiver(watchers int) (*receiver, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	calls := 0
	asyncs := make([]*ev.Async, watchers)
	for i := range asyncs {
		asyncs[i] = ev.NewAsync(l, func(*ev.Async) { calls++ })
		asyncs[i].Start()
	}
	background(l)
	held, released := make(chan struct{}), make(chan struct{})
	return &receiver{
		hold: func() {
			_ = l.Post(func() { held <- struct{}{}; <-released }) //evvet:ignore hold is to block the loop
			<-held
		},
		release: func() error {
			released <- struct{}{}
			_, err := ev.Call(context.Background(), l, func() (int, error) { return 0, nil })
			return err
		},
		repeat: func(i, n int) {
			a := asyncs[i]
			for range n {
				a.Send()
			}
		},
		each: func() {
			for _, a := range asyncs {
				a.Send()
			}
		},
		calls: func() int { return calls },
	}, nil
}

// chanReceiver is a goroutine that reads its channels when it is released.
func chanReceiver(watchers int) (*receiver, error) {
	chans := makeChans(watchers)
	calls := 0
	r := chanSender(chans)
	r.hold = func() {}
	r.release = func() error {
		for _, ch := range chans {
			select {
			case <-ch:
				calls++
			default:
			}
		}
		return nil
	}
	r.calls = func() int { return calls }
	return r, nil
}

// rangingReceiver is a goroutine per channel, which cannot be held.
func rangingReceiver(watchers int) (*receiver, error) {
	chans := makeChans(watchers)
	var calls atomic.Int64
	var ranging sync.WaitGroup
	for _, ch := range chans {
		ranging.Go(func() {
			n := int64(0)
			for range ch {
				n++
			}
			calls.Add(n)
		})
	}
	r := chanSender(chans)
	r.hold = func() {}
	r.release = func() error {
		for _, ch := range chans {
			close(ch)
		}
		ranging.Wait()
		return nil
	}
	r.calls = func() int { return int(calls.Load()) }
	return r, nil
}

func makeChans(n int) []chan struct{} {
	chans := make([]chan struct{}, n)
	for i := range chans {
		chans[i] = make(chan struct{}, 1)
	}
	return chans
}

func chanSender(chans []chan struct{}) *receiver {
	return &receiver{
		repeat: func(i, n int) {
			ch := chans[i]
			for range n {
				select {
				case ch <- struct{}{}:
				default:
				}
			}
		},
		each: func() {
			for _, ch := range chans {
				select {
				case ch <- struct{}{}:
				default:
				}
			}
		},
	}
}

func funcReceiver(watchers int) (*receiver, error) {
	funcs := make(chan func(), max(watchers, burst))
	calls := 0
	call := func() { calls++ }
	return &receiver{
		hold: func() {},
		release: func() error {
			for len(funcs) > 0 {
				(<-funcs)()
			}
			return nil
		},
		repeat: func(_, n int) {
			for range n {
				funcs <- call
			}
		},
		each: func() {
			for range watchers {
				funcs <- call
			}
		},
		calls: func() int { return calls },
		room:  burst,
	}, nil
}

var errTerminated = errors.New("the loop does not take functions")

func gojaReceiver(watchers int) (*receiver, error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	calls := 0
	call := func(*goja.Runtime) { calls++ }
	held, released, drained := make(chan struct{}), make(chan struct{}), make(chan struct{})
	send := func(n int) {
		for range n {
			l.RunOnLoop(call)
		}
	}
	return &receiver{
		hold: func() {
			l.RunOnLoop(func(*goja.Runtime) { held <- struct{}{}; <-released })
			<-held
		},
		release: func() error {
			released <- struct{}{}
			if !l.RunOnLoop(func(*goja.Runtime) { drained <- struct{}{} }) {
				return errTerminated
			}
			<-drained
			return nil
		},
		repeat: func(_, n int) { send(n) },
		each:   func() { send(watchers) },
		calls:  func() int { return calls },
		room:   burst,
	}, nil
}
