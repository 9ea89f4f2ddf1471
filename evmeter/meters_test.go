package evmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestWalksOverAllLoopsAreFewHoweverManyLoopsCome(t *testing.T) {
	now, walks, u := time.Now(), 0, upkeep{}
	for meters := range 100_000 {
		if u.due(now, meters) {
			walks++
			u = upkeep{done: now, left: meters}
		}
	}
	assert.Equal(t, 12, walks, "at 0, and at 64 doubled again and again")
	assert.False(t, u.due(now.Add(upkeepEvery-1), u.left))
	assert.True(t, u.due(now.Add(upkeepEvery), u.left))
}

func TestTheMeterOfAClosedLoopIsLetGoAtALaterOnOfAnother(t *testing.T) {
	kept, err := ev.New()
	require.NoError(t, err)
	defer kept.Close()
	closed, err := ev.New()
	require.NoError(t, err)
	s := shelf{meters: make(map[uint64]*Meter)}
	now := time.Now()
	m := s.of(kept, now)
	s.of(closed, now)
	require.NoError(t, closed.Close())
	assert.Same(t, m, s.of(kept, now.Add(upkeepEvery)))
	assert.Len(t, s.meters, 1)
}

// A call to an observer may be in progress when it is stopped.
func TestWhatTheLoopTellsAfterMeasuringHasEndedIsNotCounted(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	now, w := time.Now(), ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	m := newMeter(l)
	m.resume(now)
	m.pause(now.Add(Linger))
	m.expired(w, now, now)
	m.idle = false
	m.account(now.Add(2 * Linger))
	assert.Empty(t, m.due)
	assert.Zero(t, m.busy)
}
