package main

import (
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// embedded is a loop inside the room's loop, with an Async and a Timer. It is verified
// in each of its iterations. Now and then another loop takes its place.
type embedded struct {
	room  *room
	embed *ev.Embed
	async atomic.Pointer[counted]
}

func newEmbeds(r *room) (*kind, error) {
	e := &embedded{room: r}
	if err := e.open(); err != nil {
		return nil, err
	}
	return &kind{
		name: "Embed",
		load: func(*pusher) {
			c := e.async.Load()
			c.send(c.Send)
		},
		turn:   e.turn,
		settle: e.owed,
		free:   e.close,
	}, nil
}

func (e *embedded) open() error {
	all := flavours()
	f := all[e.room.rng.IntN(len(all))]
	inner, err := ev.New(ev.WithBackend(f.backend), ev.WithWakeup(f.mode))
	if err != nil {
		return err
	}
	check := ev.NewCheck(inner, func(*ev.Check) {
		if err := inner.Verify(); err != nil {
			e.room.fault("Verify of an embedded loop: %w", err)
		}
	}, ev.Priority(ev.MaxPriority))
	check.Start()
	tick := ev.NewTimer(inner, 0, 5*time.Millisecond, func(*ev.Timer) {})
	tick.Start()
	e.embed = ev.NewEmbed(e.room.loop, inner, nil)
	e.async.Store(newCounted(e.room, inner))
	if err := e.embed.Start(); err != nil {
		e.close()
		return err
	}
	return nil
}

func (e *embedded) close() {
	if err := e.embed.Other().Close(); err != nil {
		e.room.fault("Close of an embedded loop: %w", err)
	}
}

func (e *embedded) turn() {
	switch e.room.rng.IntN(8) {
	case 0:
		e.embed.Stop()
		e.close()
		e.start(e.open)
	case 1:
		e.embed.Stop()
	default:
		e.start(e.embed.Start)
	}
}

func (e *embedded) start(start func() error) { e.room.refused(start()) }

func (e *embedded) owed() error {
	e.start(e.embed.Start)
	return e.async.Load().owed()
}
