package main

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// newPeriodics makes a Periodic and a Scheduler.
func newPeriodics(r *room) (*kind, error) {
	const interval = 10 * time.Millisecond
	slots, asked, called := 0, 0, 0
	p := ev.NewPeriodic(r.loop, 0, interval, func(p *ev.Periodic) {
		slots++
		// In the callback, At is the next slot already.
		if now := r.loop.Now(); !p.At().After(now) || p.At().Add(-interval).After(now) {
			r.fault("Periodic: called at %v, and the next slot is %v", now, p.At())
		}
	})
	p.Start()
	s := ev.NewScheduler(r.loop, func(_ *ev.Scheduler, now time.Time) time.Time {
		asked++
		return now.Add(time.Millisecond + time.Duration(r.rng.IntN(int(20*time.Millisecond))))
	}, func(s *ev.Scheduler) {
		if called++; called >= asked {
			r.fault("Scheduler: called %d times, asked for a moment %d times", called, asked)
		}
		if now := r.loop.Now(); !s.At().After(now) {
			r.fault("Scheduler: called at %v, and the next moment is %v", now, s.At())
		}
	})
	s.Start()
	turn := func() {
		switch r.rng.IntN(4) {
		case 0:
			p.Stop()
			s.Stop()
		case 1:
			p.Reset()
			s.Reset()
		default:
			p.Start()
			s.Start()
		}
	}
	began := -1
	settle := func() error {
		p.Start()
		s.Start()
		if began < 0 {
			began = slots + called
		}
		if slots+called < began+4 {
			return fmt.Errorf("%d calls since the load, waiting for 4", slots+called-began)
		}
		return nil
	}
	return &kind{name: "Periodic", turn: turn, settle: settle}, nil
}
