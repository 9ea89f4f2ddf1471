package main

import (
	"fmt"
	"time"

	"github.com/goevlib/ev"
)

// alarm is a Timer that checks that it is called, and never early.
type alarm struct {
	*ev.Timer
	room *room
	due  time.Time
}

func newAlarm(r *room) *alarm {
	a := &alarm{room: r}
	a.Timer = ev.NewTimer(r.loop, 0, 0, a.call, ev.Priority(ev.MinPriority+r.rng.IntN(5)))
	return a
}

func (a *alarm) call(*ev.Timer) {
	if early := time.Until(a.due); early > 0 {
		a.room.fault("Timer: %v early", early)
	}
	if now := a.room.loop.Now(); now.Before(a.due) {
		a.room.fault("Timer: %v early by Loop.Now", a.due.Sub(now))
	}
	if repeat := a.Repeat(); repeat > 0 {
		a.due = a.due.Add(repeat) // at the earliest: missed ticks are not replayed
	}
}

func (a *alarm) turn() {
	rng := a.room.rng
	switch {
	case a.Active() && a.Repeat() > 0 && rng.IntN(2) == 0:
		a.Reset()
		a.due = a.room.loop.Now().Add(a.Repeat())
	case a.Active():
		a.Stop()
	default:
		a.Stop() // an expired Timer may still be pending
		after, repeat := time.Duration(rng.IntN(int(40*time.Millisecond))), time.Duration(0)
		if rng.IntN(2) == 0 {
			repeat = time.Millisecond + time.Duration(rng.IntN(int(20*time.Millisecond)))
		}
		if err := a.Set(after, repeat); err != nil {
			a.room.fault("%w", err)
		}
		a.Start()
		a.due = a.room.loop.Now().Add(after)
	}
}

func newTimers(r *room) (*kind, error) {
	const alarms, each = 64, 8
	var all []*alarm
	for range alarms {
		all = append(all, newAlarm(r))
	}
	return &kind{
		name: "Timer",
		turn: func() {
			for range each {
				all[r.rng.IntN(alarms)].turn()
			}
		},
		settle: func() error {
			for _, a := range all {
				if a.Active() && a.Repeat() == 0 {
					return fmt.Errorf("one that is due in %v has not come", a.Remaining())
				}
			}
			return nil
		},
	}, nil
}
