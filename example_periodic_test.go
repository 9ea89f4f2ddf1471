package ev_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// Slots are counted from the Unix epoch, not from Start: these are the hundredths
// of each second of the clock.
func ExamplePeriodic() {
	loop, _ := ev.New()
	defer loop.Close()
	const interval = 10 * time.Millisecond
	ticks := 0
	tick := ev.NewPeriodic(loop, 0, interval, func(p *ev.Periodic) {
		fmt.Println("on a slot:", p.At().UnixNano()%int64(interval) == 0)
		if ticks++; ticks == 3 {
			p.Stop()
		}
	})
	tick.Start()
	if err := loop.Run(context.Background()); err != nil {
		panic(err)
	}
	// Output:
	// on a slot: true
	// on a slot: true
	// on a slot: true
}

// An interval of 0 is a single moment; one in the past is due at once.
func ExampleNewPeriodic_absolute() {
	loop, _ := ev.New()
	defer loop.Close()
	launch := time.Date(2020, 5, 30, 19, 22, 45, 0, time.UTC)
	ev.NewPeriodic(loop, time.Duration(launch.UnixNano()), 0, func(p *ev.Periodic) {
		fmt.Println("launched", p.At().UTC().Format(time.DateTime))
	}).Start()
	loop.RunNoWait()
	// Output: launched 2020-05-30 19:22:45
}

// The function computes each moment from the time now. The zero time says that
// there is no other.
func ExampleScheduler() {
	loop, _ := ev.New()
	defer loop.Close()
	start := loop.Now()
	double := func(_ *ev.Scheduler, now time.Time) time.Time {
		for wait := 5 * time.Millisecond; wait < 30*time.Millisecond; wait *= 2 {
			if at := start.Add(wait); at.After(now) {
				return at
			}
		}
		return time.Time{}
	}
	ev.NewScheduler(loop, double, func(s *ev.Scheduler) {
		if !s.Active() { // double had no more moments
			fmt.Println("that was the last one")
		}
	}).Start()
	if err := loop.Run(context.Background()); err != nil {
		panic(err)
	}
	// Output:
	// that was the last one
}

// Half past two in the morning, in local time, every day: also on the days of 23
// and 25 hours, for which time.Date has an answer.
func ExampleScheduler_daily() {
	loop, _ := ev.New()
	defer loop.Close()
	daily := func(_ *ev.Scheduler, now time.Time) time.Time {
		y, m, d := now.Date()
		at := time.Date(y, m, d, 2, 30, 0, 0, time.Local)
		if !at.After(now) {
			at = time.Date(y, m, d+1, 2, 30, 0, 0, time.Local)
		}
		return at
	}
	backup := ev.NewScheduler(loop, daily, func(*ev.Scheduler) { fmt.Println("backup") })
	backup.Start()
	fmt.Println("within a day:", backup.At().Sub(loop.Now()) <= 25*time.Hour)
	// Output: within a day: true
}
