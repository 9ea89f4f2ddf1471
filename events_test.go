package ev_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

func TestConstantsHaveLibevsNumbers(t *testing.T) {
	for events, number := range map[ev.Events]uint32{
		ev.None: 0, ev.Read: 1, ev.Write: 2, ev.TimerEvent: 0x100, ev.PeriodicEvent: 0x200,
		ev.SignalEvent: 0x400, ev.ChildEvent: 0x800, ev.StatEvent: 0x1000, ev.IdleEvent: 0x2000,
		ev.PrepareEvent: 0x4000, ev.CheckEvent: 0x8000, ev.EmbedEvent: 0x10000, ev.CleanupEvent: 0x40000,
		ev.AsyncEvent: 0x80000, ev.Custom: 0x1000000, ev.Error: 0x80000000,
	} {
		assert.Equal(t, number, uint32(events), events.String())
	}
	assert.Equal(t, [2]int{-2, 2}, [2]int{ev.MinPriority, ev.MaxPriority})
	assert.EqualValues(t, 4, ev.BackendEpoll)
	assert.EqualValues(t, 8, ev.BackendKqueue)
	assert.Equal(t, "Read|Write|0x4", (ev.Read | ev.Write | 4).String())
	assert.Equal(t, "None", ev.None.String())
}
