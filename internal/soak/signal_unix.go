//go:build unix

package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/goevlib/ev"
)

// userSignals are raised by any room and watched by all rooms.
var userSignals = [...]*raising{{signal: syscall.SIGUSR1}, {signal: syscall.SIGUSR2}}

type raising struct {
	signal syscall.Signal
	times  atomic.Int64 // counted before the signal is sent
}

func (s *raising) raise() (n int64, err error) {
	n = s.times.Add(1)
	return n, syscall.Kill(os.Getpid(), s.signal)
}

// keepFromSignals catches the signals while no room watches them: they would end the
// process.
func keepFromSignals() (stop func()) {
	c := make(chan os.Signal, 1)
	for _, s := range userSignals {
		signal.Notify(c, s.signal)
	}
	return func() { signal.Stop(c) }
}

// listener is a Signal that notes the number of signals raised before its last
// callback.
type listener struct {
	*ev.Signal
	room   *room
	raised *raising
	seen   int64
	last   int64 // the number that settle has raised; 0 before
}

func newSignals(r *room) (*kind, error) {
	var all []*listener
	for _, s := range userSignals {
		w := &listener{room: r, raised: s}
		w.Signal = ev.NewSignal(r.loop, s.signal, func(*ev.Signal) { w.seen = s.times.Load() })
		if err := w.Start(); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return &kind{
		name: "Signal",
		load: func(p *pusher) {
			if p.one(64) { // one signal wakes every room
				if _, err := userSignals[p.rng.IntN(len(userSignals))].raise(); err != nil {
					r.fault("kill: %w", err)
				}
			}
		},
		turn: func() { all[r.rng.IntN(len(all))].toggle() },
		settle: func() error {
			for _, w := range all {
				if err := w.owed(); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

func (w *listener) toggle() {
	if w.Active() {
		w.Stop()
	} else {
		w.room.refused(w.Start())
	}
}

func (w *listener) owed() (err error) {
	w.room.refused(w.Start())
	if w.last == 0 {
		if w.last, err = w.raised.raise(); err != nil {
			return err
		}
	}
	if w.seen < w.last {
		return fmt.Errorf("%v was raised %d times, and the last callback was for %d of them", w.raised.signal, w.last, w.seen)
	}
	return nil
}
