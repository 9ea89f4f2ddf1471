package ev_test

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

func TestLoopsAreListedUntilTheyAreClosed(t *testing.T) {
	a, b := newLoop(t), newLoop(t)
	assert.Less(t, a.ID(), b.ID())
	all := ev.Loops()
	assert.Contains(t, all, a)
	assert.Contains(t, all, b)
	assert.True(t, slices.IsSortedFunc(all, func(a, b *ev.Loop) int { return int(a.ID()) - int(b.ID()) }))
	require.NoError(t, a.Close())
	assert.NotContains(t, ev.Loops(), a)
	assert.Contains(t, ev.Loops(), b)
}

// listed reports whether Loops has a loop with this number.
func listed(id uint64) bool {
	return slices.ContainsFunc(ev.Loops(), func(l *ev.Loop) bool { return l.ID() == id })
}

func TestTheListKeepsNoLoopAlive(t *testing.T) {
	id := func() uint64 {
		l, err := ev.New(ev.WithBackend(ev.BackendChan)) // it has no descriptor that would leak
		require.NoError(t, err)
		return l.ID()
	}()
	for range 100 {
		runtime.GC()
		if !listed(id) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	assert.Fail(t, "a loop that was dropped is listed still")
}

// dropLoops prepares n loops and drops them without Close. It waits until they are
// collected and the process has as many descriptors and goroutines as before. The
// resources of a loop must not keep it alive.
func dropLoops(t *testing.T, n int, prepare func(l *ev.Loop), opts ...ev.LoopOption) {
	t.Helper()
	before := leak.Look()
	var ids []uint64
	for range n {
		l, err := ev.New(opts...)
		require.NoError(t, err)
		prepare(l)
		ids = append(ids, l.ID())
	}
	for deadline := time.Now().Add(patience); slices.ContainsFunc(ids, listed) && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	listedStill := slices.DeleteFunc(ids, func(id uint64) bool { return !listed(id) })
	assert.Empty(t, listedStill, "loops that nothing refers to are listed")
	assert.NoError(t, leak.Since(before, patience, runtime.GC))
}

func TestDroppedLoopsFreeWhatTheyHold(t *testing.T) {
	for name, prepare := range map[string]func(l *ev.Loop){
		"nothing": func(*ev.Loop) {},
		"a timer that the loop has waited for": func(l *ev.Loop) {
			ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
			run(t, l)
		},
		"a Periodic": func(l *ev.Loop) {
			ev.NewPeriodic(l, 0, time.Hour, func(*ev.Periodic) {}).Start()
			nowait(t, l)
		},
		"an Async that was sent, and a post": func(l *ev.Loop) {
			a := ev.NewAsync(l, func(*ev.Async) {})
			a.Start()
			a.Send()
			require.NoError(t, l.Post(func() {}))
		},
	} {
		t.Run(name, func(t *testing.T) { dropLoops(t, 20, prepare) })
	}
}

func TestDroppedLoopsFreeTheDescriptorsTheyWatch(t *testing.T) {
	if !slices.Contains(ev.SupportedBackends(), ev.BackendEpoll) && !slices.Contains(ev.SupportedBackends(), ev.BackendKqueue) {
		t.Skip("no backend with descriptors")
	}
	dropLoops(t, 20, func(l *ev.Loop) {
		r, _, err := os.Pipe()
		require.NoError(t, err)
		w := ev.NewConnIO(l, r, ev.Read, func(*ev.IO, ev.Events) {})
		require.NoError(t, w.Start())
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		file, err := a.Notifier()
		require.NoError(t, err)
		require.NoError(t, file.Close())
		nowait(t, l)
	})
}

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
