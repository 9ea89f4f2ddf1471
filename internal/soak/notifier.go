package main

import (
	"encoding/binary"
	"errors"
)

// newNotifiers makes an Async that gets its sends by a descriptor.
func newNotifiers(r *room) (*kind, error) {
	c := newCounted(r, r.loop)
	file, err := c.Notifier()
	if errors.Is(err, errors.ErrUnsupported) {
		c.Stop()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	write := func() {
		// A loop that is closed leaves a pipe without a reader.
		if _, err := file.Write(one); err != nil && !r.closing.Load() {
			r.fault("Notifier: %w", err)
		}
	}
	return &kind{
		name:   "Notifier",
		load:   func(*pusher) { c.send(write) },
		turn:   c.toggle,
		settle: c.owed,
		free:   func() { file.Close() },
	}, nil
}
