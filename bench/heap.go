package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.uber.org/atomic"

	"github.com/goevlib/ev"
)

// heapFigures measure the cost of timers when there are a million of them. They
// are made beforehand, one by one. No timer is due before the measurement makes
// it due.
func heapFigures() []figure {
	var figures []figure
	add := func(name, measurement string, most bounds, loop, inGo func(n int) (perOp, error)) {
		figures = append(figures, figure{
			group: "Timers: the heap", name: name, columns: []string{"ns/op"},
			targets: []target{
				{what: "ev", over: "libev", bound: most.libev, slack: 5},
				{what: "ev", over: "time.AfterFunc", bound: most.runtime, slack: 5},
			},
			rivals: []contestant{
				{"ev", withTimers(loop)},
				{"time.AfterFunc", withTimers(inGo)},
			},
		}.inC(measurement))
	}
	usual := bounds{1, 0.5}
	add("start, each later than the last", "timers-insert-ordered", usual,
		inLoop(rising, startLoop), inRuntime(rising, startRuntime))
	add("start, random times", "timers-insert-random", usual,
		inLoop(far, startLoop), inRuntime(far, startRuntime))
	add("again, random ones to random times", "timers-again", usual,
		inLoop(far, againLoop(far)), inRuntime(far, againRuntime(far)))
	add("again, random ones to the latest time", "timers-again-later", bounds{0.1, 0.1},
		inLoop(far, againLoop(later)), inRuntime(far, againRuntime(later)))
	add("stop, in random order", "timers-cancel-random", bounds{0.3, 0.5}, inLoop(far, stopLoop), inRuntime(far, stopRuntime))
	add("expire, all at once", "timers-expire-all", bounds{1.1, 0.5}, inLoop(near, expireLoop), expireRuntime)
	add("start, again, stop among 10 000", "timers-start-stop", usual, startStopLoop, startStopRuntime)
	return figures
}

// bounds are the largest ratios to the rivals.
type bounds struct{ libev, runtime float64 }

// perOp is a number of operations and the time they took.
type perOp struct {
	took time.Duration
	n    int
}

// many is the number of timers, in a short round too: fewer fit into the caches, where the ratios
// are others.
const many = 1_000_000

func withTimers(measure func(n int) (perOp, error)) func(quick bool) ([]float64, error) {
	return func(bool) ([]float64, error) {
		p, err := measure(many)
		if err != nil {
			return nil, err
		}
		return []float64{float64(p.took) / float64(p.n)}, nil
	}
}

// random is the generator of bench.h: each contestant gets the same numbers.
type random uint64

const seed random = 88172645463325252

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

// spread is the range of the due times of timers that expire.
const spread = 5 * time.Millisecond

func (r *random) spans(n int, base, width time.Duration) []time.Duration {
	s := make([]time.Duration, n)
	for i := range s {
		s[i] = base + time.Duration(r.next()%uint64(width))
	}
	return s
}

func far(r *random, n int) []time.Duration  { return r.spans(n, time.Hour, 1_000_000*time.Second) }
func near(r *random, n int) []time.Duration { return r.spans(n, 100*time.Millisecond, spread) }

func rising(_ *random, n int) []time.Duration {
	s := make([]time.Duration, n)
	for i := range s {
		s[i] = time.Hour + time.Duration(i)*time.Millisecond
	}
	return s
}

// later are after all of far, and rise. A timeout that is reset becomes the last of all.
func later(_ *random, n int) []time.Duration {
	s := make([]time.Duration, n)
	for i := range s {
		s[i] = time.Hour + 1_000_000*time.Second + time.Duration(i)*time.Millisecond
	}
	return s
}

