package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

// clockwork is a way to be called after a time, and at intervals.
type clockwork struct {
	name string
	// oneShots sets a timer of length after again and again, for the time d. It
	// returns how late each call was.
	oneShots func(after, d time.Duration) ([]time.Duration, error)
	// ticks is called n times, at the interval every, and returns the times of the
	// calls.
	ticks func(every time.Duration, n int) ([]time.Duration, error)
	// inC is set if another process does the work.
	inC bool
}

var clockworks = []clockwork{
	{name: "ev", oneShots: loopOneShots, ticks: loopTicks},
	{name: "time.AfterFunc", oneShots: afterFuncs},
	{name: "time.NewTimer+channel", oneShots: timerChannel},
	{name: "time.Ticker", ticks: ticker},
	libClockwork("libev"),
	libClockwork("libuv"),
}

func timerFigures() []figure {
	var figures []figure
	add := func(name string, columns []string, has func(clockwork) bool,
		measure func(c clockwork, quick bool) ([]float64, error), targets ...target) {
		f := figure{group: "Timers: lateness", name: name, columns: columns, targets: targets}
		for _, c := range clockworks {
			if has(c) {
				f.rivals = append(f.rivals, contestant{c.name, func(quick bool) ([]float64, error) {
					return measure(c, quick)
				}})
			}
		}
		figures = append(figures, f)
	}
	hasOneShots := func(c clockwork) bool { return c.oneShots != nil }
	hasTicks := func(c clockwork) bool { return c.ticks != nil }
	inGo := func(has func(clockwork) bool) func(clockwork) bool {
		return func(c clockwork) bool { return has(c) && !c.inC }
	}
	spans := []time.Duration{50 * time.Microsecond, 250 * time.Microsecond, 1500 * time.Microsecond}

	for _, after := range spans {
		add(fmt.Sprintf("%v, idle process", after), percentileColumns(), hasOneShots,
			func(c clockwork, quick bool) ([]float64, error) { return lateness(c, after, quick) },
			target{column: 0, what: "ev", over: "time.AfterFunc", bound: 0.15, slack: 3},
			target{column: 0, what: "ev", bound: 60, slack: 10})
	}
	for _, after := range spans {
		add(fmt.Sprintf("%v, every processor busy, with yields", after), percentileColumns(), inGo(hasOneShots),
			func(c clockwork, quick bool) ([]float64, error) {
				defer saturate(2*runtime.GOMAXPROCS(0), someWork, runtime.Gosched)()
				return lateness(c, after, quick)
			},
			target{column: 0, what: "ev", over: "time.AfterFunc", bound: 2, slack: 5})
	}
	add("every 1 ms, idle process", []string{"jitter p99 us", "jitter stddev us", "drift us", "missed ticks"},
		hasTicks, regularity)
	for _, every := range []time.Duration{time.Millisecond, 10 * time.Millisecond} {
		add(fmt.Sprintf("every %v, what it costs", every), []string{"CPU ms/s"}, inGo(hasTicks),
			func(c clockwork, quick bool) ([]float64, error) { return cost(c, every, quick) })
	}
	return figures
}

// measureFor returns how long to measure a timer.
func measureFor(quick bool) time.Duration {
	if quick {
		return 200 * time.Millisecond
	}
	return time.Second / 2
}

func lateness(c clockwork, after time.Duration, quick bool) ([]float64, error) {
	runtime.GC()
	late, err := c.oneShots(after, measureFor(quick))
	if err != nil {
		return nil, err
	}
	if len(late) < 2 {
		return nil, fmt.Errorf("%d callbacks only", len(late))
	}
	if early := slices.Min(late); early < 0 {
		return nil, fmt.Errorf("a callback came %v early", -early)
	}
	warmup := min(20, len(late)/2) // in a busy process some contestants are called every 10 ms
	return percentiles(late[warmup:]), nil
}

