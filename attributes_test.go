package ev_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestKeepersAreWhatRunWaitsFor(t *testing.T) {
	l := newLoop(t)
	keeps := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
	weak := ev.NewAsync(l, func(*ev.Async) {})
	keeps.Start()
	weak.Start()
	weak.Keep(false)
	assert.Equal(t, []ev.Watcher{keeps}, slices.Collect(l.Keepers()))
	for range l.Keepers() {
		break
	}
	assert.Zero(t, l.ExtraRefs())
	l.Ref()
	assert.Equal(t, 1, l.ExtraRefs())
	l.Unref()
	assert.Len(t, slices.Collect(l.Watchers()), 2)
}

func TestPendingAtCountsByPriority(t *testing.T) {
	l := newLoop(t)
	var all []*ev.Async
	for p := ev.MinPriority; p <= ev.MaxPriority; p++ {
		for range p - ev.MinPriority {
			a := ev.NewAsync(l, func(*ev.Async) {}, ev.Priority(p))
			a.Feed(ev.Custom)
			all = append(all, a)
		}
	}
	for p := ev.MinPriority; p <= ev.MaxPriority; p++ {
		assert.Equal(t, p-ev.MinPriority, l.PendingAt(p))
	}
	all[len(all)-2].Clear()
	assert.Equal(t, 3, l.PendingAt(ev.MaxPriority))
	assert.PanicsWithValue(t, "ev: Loop.PendingAt: no such priority: 3", func() { l.PendingAt(3) })
	l.Invoke()
}

func TestGoroutineIDIsThatOfTheGoroutineInRun(t *testing.T) {
	l := newLoop(t)
	assert.False(t, l.Running())
	assert.Zero(t, l.GoroutineID())
	require.NoError(t, l.Post(func() {
		assert.True(t, l.Running())
		stack := make([]byte, 64)
		assert.Contains(t, string(stack[:runtime.Stack(stack, false)]), "goroutine "+itoa(l.GoroutineID())+" ")
	}))
	run(t, l)
	assert.False(t, l.Running())
	assert.Zero(t, l.GoroutineID())
}

// A loop with requests does not wait, and others must have their turn.
func TestABusyLoopReleasesTheLockInEachIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		released := uint64(0)
		l.SetRelease(func(*ev.Loop) { released++ }, func(*ev.Loop) {})
		busy := ev.NewAsync(l, (*ev.Async).Send)
		busy.Start()
		busy.Send()
		for range 10 {
			nowait(t, l)
		}
		assert.EqualValues(t, 10, released)
		l.SetRelease(nil, nil)
	})
}

// libev's manual describes locking a loop: the goroutine with the lock may start
// watchers of a parked loop. A Send makes the loop use them.
func TestOthersMayStartWatchersWhileTheLockIsReleased(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var mu sync.Mutex
		l.SetRelease(func(*ev.Loop) { mu.Unlock() }, func(*ev.Loop) { mu.Lock() })
		poke := ev.NewAsync(l, func(*ev.Async) {})
		poke.Start()
		go func() {
			untilParked(t, l, 0)
			mu.Lock()
			defer mu.Unlock()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { poke.Stop() }).Start()
			poke.Send()
		}()
		mu.Lock()
		run(t, l)
		mu.Unlock()
		l.SetRelease(nil, nil)
		assert.Panics(t, func() { l.SetRelease(func(*ev.Loop) {}, nil) })
	})
}
