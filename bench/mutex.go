package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// mutexFigures measure state that several goroutines update: a map with a lock, or a map that
// belongs to a loop.
func mutexFigures() []figure {
	var figures []figure
	for _, work := range []time.Duration{0, time.Microsecond, 10 * time.Microsecond} {
		for _, producers := range []int{1, 4, 16} {
			figures = append(figures, updateFigure(work, producers, 1))
		}
	}
	return append(figures, updateFigure(0, 1, updatesAtOnce), updateFigure(0, 4, updatesAtOnce), updateFigure(0, 16, updatesAtOnce))
}

const updatesAtOnce = 64

func updateFigure(work time.Duration, producers, atOnce int) figure {
	name := fmt.Sprintf("work of %d µs, producers: %d", work.Microseconds(), producers)
	if atOnce > 1 {
		name = fmt.Sprintf("%d updates at once, producers: %d", atOnce, producers)
	}
	f := figure{group: "Beside a mutex", name: name, columns: []string{"ns/update", "ns held/update"}}
	for _, by := range []struct {
		name string
		open openState
	}{{"ev", queueState}, {"ev Post", postState}, {"ev Call", callState}, {"mutex", mutexState}} {
		f.rivals = append(f.rivals, contestant{by.name, updates(by.open, work, producers, atOnce)})
	}
	return f
}

// state is a counter for each key, with some work for each update.
type state struct {
	counts map[int]int
	spins  int
	sum    uint32 // of the work, so that the compiler does not drop it
}

const keys = 64

// update adds n to the counts: one each to n keys.
func (s *state) update(key, n int) {
	for i := range n {
		s.counts[(key+i)%keys]++
		s.sum = spin(s.sum, s.spins)
	}
}

// spin is work that takes as long as its number of steps says, however often it is interrupted.
func spin(x uint32, steps int) uint32 {
	for range steps {
		x = x*1664525 + 1013904223
	}
	return x
}

// stepsFor returns how many steps take d.
func stepsFor(d time.Duration) int {
	const steps = 1 << 20
	best := time.Duration(1 << 62)
	x := uint32(1)
	for range 5 {
		began := time.Now()
		x = spin(x, steps)
		best = min(best, time.Since(began))
	}
	runtime.KeepAlive(x)
	return int(float64(steps) * float64(d) / float64(best))
}

// openState returns a function that makes n updates from a key on, and one that waits until all
// are made.
type openState func(s *state) (update func(key, n int), wait func() error, err error)

// updates measures the time of an update, and the part of it for which its producer is held. The
// producers make their updates in rounds, so a queue does not grow without end.
func updates(open openState, work time.Duration, producers, atOnce int) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		s := &state{counts: make(map[int]int, keys), spins: stepsFor(work)}
		update, wait, err := open(s)
		if err != nil {
			return nil, err
		}
		asked, held := 0, 0.0
		ns := nsPerOp(quick, func(n int) {
			all := time.Duration(0)
			for range n / burst {
				all += produce(update, producers, atOnce)
				if e := wait(); e != nil {
					err = e
				}
			}
			asked += n / burst * burst
			held = float64(all) / float64(n/burst*burst)
		})
		made := 0
		for _, n := range s.counts {
			made += n
		}
		if err == nil && made != asked {
			err = fmt.Errorf("%d updates of %d", made, asked)
		}
		return []float64{ns, held}, err
	}
}

// produce makes burst updates, and returns the time for which all producers together were held.
func produce(update func(key, n int), producers, atOnce int) time.Duration {
	var producing sync.WaitGroup
	spans := make([]time.Duration, producers)
	for p := range producers {
		producing.Go(func() {
			began := time.Now()
			for i := 0; i < burst/producers; i += atOnce {
				update(p+i, atOnce)
			}
			spans[p] = time.Since(began)
		})
	}
	producing.Wait()
	all := time.Duration(0)
	for _, d := range spans {
		all += d
	}
	return all
}

func mutexState(s *state) (func(key, n int), func() error, error) {
	var mu sync.Mutex
	return func(key, n int) {
		mu.Lock()
		defer mu.Unlock()
		s.update(key, n)
	}, func() error { return nil }, nil
}

func postState(s *state) (func(key, n int), func() error, error) {
	l, err := ev.New()
	if err != nil {
		return nil, nil, err
	}
	background(l)
	return func(key, n int) { _ = l.Post(func() { s.update(key, n) }) }, func() error { return passed(l) }, nil
}

// passed waits until what was posted before has run.
func passed(l *ev.Loop) error {
	_, err := ev.Call(context.Background(), l, func() (int, error) { return 0, nil })
	return err
}

func callState(s *state) (func(key, n int), func() error, error) {
	l, err := ev.New()
	if err != nil {
		return nil, nil, err
	}
	background(l)
	return func(key, n int) {
		_, _ = ev.Call(context.Background(), l, func() (int, error) { s.update(key, n); return s.counts[key%keys], nil })
	}, func() error { return nil }, nil
}

func queueState(s *state) (func(key, n int), func() error, error) {
	l, err := ev.New()
	if err != nil {
		return nil, nil, err
	}
	type some struct{ key, n int }
	q := ev.NewQueue(l, 0, func(_ *ev.Queue[some], batch []some) {
		for _, u := range batch {
			s.update(u.key, u.n)
		}
	})
	q.Start()
	background(l)
	wait := func() error {
		_, err := ev.Call(context.Background(), l, func() (int, error) { q.Invoke(ev.AsyncEvent); return 0, nil })
		return err
	}
	return func(key, n int) { _ = q.Send(some{key, n}) }, wait, nil
}
