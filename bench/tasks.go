package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// noAllocs is the target of a wait. The measurement itself makes fewer allocations
// than that per operation.
var noAllocs = target{column: 1, what: "ev", bound: 0.01, slack: 10}

// taskFigures measure tasks beside goroutines, callbacks and bare coroutines.
func taskFigures() []figure {
	return []figure{
		{
			group: "Tasks", name: "yield and back", columns: []string{"ns/op", "allocs/op"},
			targets: []target{
				{what: "ev", over: "goroutines", bound: 1, slack: 1.5},
				{what: "ev", over: "ev Async + 200 ns", bound: 1, slack: 2},
				noAllocs,
			},
			rivals: []contestant{
				{"ev", taskOps(yields)},
				{"goroutines", goroutineOps(channelTrips)},
				{"ev Async + 200 ns", asyncAnd200},
				{"iter.Pull", goroutineOps(pulls)},
			},
		},
		waitFigure("condition, there and back", condTrips, syncCondTrips),
		waitFigure("mailbox, there and back", mailboxTrips, bufferedTrips),
		waitFigure("sleep 1 us", sleeps, timeSleeps),
		waitFigure("wait for a ready descriptor", readyFD, nil),
		waitFigure("wait for a ready connection", readyConn, nil),
		spawnFigure("start, one step, end, 1 at a time", 1),
		spawnFigure("start, one step, end, 100 at a time", 100),
		waitingTasks(),
	}
}

func waitingTasks() figure {
	f := taking("task that waits", 20_000, map[string]maker{
		"ev": ofLoop(waitingTask), "chan+goroutine": parkedGoroutine,
	})
	f.targets = []target{{what: "ev", bound: 400, slack: 3}}
	return f
}

func waitFigure(name string, inTask func(t *ev.Task, n int) error, inGoroutine func(n int) error) figure {
	f := figure{
		group: "Tasks", name: name, columns: []string{"ns/op", "allocs/op"},
		targets: []target{noAllocs},
		rivals:  []contestant{{"ev", taskOps(inTask)}},
	}
	if inGoroutine != nil {
		f.rivals = append(f.rivals, contestant{"goroutines", goroutineOps(inGoroutine)})
	}
	return f
}

func spawnFigure(name string, atATime int) figure {
	return figure{
		group: "Tasks", name: name, columns: []string{"ns/op", "heap bytes/op"},
		targets: []target{
			{what: "ev", over: "goroutines", bound: 1.5, slack: 2},
			{column: 1, what: "ev", bound: 700},
		},
		rivals: []contestant{
			{"ev", bytesOf(taskRun(func(t *ev.Task, n int) error { return spawns(t, n, atATime) }))},
			{"goroutines", bytesOf(func(n int) error { return goes(n, atATime) })},
		},
	}
}

// taskRun returns a function that has a task do n operations.
func taskRun(work func(t *ev.Task, n int) error) func(n int) error {
	return func(n int) error {
		return ev.RunTask(context.Background(), func(t *ev.Task) error { return work(t, n) })
	}
}

func taskOps(work func(t *ev.Task, n int) error) func(quick bool) ([]float64, error) {
	return goroutineOps(taskRun(work))
}

// goroutineOps measures n operations, with their allocations.
func goroutineOps(work func(n int) error) func(quick bool) ([]float64, error) {
	return perOpOf(work, mallocs)
}

// bytesOf measures n operations, with the bytes that they allocate.
func bytesOf(work func(n int) error) func(quick bool) ([]float64, error) {
	return perOpOf(work, func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	})
}

func perOpOf(work func(n int) error, count func() uint64) func(quick bool) ([]float64, error) {
	return func(quick bool) ([]float64, error) {
		var err error
		counted := 0.0
		ns := nsPerOp(quick, func(n int) {
			before := count()
			err = errors.Join(err, work(n))
			counted = float64(count()-before) / float64(n)
		})
		return []float64{ns, counted}, err
	}
}

func yields(t *ev.Task, n int) error {
	for range n {
		if err := t.Yield(); err != nil {
			return err
		}
	}
	return nil
}

// channelTrips hands over to another goroutine and back.
func channelTrips(n int) error {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		for range there {
			back <- struct{}{}
		}
	}()
	for range n {
		there <- struct{}{}
		<-back
	}
	close(there)
	return nil
}

