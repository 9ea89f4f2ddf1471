package main

import "github.com/goevlib/ev"

// newHooks verifies the loop in each iteration, in a Prepare and a Check. Now and then
// an Idle keeps it busy. At the end a Cleanup must be called, once.
func newHooks(r *room) (*kind, error) {
	l := r.loop
	prepares, checks, left := uint64(0), uint64(0), 0
	prepare := ev.NewPrepare(l, func(*ev.Prepare) { prepares++ })
	check := ev.NewCheck(l, func(*ev.Check) {
		checks++
		if prepares != checks || checks != l.Iteration() {
			r.fault("%d Prepares and %d Checks in %d iterations", prepares, checks, l.Iteration())
		}
		if err := l.Verify(); err != nil {
			r.fault("Verify: %w", err)
		}
	}, ev.Priority(ev.MaxPriority))
	idle := ev.NewIdle(l, func(w *ev.Idle) {
		if left--; left <= 0 {
			w.Stop()
		}
	}, ev.Priority(ev.MinPriority))
	cleanups := 0
	cleanup := ev.NewCleanup(l, func(*ev.Cleanup) { cleanups++ })
	prepare.Start()
	check.Start()
	cleanup.Start()
	return &kind{
		name: "hooks",
		turn: func() {
			left = 1 + r.rng.IntN(32)
			idle.Start()
		},
		free: func() {
			if cleanups != 1 {
				r.fault("%d Cleanups", cleanups)
			}
		},
	}, nil
}
