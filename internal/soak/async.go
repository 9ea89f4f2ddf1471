package main

import "errors"

// newAsyncs makes Asyncs. Half of them are never stopped.
func newAsyncs(r *room) (*kind, error) {
	const asyncs = 16
	var all []*counted
	for range asyncs {
		all = append(all, newCounted(r, r.loop))
	}
	return &kind{
		name: "Async",
		load: func(p *pusher) {
			c := all[p.rng.IntN(asyncs)]
			c.send(c.Send)
		},
		turn: func() { all[r.rng.IntN(asyncs/2)].toggle() },
		settle: func() error {
			var errs []error
			for _, c := range all {
				errs = append(errs, c.owed())
			}
			return errors.Join(errs...)
		},
	}, nil
}
