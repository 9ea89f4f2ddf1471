package ev_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// dropChains prepares and drops 50 chains of n loops. It requires that all are
// collected.
func dropChains(t *testing.T, n int, prepare func(t *testing.T, loops []*ev.Loop, embeds []*ev.Embed)) {
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			var ids []uint64
			dropLoops(t, 50, func(outermost *ev.Loop) {
				loops, embeds := []*ev.Loop{outermost}, []*ev.Embed(nil)
				for i := range n - 1 {
					l, err := ev.New(ev.WithBackend(backend))
					require.NoError(t, err)
					ids = append(ids, l.ID())
					loops, embeds = append(loops, l), append(embeds, embed(t, loops[i], l))
				}
				prepare(t, loops, embeds)
			}, ev.WithBackend(backend))
			requireCollected(t, ids)
		})
	}
}

// requireCollected requires that the loops with these numbers are collected.
func requireCollected(t *testing.T, ids []uint64) {
	t.Helper()
	for deadline := time.Now().Add(patience); slices.ContainsFunc(ids, listed) && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	assert.Empty(t, slices.DeleteFunc(ids, func(id uint64) bool { return !listed(id) }))
}

// parkAll runs the outermost loop until all loops have parked.
func parkAll(t *testing.T, loops []*ev.Loop) {
	for slices.ContainsFunc(loops, func(l *ev.Loop) bool { return l.Stats().Parks == 0 }) {
		ev.NewTimer(loops[len(loops)-1], time.Millisecond, 0, func(*ev.Timer) { loops[0].Stop() }).Start()
		run(t, loops[0])
	}
}

func TestDroppedHostsAndEmbeddedLoopsLeaveNoGoroutineBehind(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, loops []*ev.Loop, embeds []*ev.Embed){
		"that parked": func(t *testing.T, loops []*ev.Loop, _ []*ev.Embed) { parkAll(t, loops) },
		"with work":   func(t *testing.T, loops []*ev.Loop, _ []*ev.Embed) { parkAll(t, loops); loops[1].Post(func() {}) },
		"of which the last was closed": func(t *testing.T, loops []*ev.Loop, _ []*ev.Embed) {
			parkAll(t, loops)
			assert.NoError(t, loops[len(loops)-1].Close())
		},
		"of which the first was closed": func(t *testing.T, loops []*ev.Loop, _ []*ev.Embed) {
			parkAll(t, loops)
			assert.NoError(t, loops[0].Close())
		},
		"that were taken apart": func(t *testing.T, loops []*ev.Loop, embeds []*ev.Embed) {
			parkAll(t, loops)
			embeds[0].Stop()
		},
		"after a panic": func(t *testing.T, loops []*ev.Loop, _ []*ev.Embed) {
			parkAll(t, loops)
			dueNow(loops[len(loops)-1], func(*ev.Timer) { panic("embedded") })
			assert.PanicsWithValue(t, "embedded", func() { loops[0].Run(t.Context()) })
		},
	} {
		t.Run("pairs "+name, func(t *testing.T) { dropChains(t, 2, prepare) })
		t.Run("chains "+name, func(t *testing.T) { dropChains(t, 4, prepare) })
	}
}

// A host has one goroutine for each embedded loop that it waits for, and none for a
// loop that it has released.
func TestAHostThatLetsGoOfItsEmbeddedLoopsKeepsNone(t *testing.T) {
	host := newLoop(t)
	var ids []uint64
	dropLoops(t, 20, func(embedded *ev.Loop) {
		e := embed(t, host, embedded)
		ev.NewTimer(embedded, time.Millisecond, 0, func(*ev.Timer) { host.Stop() }).Start()
		run(t, host)
		e.Stop()
		ids = append(ids, embedded.ID())
	})
	assert.Zero(t, host.Active())
	requireCollected(t, ids)
}