// shuffled returns timers in random order, the same for each contestant. The
// pointers themselves are contiguous: the measurement is about access to the
// timers, not to the pointers.
func shuffled[T any](r *random, timers []*T) []*T {
	p := slices.Clone(timers)
	for i := len(p) - 1; i > 0; i-- {
		j := r.next() % uint64(i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// loopTimers are timers of one loop. The loop does not run meanwhile.
type loopTimers struct {
	l      *ev.Loop
	timers []*ev.Timer
	fired  int
}

func newLoopTimers(spans []time.Duration) (*loopTimers, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	s := &loopTimers{l: l, timers: make([]*ev.Timer, len(spans))}
	for i, d := range spans {
		s.timers[i] = ev.NewTimer(l, d, 0, func(*ev.Timer) { s.fired++ })
	}
	l.Update()
	runtime.GC()
	return s, nil
}

func (s *loopTimers) start() {
	for _, t := range s.timers {
		t.Start()
	}
}

// expect checks how many timers are active, and how many have fired.
func (s *loopTimers) expect(active, fired int) error {
	if s.l.Active() != active || s.fired != fired {
		return fmt.Errorf("%d timers are active and %d have fired, not %d and %d", s.l.Active(), s.fired, active, fired)
	}
	return nil
}

// during returns how long work takes in a callback, where programs start and
// stop their timers. Outside of Run each change is published for Stats at once,
// which is slower.
func (s *loopTimers) during(work func()) (took time.Duration, err error) {
	if err := s.l.Post(func() {
		began := time.Now()
		work()
		took = time.Since(began)
	}); err != nil {
		return 0, err
	}
	err = s.l.RunNoWait()
	return took, err
}

// inLoop measures work with n timers of these spans.
func inLoop(spans func(*random, int) []time.Duration, work func(*random, *loopTimers) (time.Duration, error)) func(int) (perOp, error) {
	return func(n int) (perOp, error) {
		r := seed
		s, err := newLoopTimers(spans(&r, n))
		if err != nil {
			return perOp{}, err
		}
		defer s.l.Close()
		took, err := work(&r, s)
		return perOp{took, n}, err
	}
}

func startLoop(_ *random, s *loopTimers) (time.Duration, error) {
	took, err := s.during(s.start)
	return took, errors.Join(err, s.expect(len(s.timers), 0))
}

func againLoop(to func(*random, int) []time.Duration) func(*random, *loopTimers) (time.Duration, error) {
	return func(r *random, s *loopTimers) (time.Duration, error) {
		order, spans := shuffled(r, s.timers), to(r, len(s.timers))
		s.start()
		runtime.GC()
		took, err := s.during(func() {
			for i, t := range order {
				_ = t.SetRepeat(spans[i]) // positive
				t.Reset()
			}
		})
		return took, errors.Join(err, s.expect(len(s.timers), 0))
	}
}

func stopLoop(r *random, s *loopTimers) (time.Duration, error) {
	order := shuffled(r, s.timers)
	s.start()
	runtime.GC()
	took, err := s.during(func() {
		for _, t := range order {
			t.Stop()
		}
	})
	return took, errors.Join(err, s.expect(0, 0))
}

func expireLoop(_ *random, s *loopTimers) (time.Duration, error) {
	s.start()
	runtime.GC()
	time.Sleep(100*time.Millisecond + spread)
	began := time.Now()
	err := s.l.RunNoWait()
	took := time.Since(began)
	return took, errors.Join(err, s.expect(0, len(s.timers)))
}

const (
	idlers       = 10_000
	startStopFor = time.Hour + 500_000*time.Second // in the middle of the others
)

// startStopLoop starts and stops a timeout among many others. It does not fire.
func startStopLoop(n int) (perOp, error) {
	r := seed
	s, err := newLoopTimers(far(&r, idlers))
	if err != nil {
		return perOp{}, err
	}
	defer s.l.Close()
	s.start()
	t := ev.NewTimer(s.l, startStopFor, startStopFor, func(*ev.Timer) { s.fired++ })
	work := func(n int) {
		for range n {
			t.Start()
			t.Reset()
			t.Stop()
		}
	}
	work(n / 10)
	took, err := s.during(func() { work(n) })
	return perOp{took, n}, errors.Join(err, s.expect(idlers, 0))
}

// runtimeTimers are timers of time.AfterFunc.
type runtimeTimers struct {
	timers []*time.Timer
	fired  atomic.Uint32
	done   chan struct{} // closed when all have fired
}

// newRuntimeTimers makes n stopped timers. Each is stopped before the next is
// made, so that none stays in the runtime's heap.
func newRuntimeTimers(n int) *runtimeTimers {
	s := &runtimeTimers{timers: make([]*time.Timer, n), done: make(chan struct{})}
	for i := range s.timers {
		s.timers[i] = time.AfterFunc(time.Hour, func() {
			if s.fired.Inc() == uint32(n) {
				close(s.done)
			}
		})
		s.timers[i].Stop()
	}
	runtime.GC()
	return s
}

// expect checks how many operations met a timer that was active.
func (s *runtimeTimers) expect(met, want int) error {
	if met != want || s.fired.Load() != 0 {
		return fmt.Errorf("%d timers were active and %d have fired, not %d and none", met, s.fired.Load(), want)
	}
	return nil
}

func inRuntime(spans func(*random, int) []time.Duration, work func(*random, *runtimeTimers, []time.Duration) (time.Duration, error)) func(int) (perOp, error) {
	return func(n int) (perOp, error) {
		r := seed
		d := spans(&r, n)
		took, err := work(&r, newRuntimeTimers(n), d)
		return perOp{took, n}, err
	}
}

// reset returns how many of the timers were active.
func (s *runtimeTimers) reset(spans []time.Duration) (active int) {
	for i, t := range s.timers {
		if t.Reset(spans[i]) {
			active++
		}
	}
	return active
}

func startRuntime(_ *random, s *runtimeTimers, spans []time.Duration) (time.Duration, error) {
	began := time.Now()
	active := s.reset(spans)
	return time.Since(began), s.expect(active, 0)
}

func againRuntime(to func(*random, int) []time.Duration) func(*random, *runtimeTimers, []time.Duration) (time.Duration, error) {
	return func(r *random, s *runtimeTimers, spans []time.Duration) (time.Duration, error) {
		order, others := shuffled(r, s.timers), to(r, len(s.timers))
		s.reset(spans)
		runtime.GC()
		active := 0
		began := time.Now()
		for i, t := range order {
			if t.Reset(others[i]) {
				active++
			}
		}
		return time.Since(began), s.expect(active, len(s.timers))
	}
}

func stopRuntime(r *random, s *runtimeTimers, spans []time.Duration) (time.Duration, error) {
	order := shuffled(r, s.timers)
	s.reset(spans)
	runtime.GC()
	active := 0
	began := time.Now()
	for _, t := range order {
		if t.Stop() {
			active++
		}
	}
	return time.Since(began), s.expect(active, len(s.timers))
}

// expireRuntime cannot keep the runtime from calling due timers, as it can with
// a loop. So no timer is due before all are started, and the measurement starts
// when all are due. The earlier timers have a head start of spread.
func expireRuntime(n int) (perOp, error) {
	for lead := time.Duration(n) * 400; lead < time.Minute; lead *= 2 {
		if took, ok := expireAfter(n, lead); ok {
			return perOp{took, n}, nil
		}
	}
	return perOp{}, fmt.Errorf("starting %d timers took longer than a minute", n)
}

func expireAfter(n int, lead time.Duration) (took time.Duration, ok bool) {
	r := seed
	spans := r.spans(n, lead, spread)
	s := newRuntimeTimers(n)
	began := time.Now()
	for i, t := range s.timers {
		t.Reset(spans[i] - time.Since(began))
	}
	ok = time.Since(began) < lead
	<-s.done
	return time.Since(began) - lead - spread, ok
}

func startStopRuntime(n int) (perOp, error) {
	r := seed
	s := newRuntimeTimers(idlers)
	s.reset(far(&r, idlers))
	t := time.AfterFunc(startStopFor, func() { s.fired.Inc() })
	t.Stop()
	active := 0
	work := func(n int) {
		for range n {
			t.Reset(startStopFor)
			t.Reset(startStopFor)
			if t.Stop() {
				active++
			}
		}
	}
	work(n / 10)
	began := time.Now()
	work(n)
	took := time.Since(began)
	return perOp{took, n}, s.expect(active, n+n/10)
}
