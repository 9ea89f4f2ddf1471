package main

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/goevlib/ev"
)

// atMost adds a target: the most bytes of heap that an instance of ev may take.
func (f figure) atMost(bytes float64) figure {
	f.targets = append(f.targets, target{what: "ev", bound: bytes})
	return f
}

func memoryFigures() []figure {
	const pipes = 400 // of two descriptors each
	return []figure{
		taking("loop, never run", 500, map[string]maker{
			"ev": newLoop, "goja_nodejs": newGoja,
		}).atMost(4096),
		taking("loop, parked", 500, map[string]maker{
			"ev": parkedLoop, "chan+goroutine": parkedGoroutine, "goja_nodejs": parkedGoja,
		}).atMost(4096),
		taking("idle async", 100_000, map[string]maker{
			"ev": ofLoop(idleAsync), "chan(1)": newChan, "chan+goroutine": parkedGoroutine,
		}, libContestant("libev", "memory-async", 1), libContestant("libuv", "memory-async", 1)).atMost(160),
		taking("timer", 100_000, map[string]maker{
			"ev": ofLoop(farTimer), "time.AfterFunc": afterFunc,
		}, libContestant("libev", "memory-timer", 1), libContestant("libuv", "memory-timer", 1)).atMost(160),
		taking("io watcher", pipes, map[string]maker{
			"ev": watchPipes(pipes),
		}),
	}
}

// maker makes the i-th instance and returns a value that keeps it alive. The
// memory of the first instance is not counted.
type maker func(i int) (any, error)

// byMemory is the order of the contestants.
var byMemory = []string{"ev", "chan(1)", "chan+goroutine", "time.AfterFunc", "goja_nodejs"}

func taking(name string, n int, makers map[string]maker, more ...contestant) figure {
	f := figure{group: "Memory", name: name, columns: []string{"heap bytes", "stack bytes"}}
	for _, rival := range byMemory {
		if make := makers[rival]; make != nil {
			f.rivals = append(f.rivals, contestant{rival, func(bool) ([]float64, error) { return bytesEach(n, make) }})
		}
	}
	for _, c := range more {
		f.rivals = append(f.rivals, contestant{c.name, withoutStack(c.run)})
	}
	return f
}

// withoutStack adds the column of stacks, which libraries in C do not have.
func withoutStack(run func(quick bool) ([]float64, error)) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		values, err := run(quick)
		return append(values, 0), err
	}
}

func bytesEach(n int, make maker) ([]float64, error) {
	var kept []any
	var heap, stack uint64
	for i := range n + 1 {
		instance, err := make(i)
		if err != nil {
			return nil, err
		}
		kept = append(kept, instance)
		if i == 0 {
			kept = slices.Grow(kept, n)
			heap, stack = inUse()
		}
	}
	time.Sleep(50 * time.Millisecond) // the goroutines park
	heapNow, stackNow := inUse()
	runtime.KeepAlive(kept)
	if heapNow <= heap {
		return nil, errors.New("the heap has not grown")
	}
	stackNow = max(stackNow, stack) // the collector shrinks other stacks
	return []float64{float64(heapNow-heap) / float64(n), float64(stackNow-stack) / float64(n)}, nil
}

// inUse returns the bytes of heap and of stacks that the program uses.
func inUse() (heap, stack uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // for values with finalizers
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.StackInuse
}

func newLoop(int) (any, error) { return ev.New() }

func newGoja(int) (any, error) {
	return eventloop.NewEventLoop(eventloop.EnableConsole(false)), nil
}

func parkedLoop(int) (any, error) {
	l, err := ev.New()
	if err == nil {
		background(l)
	}
	return l, err
}

func parkedGoja(int) (any, error) {
	l := eventloop.NewEventLoop(eventloop.EnableConsole(false))
	l.Start()
	return l, nil
}

func parkedGoroutine(int) (any, error) {
	ch := make(chan struct{}, 1)
	go func() {
		for range ch {
		}
	}()
	return ch, nil
}

func newChan(int) (any, error) { return make(chan struct{}, 1), nil }

func afterFunc(int) (any, error) { return time.AfterFunc(time.Hour, func() {}), nil }

// ofLoop makes watchers of one loop.
func ofLoop(make func(l *ev.Loop, i int) (any, error)) maker {
	var l *ev.Loop
	return func(i int) (any, error) {
		if i == 0 {
			var err error
			if l, err = ev.New(); err != nil {
				return nil, err
			}
		}
		return make(l, i)
	}
}

func idleAsync(l *ev.Loop, _ int) (any, error) {
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	return a, nil
}

func farTimer(l *ev.Loop, i int) (any, error) {
	t := ev.NewTimer(l, time.Hour+time.Duration(i)*time.Millisecond, 0, func(*ev.Timer) {})
	t.Start()
	return t, nil
}

// watchPipes watches pipes that are made before the measurement.
func watchPipes(n int) maker {
	pipes := make([]*os.File, 2*n+2)
	watch := ofLoop(func(l *ev.Loop, i int) (any, error) {
		w := ev.NewConnIO(l, pipes[2*i], ev.Read, func(*ev.IO, ev.Events) {})
		return w, errors.Join(w.Start(), l.RunNoWait())
	})
	return func(i int) (any, error) {
		for j := 0; i == 0 && j < len(pipes); j += 2 {
			var err error
			if pipes[j], pipes[j+1], err = os.Pipe(); err != nil {
				return nil, err
			}
		}
		return watch(i)
	}
}