func pulls(n int) error {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	})
	defer stop()
	for i := range n {
		if got, ok := next(); got != i || !ok {
			return fmt.Errorf("%d, %v, not %d", got, ok, i)
		}
	}
	return nil
}

// asyncAnd200 is the most that a Yield may take beside an iteration with one
// Async.
func asyncAnd200(quick bool) ([]float64, error) {
	values, err := dispatch(1, quick)
	if err != nil {
		return nil, err
	}
	return []float64{values[0] + 200, 0}, nil
}

// condTrips has two tasks wake each other.
func condTrips(t *ev.Task, n int) error {
	there, back := ev.NewCond(t.Loop()), ev.NewCond(t.Loop())
	other := ev.Spawn(t.Loop(), func(t *ev.Task) error {
		for range n {
			if err := there.Wait(t); err != nil {
				return err
			}
			back.Signal()
		}
		return nil
	})
	if err := t.Yield(); err != nil { // the other waits
		return err
	}
	for range n {
		there.Signal()
		if err := back.Wait(t); err != nil {
			return err
		}
	}
	return t.Join(other)
}

func syncCondTrips(n int) error {
	var mu sync.Mutex
	changed := sync.NewCond(&mu)
	turn, done := 0, make(chan struct{})
	trips := func(own int) {
		mu.Lock()
		defer mu.Unlock()
		for range n {
			for turn != own {
				changed.Wait()
			}
			turn = 1 - own
			changed.Signal()
		}
	}
	go func() {
		trips(1)
		close(done)
	}()
	trips(0)
	<-done
	return nil
}

func mailboxTrips(t *ev.Task, n int) error {
	there, back := ev.NewMailbox[int](t.Loop(), 1), ev.NewMailbox[int](t.Loop(), 1)
	other := ev.Spawn(t.Loop(), func(t *ev.Task) error {
		for range n {
			v, err := there.Receive(t)
			if err == nil {
				err = back.Send(v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	for i := range n {
		if err := there.Send(i); err != nil {
			return err
		}
		if v, err := back.Receive(t); err != nil || v != i {
			return fmt.Errorf("%d, %w, not %d", v, err, i)
		}
	}
	return t.Join(other)
}

func bufferedTrips(n int) error {
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for v := range there {
			back <- v
		}
	}()
	for i := range n {
		there <- i
		if v := <-back; v != i {
			return fmt.Errorf("%d, not %d", v, i)
		}
	}
	close(there)
	return nil
}

func sleeps(t *ev.Task, n int) error {
	for range n {
		if err := t.Sleep(time.Microsecond); err != nil {
			return err
		}
	}
	return nil
}

func timeSleeps(n int) error {
	for range n {
		time.Sleep(time.Microsecond)
	}
	return nil
}

func readyFD(t *ev.Task, n int) error {
	return withReadable(func(f *os.File) error {
		fd := int(f.Fd())
		for range n {
			if _, err := t.WaitFD(fd, ev.Read); err != nil {
				return err
			}
		}
		return nil
	})
}

func readyConn(t *ev.Task, n int) error {
	return withReadable(func(f *os.File) error {
		for range n {
			if _, err := t.WaitConn(f, ev.Read); err != nil {
				return err
			}
		}
		return nil
	})
}

// withReadable calls use with a pipe that has a byte to read.
func withReadable(use func(f *os.File) error) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write([]byte{1}); err != nil {
		return err
	}
	return use(r)
}

// spawns starts n tasks that end in their first step, and waits for each
// atATime of them.
func spawns(t *ev.Task, n, atATime int) error {
	steps := 0
	step := func(*ev.Task) error {
		steps++
		return nil
	}
	began := n / atATime * atATime
	for range n / atATime {
		var last *ev.Task
		for range atATime {
			last = ev.Spawn(t.Loop(), step)
		}
		if err := t.Join(last); err != nil {
			return err
		}
	}
	if steps != began {
		return fmt.Errorf("%d steps of %d tasks", steps, began)
	}
	return nil
}

func goes(n, atATime int) error {
	for range n / atATime {
		var ended sync.WaitGroup
		for range atATime {
			ended.Go(func() {})
		}
		ended.Wait()
	}
	return nil
}

// waitingTask starts a task and has it wait for another.
func waitingTask(l *ev.Loop, _ int) (any, error) {
	t := ev.Spawn(l, waitForEver)
	return t, l.RunNoWait()
}

var waitForEver = func(t *ev.Task) error {
	return ev.NewCond(t.Loop()).Wait(t)
}
