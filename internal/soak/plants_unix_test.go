//go:build unix

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestALostByteIsFound(t *testing.T) {
	s := &stream{open: func() (in, out *os.File, err error) { out, in, err = os.Pipe(); return }}
	r := testRoom(t, func(r *room) (*kind, error) {
		s.room = r
		return &kind{settle: s.owed, free: s.end}, s.begin()
	})
	s.write(newPusher(t))
	s.written++
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "bytes were written, and")
	s.write(newPusher(t))
	iterate(t, r)
	assert.ErrorContains(t, r.tally.err(), "IO: byte")
}

func TestALostSignalIsOwed(t *testing.T) {
	raised := &raising{signal: userSignals[0].signal}
	w := &listener{raised: raised}
	r := testRoom(t, func(r *room) (*kind, error) {
		w.room = r
		w.Signal = ev.NewSignal(r.loop, raised.signal, func(*ev.Signal) {})
		return &kind{settle: w.owed}, nil
	})
	assert.ErrorContains(t, r.owed(), "was raised 1 times, and the last callback was for 0 of them")
	w.seen = raised.times.Load()
	assert.NoError(t, r.owed())
	require.NoError(t, r.tally.err())
}