// loopOneShots counts from Loop.Now, as the timers do.
func loopOneShots(after, d time.Duration) (late []time.Duration, err error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	late = make([]time.Duration, 0, 1<<16)
	began := time.Now()
	var due time.Time
	t := ev.NewTimer(l, after, 0, func(t *ev.Timer) {
		now := time.Now()
		late = append(late, now.Sub(due))
		if now.Sub(began) < d {
			due = l.Now().Add(after)
			err = t.Set(after, 0)
			t.Start()
		}
	})
	due = l.Now().Add(after)
	t.Start()
	ran := l.Run(context.Background())
	return late, errors.Join(err, ran)
}

func afterFuncs(after, d time.Duration) (late []time.Duration, err error) {
	late = make([]time.Duration, 0, 1<<16)
	began, done := time.Now(), make(chan struct{})
	var due time.Time
	var t *time.Timer
	armed := make(chan struct{})
	due = time.Now().Add(after)
	t = time.AfterFunc(after, func() {
		now := time.Now()
		late = append(late, now.Sub(due))
		if len(late) == 1 {
			<-armed // t is assigned
		}
		if now.Sub(began) >= d {
			close(done)
			return
		}
		due = time.Now().Add(after)
		t.Reset(after)
	})
	close(armed)
	<-done
	return late, nil
}

func timerChannel(after, d time.Duration) (late []time.Duration, err error) {
	late = make([]time.Duration, 0, 1<<16)
	began := time.Now()
	due := began.Add(after)
	t := time.NewTimer(after)
	for {
		<-t.C
		now := time.Now()
		late = append(late, now.Sub(due))
		if now.Sub(began) >= d {
			return late, nil
		}
		due = time.Now().Add(after)
		t.Reset(after)
	}
}

func loopTicks(every time.Duration, n int) ([]time.Duration, error) {
	l, err := ev.New()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	at := make([]time.Duration, 0, n)
	began := time.Now()
	ev.NewTimer(l, every, every, func(t *ev.Timer) {
		if at = append(at, time.Since(began)); len(at) == n {
			t.Stop()
		}
	}).Start()
	err = l.Run(context.Background())
	return at, err
}

func ticker(every time.Duration, n int) ([]time.Duration, error) {
	at := make([]time.Duration, 0, n)
	began := time.Now()
	t := time.NewTicker(every)
	defer t.Stop()
	for len(at) < n {
		<-t.C
		at = append(at, time.Since(began))
	}
	return at, nil
}

// regularity compares the ticks with those of a perfect clock. The difference
// at the end is split into whole ticks, which were missed, and the rest, which
// is drift. Begin and end are medians, because a single tick may be late.
func regularity(c clockwork, quick bool) ([]float64, error) {
	const every, some = time.Millisecond, 50
	runtime.GC()
	at, err := c.ticks(every, int(measureFor(quick)/every))
	if err != nil {
		return nil, err
	}
	var jitter []time.Duration
	var squares float64
	for i := range at[1:] {
		off := at[i+1] - at[i] - every
		jitter = append(jitter, off.Abs())
		squares += inMicros(off) * inMicros(off)
	}
	for i := range at {
		at[i] -= time.Duration(i) * every
	}
	off := medianOf(at[len(at)-some:]) - medianOf(at[:some])
	missed := off.Round(every)
	drift := (off - missed).Abs()
	stddev := math.Sqrt(squares / float64(len(jitter)))
	return []float64{percentiles(jitter)[2], stddev, inMicros(drift), float64(missed / every)}, nil
}

func medianOf(ds []time.Duration) time.Duration {
	ds = slices.Sorted(slices.Values(ds))
	return ds[len(ds)/2]
}

// cost is the CPU time of the process, the kernel's included.
func cost(c clockwork, every time.Duration, quick bool) ([]float64, error) {
	n := int(measureFor(quick) / every)
	runtime.GC()
	began, before := time.Now(), cpuTime()
	at, err := c.ticks(every, n)
	if err != nil {
		return nil, err
	}
	used, took := cpuTime()-before, time.Since(began)
	if len(at) != n {
		return nil, fmt.Errorf("%d ticks of %d", len(at), n)
	}
	return []float64{1000 * used.Seconds() / took.Seconds()}, nil
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
