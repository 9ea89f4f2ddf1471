package evmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// A reader of the Meter may have read the clock before the Meter was made, before a later
// event was observed, or before measuring was paused.
func TestNoSecondIsBusyForLongerThanASecond(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	before := time.Now()
	m := newMeter(l)
	epoch := m.history.epoch
	before = before.Add(-900 * time.Millisecond)
	m.resume(before)
	m.idle = false
	m.account(epoch.Add(2500 * time.Millisecond))
	m.account(epoch.Add(2200 * time.Millisecond))
	m.asked = before.Add(-Linger)
	m.pause(epoch.Add(2800 * time.Millisecond))
	require.Nil(t, m.stop)
	m.resume(epoch.Add(2100 * time.Millisecond))
	m.idle = false
	m.account(epoch.Add(5 * time.Second))
	assert.Equal(t, 5*time.Second, m.busy)
	for _, s := range m.history.last(epoch, epoch.Add(5*time.Second)) {
		assert.Equal(t, time.Second, s.Busy)
	}
	m.stop()
}
