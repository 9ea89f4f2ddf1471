package ev_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTheDefaultLoopIsOneUntilItIsClosed(t *testing.T) {
	for range 3 {
		l, err := ev.Default()
		require.NoError(t, err)
		same, err := ev.Default()
		require.NoError(t, err)
		assert.Same(t, l, same)
		ticks := 0
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { ticks++ }).Start()
		run(t, l)
		assert.Equal(t, 1, ticks)
		require.NoError(t, l.Close())
	}
}

func TestWatchersYieldsTheActiveOnes(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		b := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		c := ev.NewIdle(l, func(*ev.Idle) {})
		a.Start()
		b.Start()
		got := slices.Collect(l.Watchers())
		assert.ElementsMatch(t, []ev.Watcher{a, b}, got)
		assert.NotContains(t, got, c)
		for range l.Watchers() {
			break
		}
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
