package ev_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestALoopHasATimerfdOnceATimerIsNear(t *testing.T) {
	for _, mode := range []ev.Wakeup{ev.WakeWrite, ev.WakeDirect} {
		l := newLoop(t, ev.WithBackend(ev.BackendEpoll), ev.WithWakeup(mode))
		before := openDescriptors()
		far := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		far.Start()
		a := ev.NewAsync(l, func(*ev.Async) { l.Stop() })
		a.Start()
		for range 10 {
			parks := l.Stats().Parks
			go func() { untilParked(t, l, parks); a.Send() }()
			run(t, l)
		}
		assert.Zero(t, timerfds(t), "an hour")
		assert.Zero(t, l.Stats().TimerfdSets)
		assert.LessOrEqual(t, openDescriptors(), before)

		near := ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { l.Stop() })
		near.Start()
		parkFirst(t, l)
		run(t, l)
		assert.Equal(t, 1, timerfds(t))
		require.NoError(t, l.Close())
		assert.Zero(t, timerfds(t))
	}
}

func TestTheTimerfdIsSetOncePerChangeOfTheEarliestDeadline(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	const span = 9 * time.Millisecond
	fired := false
	w := ev.NewTimer(l, span, 0, func(*ev.Timer) { fired = true })
	later := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
	later.Start()
	wakes := 0
	a := ev.NewAsync(l, func(*ev.Async) { wakes++; later.Reset(); later.Start() })
	a.Start()
	w.Start()
	for !fired {
		parks := l.Stats().Parks
		var over atomic.Bool // this round need not have parked
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for l.Stats().Parks == parks && !over.Load() {
				time.Sleep(50 * time.Microsecond)
			}
			a.Send()
		}()
		once(t, l)
		over.Store(true)
		<-sent
	}
	t.Log(wakes, "wakes before the timer")
	assert.LessOrEqual(t, l.Stats().TimerfdSets, uint64(1))
}

func TestAFarTimerEndsByTheTimerfdToo(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	before := l.Iteration()
	start := l.Now() // the timer counts from here
	ev.NewTimer(l, 40*time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
	run(t, l)
	assert.GreaterOrEqual(t, time.Since(start), 40*time.Millisecond)
	assert.Equal(t, uint64(1), l.Iteration()-before, "what is before the last stretch is no iteration")
	assert.LessOrEqual(t, l.Stats().TimerfdSets, uint64(1))
}

func TestNoTimerIsEarlyWithATimerfd(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	left := 200
	for range left {
		span := time.Duration(rand.Int64N(int64(60 * time.Millisecond)))
		due := time.Now().Add(span) // Now is older: the timer must not be
		l.Update()
		ev.NewTimer(l, span, 0, func(*ev.Timer) {
			assert.False(t, time.Now().Before(due))
			left--
		}).Start()
	}
	run(t, l)
	assert.Zero(t, left)
}

func TestTimersRunWithoutDescriptorsForATimerfd(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	ticks := 0
	w := ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
		if ticks++; ticks == 3 {
			w.Stop()
		}
	})
	parkFirst(t, l)
	withoutDescriptors(t, func() {
		w.Start()
		run(t, l)
	})
	assert.Equal(t, 3, ticks)
	assert.Zero(t, l.Stats().TimerfdSets)
	assert.Zero(t, timerfds(t))

	ticks = 0
	w.Start()
	run(t, l)
	assert.Equal(t, 3, ticks)
	assert.Zero(t, timerfds(t), "it does not try again")
}

// IO and timers share a set. Neither may hide the other's events.
func TestIOAndNearTimersTogether(t *testing.T) {
	for _, first := range []string{"io", "timer"} {
		t.Run(first+" first", func(t *testing.T) {
			l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
			ticks, reads := 0, 0
			tick := ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) { ticks++ })
			mine, peer := socketpair(t)
			read := ev.NewIO(l, mine, ev.Read, func(*ev.IO, ev.Events) { reads++; drain(t, mine) })
			if first == "timer" {
				tick.Start()
				until(t, l, func() bool { return ticks > 2 })
			}
			require.NoError(t, read.Start())
			tick.Start()
			until(t, l, func() bool { return ticks > 5 })
			assert.Zero(t, reads)
			for want := range 50 {
				write(t, peer, "x")
				until(t, l, func() bool { return reads > want })
			}
			assert.Equal(t, 50, reads)
			tick.Stop()
			parks := l.Stats().Parks
			go func() { untilParked(t, l, parks); l.Stop() }()
			run(t, l) // and it does not spin
			assert.NoError(t, l.Verify())
		})
	}
}

// If every processor is busy, no goroutine polls for up to 10 ms. The timerfd is late
// then; the deadline is not.
func TestTimersTickWithEveryProcessorBusy(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	var over atomic.Bool
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() {
			for !over.Load() {
				runtime.Gosched()
			}
		}()
	}
	defer over.Store(true)
	ticks := 0
	w := ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) { ticks++ })
	w.Start()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	theirs := make(chan int)
	go func() {
		n, ticker := 0, time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				n++
			case <-ctx.Done():
				theirs <- n
				return
			}
		}
	}()
	require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
	assert.Greater(t, 3*ticks, receive(t, theirs), "the runtime's own see up to 500, and polling alone would see 50")
}

func TestTheTimerfdIsInARebuiltSet(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	tick := ev.NewTimer(l, 0, 0, func(*ev.Timer) {})
	for parks := l.Stats().Parks; l.Stats().Parks == parks; { // a loop that is late does not park
		tick.Arm(time.Millisecond)
		run(t, l)
	}
	const own = 2 // the eventfd and the timerfd
	require.Equal(t, own, inSet(t))

	a, b := socketpair(t)
	startIO(t, l, b, ev.Read, func(*ev.IO, ev.Events) {})
	w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {})
	nowait(t, l)
	dup, err := syscall.Dup(a)
	require.NoError(t, err)
	defer syscall.Close(dup)
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	require.NoError(t, err)
	defer syscall.Close(null)
	require.NoError(t, syscall.Dup3(null, a, 0)) // the set still reports the old file of a
	w.Stop()
	nowait(t, l)
	require.Equal(t, own+2, inSet(t))
	write(t, b, "x")
	nowait(t, l)
	nowait(t, l)
	assert.Equal(t, own+1, inSet(t), "a new set, without the dup")
}

// inSet returns the number of descriptors in the loop's epoll set: that with wakeMark, which is
// the first half of eight bytes.
func inSet(t *testing.T) (n int) {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	require.NoError(t, err)
	for _, name := range infos {
		info, _ := os.ReadFile(name)
		watched := strings.Count(string(info), "tfd:")
		if strings.Contains(string(info), "data:         ffffffff") || strings.Contains(string(info), "data: ffffffff00000000") {
			n = watched
		}
	}
	return n
}
