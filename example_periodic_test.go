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

// daily is a next function for every day at a time by the clocks of a place.
//
// In a night in which those clocks go forward over the time, it is as much later as
// they go forward. In a night in which they go back and show the time twice, it is
// one of the two.
func daily(place *time.Location, hour, minute int) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time {
		year, month, day := now.In(place).Date()
		for day--; ; day++ { // time.Date knows the months: there are days 0 and 32
			at := time.Date(year, month, day, hour, minute, 0, 0, place)
			wanted := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
			shown := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
			if early := wanted.Sub(shown); early > 0 { // the clocks never show the time
				at = at.Add(early)
			}
			if at.After(now) {
				return at
			}
		}
	}
}

// Half past two in the morning, in local time, every day: also on a day that has
// no half past two. With CatchUp, a backup that the machine slept over is made when
// it wakes.
func ExampleScheduler_daily() {
	loop, _ := ev.New()
	defer loop.Close()
	backup := ev.NewScheduler(loop, daily(time.Local, 2, 30), func(*ev.Scheduler) {
		fmt.Println("backup")
	}, ev.CatchUp(true))
	backup.Start()
	fmt.Println("within a day:", backup.At().Sub(loop.Now()) <= 25*time.Hour)
	// Output: within a day: true
}

// Slots that the clock jumps over are one callback with CatchUp, and none without:
// here, those inside a Suspend and Resume.
func ExampleCatchUp() {
	loop, _ := ev.New()
	defer loop.Close()
	const interval = 10 * time.Millisecond
	ev.NewPeriodic(loop, 0, interval, func(*ev.Periodic) { fmt.Println("catches up") }, ev.CatchUp(true)).Start()
	loop.Suspend()
	time.Sleep(5 * interval) // SIGTSTP, say
	loop.Resume()
	loop.RunNoWait()
	// Output: catches up
}
