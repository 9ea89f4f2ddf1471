package ev_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// A sender adds to a counter and sends, and the callback reads the counter. When
// nothing is left to do, the last callback must have read the last value. Nearly all
// sends find a request outstanding.
func TestNoUpdateIsMissed(t *testing.T) {
	const senders, rounds = 4, 20_000
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var mu sync.Mutex
		var underLock, seenUnderLock int
		var atomically atomic.Int64
		var seenAtomically int64
		callbacks, sends := 0, senders*rounds
		a := ev.NewAsync(l, func(a *ev.Async) {
			callbacks++
			mu.Lock()
			seenUnderLock = underLock
			mu.Unlock()
			seenAtomically = atomically.Load()
			if seenUnderLock == sends && seenAtomically == int64(sends) {
				a.Stop()
			}
		})
		a.Start()
		for range senders {
			go func() {
				for range rounds {
					mu.Lock()
					underLock++
					mu.Unlock()
					a.Send()
					atomically.Add(1)
					a.Send()
				}
			}()
		}
		run(t, l) // ends when the last value was read
		assert.LessOrEqual(t, callbacks, 2*sends)
	})
}

// Sends that never coalesce hand over plain data. The race detector checks that a Send
// synchronizes before its callback.
func TestPingPongHandsPlainDataOver(t *testing.T) {
	const rounds = 5_000
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		m := newLoop(t, ev.WithBackend(l.Backend()))
		ball := 0
		var ping, pong *ev.Async
		ping = ev.NewAsync(l, func(a *ev.Async) {
			ball++
			if ball >= 2*rounds {
				a.Stop()
			}
			pong.Send()
		})
		pong = ev.NewAsync(m, func(a *ev.Async) {
			ball++
			if ball >= 2*rounds {
				a.Stop()
			}
			ping.Send()
		})
		ping.Start()
		pong.Start()
		ping.Send()
		ended := make(chan struct{})
		go func() { run(t, m); close(ended) }()
		run(t, l)
		receive(t, ended)
		assert.GreaterOrEqual(t, ball, 2*rounds)
		for _, s := range []ev.Stats{l.Stats(), m.Stats()} {
			assert.LessOrEqual(t, s.FDWrites+s.DirectWakes, s.Parks, "at most one wake-up per park")
			assert.LessOrEqual(t, s.Callbacks, uint64(rounds+1), "no extra callback")
		}
	})
}

func TestABusyLoopIsNeverWrittenTo(t *testing.T) {
	const senders, rounds = 8, 10_000
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var running sync.WaitGroup
		var over atomic.Bool
		calls := 0
		busy := ev.NewAsync(l, func(a *ev.Async) {
			if over.Load() && calls > 0 { // the last send may not be collected yet
				l.Stop()
			}
			a.Send() // the loop has something to do in every iteration
		})
		other := ev.NewAsync(l, func(*ev.Async) { calls++ })
		busy.Start()
		other.Start()
		busy.Send()
		running.Add(senders)
		for range senders {
			go func() {
				defer running.Done()
				for range rounds {
					other.Send()
				}
			}()
		}
		go func() { running.Wait(); over.Store(true) }()
		run(t, l)
		s := l.Stats()
		assert.Zero(t, s.FDWrites)
		assert.Zero(t, s.DirectWakes)
		assert.Zero(t, s.Parks)
		assert.Positive(t, calls)
	})
}

// One sender races with one park. Both pause for a random time before. After a lost
// wake-up the sender would wait for ever.
func TestNoWakeUpIsLost(t *testing.T) {
	rounds := 100_000
	if testing.Short() || raceEnabled {
		rounds = 10_000
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var answers atomic.Int64
		a := ev.NewAsync(l, func(*ev.Async) { answers.Add(1) })
		a.Start()
		// Every second park has a deadline: deadlines must race too.
		tick := ev.NewTimer(l, 0, time.Millisecond, func(*ev.Timer) {})
		start(t, l)
		onLoop(t, l, tick.Start)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range rounds {
			spin(r.IntN(200))
			before := answers.Load()
			a.Send()
			for began := time.Now(); answers.Load() == before; {
				runtime.Gosched()
				if time.Since(began) > patience {
					require.FailNow(t, "lost wake-up", "round %d, %+v", i, l.Stats())
				}
			}
		}
		onLoop(t, l, tick.Stop)
		s := l.Stats()
		assert.LessOrEqual(t, s.FDWrites+s.DirectWakes, s.Parks)
	})
}

func spin(n int) {
	for range n {
		spun.Add(1)
	}
}

var spun atomic.Int64

func TestSendDoesNotBlockWhileTheLoopIsStuck(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		stuck, free := make(chan struct{}), make(chan struct{})
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		start(t, l)
		require.NoError(t, l.Post(func() { close(stuck); <-free }))
		receive(t, stuck)
		for range 1000 {
			a.Send()
			require.NoError(t, l.Post(func() {}))
			_ = l.Stats()
		}
		l.Stop() // all of these returned although the loop is stuck
		close(free)
	})
}

func TestNoCallbackBeginsAfterStopReturned(t *testing.T) {
	needsThreads(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		stopped := true
		a := ev.NewAsync(l, func(*ev.Async) { assert.False(t, stopped, "called while stopped") })
		rounds, deadline := 0, time.Now().Add(3*time.Second) // the senders take the processors
		toggle := ev.NewAsync(l, func(w *ev.Async) {
			if stopped = !stopped; stopped {
				a.Stop()
			} else {
				a.Start()
			}
			if rounds++; rounds == 20_000 || rounds%100 == 0 && time.Now().After(deadline) {
				a.Stop()
				w.Stop()
				return
			}
			w.Send()
		}, ev.Priority(1))
		toggle.Start()
		toggle.Send()
		var over atomic.Bool
		var senders sync.WaitGroup
		for range 3 {
			senders.Go(func() {
				for !over.Load() {
					a.Send()
				}
			})
		}
		run(t, l)
		over.Store(true)
		senders.Wait()
	})
}
