package evmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestSweepsAreFewHoweverManyLoopsCome(t *testing.T) {
	now, sweeps, last := time.Now(), 0, sweep{}
	for meters := range 100_000 {
		if last.due(now, meters) {
			sweeps++
			last = sweep{done: now, left: meters}
		}
	}
	assert.Equal(t, 12, sweeps, "at 0, and at 64 doubled again and again")
	assert.False(t, last.due(now.Add(sweepEvery-1), last.left))
	assert.True(t, last.due(now.Add(sweepEvery), last.left))
}

func TestTheMeterOfAClosedLoopIsDroppedAtALaterOnOfAnother(t *testing.T) {
	kept, err := ev.New()
	require.NoError(t, err)
	defer kept.Close()
	closed, err := ev.New()
	require.NoError(t, err)
	r := registry{meters: make(map[uint64]*Meter)}
	now := time.Now()
	m := r.of(kept, now)
	r.of(closed, now)
	require.NoError(t, closed.Close())
	assert.Same(t, m, r.of(kept, now.Add(sweepEvery)))
	assert.Len(t, r.meters, 1)
}

// A call to an observer may be in progress when it is stopped.
func TestEventsAfterThePauseAreNotCounted(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	now, w := time.Now(), ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	m := newMeter(l)
	m.resume(now)
	m.pause(now.Add(Linger))
	m.due(w, now, now)
	m.idle = false
	m.account(now.Add(2 * Linger))
	assert.Zero(t, m.late)
	assert.Zero(t, m.busy)
}
