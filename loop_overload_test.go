package ev_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// lowest is a Timer that is always due and, if the backend watches descriptors, an IO
// that is always ready. An overload could starve them: they have the lowest priority.
type lowest struct {
	timer, io  int // calls
	iterations int
	noIO       bool
}

// watchLowest fails the test if an iteration does not call them. each is called at the
// end of an iteration.
func watchLowest(t *testing.T, l *ev.Loop, each func()) *lowest {
	w := &lowest{noIO: l.Backend() == ev.BackendChan}
	check := ev.NewCheck(l, func(*ev.Check) {
		w.expect(t)
		w.iterations++
	}, ev.Priority(ev.MaxPriority))
	check.Start()
	if !w.noIO {
		c, _ := connPair(t) // it stays writable
		io := ev.NewConnIO(l, c, ev.Write, func(*ev.IO, ev.Events) { w.io++ }, ev.Priority(ev.MinPriority))
		require.NoError(t, io.Start())
	}
	timer := ev.NewTimer(l, 0, 0, func(timer *ev.Timer) {
		w.timer++
		each()
		runtime.Gosched() // with one processor, the senders would not run
		assert.NoError(t, timer.Set(0, 0))
		timer.Start()
	}, ev.Priority(ev.MinPriority))
	timer.Start()
	return w
}

func (w *lowest) expect(t *testing.T) {
	if w.timer != w.iterations || !w.noIO && w.io != w.iterations {
		require.FailNow(t, "starved", "after %d iterations: %d calls of the timer, %d of the IO", w.iterations, w.timer, w.io)
	}
}

func TestAFloodOfSendsStarvesNeitherTimersNorIO(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, asyncs, enough = 3, 16, 200
		var flooded []*ev.Async
		floodedEnough := 0
		for range asyncs {
			calls, last := 0, uint64(0)
			a := ev.NewAsync(l, func(*ev.Async) {
				assert.Greater(t, l.Iteration(), last, "at most one callback per iteration")
				last = l.Iteration()
				if calls++; calls == enough {
					floodedEnough++
				}
			}, ev.Priority(ev.MaxPriority))
			a.Start()
			flooded = append(flooded, a)
		}
		w := watchLowest(t, l, func() {
			if floodedEnough == asyncs {
				l.Stop()
			}
		})
		stop := flood(senders, func(int) bool {
			for _, a := range flooded {
				a.Send()
			}
			return true
		})
		defer stop()
		run(t, l)
		w.expect(t)
	})
}

// flood makes each of the senders call send until it returns false or stop is called.
func flood(senders int, send func(sender int) bool) (stop func()) {
	var stopped atomic.Bool
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for !stopped.Load() && send(s) {
				runtime.Gosched()
			}
		})
	}
	return func() {
		stopped.Store(true)
		sending.Wait()
	}
}

func TestAFloodOfPostsStarvesNeitherTimersNorIO(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, posts = 3, 60_000
		var posted atomic.Int64 // counted before the Post
		ran, due := int64(0), int64(0)
		check := ev.NewCheck(l, func(*ev.Check) { due = posted.Load() }, ev.Priority(ev.MaxPriority))
		check.Start()
		w := watchLowest(t, l, func() {
			assert.LessOrEqual(t, ran, due, "posted after the pass began, and run in it")
			if ran == posts {
				l.Stop()
			}
		})
		post := func() bool {
			if posted.Add(1) > posts {
				posted.Add(-1)
				return false
			}
			return assert.NoError(t, l.Post(func() { ran++ }))
		}
		stop := flood(senders, func(int) bool { return post() })
		defer stop()
		var again func()
		again = func() {
			if post() {
				assert.NoError(t, l.Post(again)) // a function that posts itself is part of the flood
			}
		}
		require.NoError(t, l.Post(again))
		run(t, l)
		w.expect(t)
	})
}

func TestAFloodOfAQueueStarvesNeitherTimersNorIO(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, items = 3, 20_000
		got, last := 0, uint64(0)
		q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) {
			assert.Greater(t, l.Iteration(), last, "at most one batch per iteration")
			last = l.Iteration()
			got += len(batch)
		}, ev.Priority(ev.MaxPriority))
		q.Start()
		w := watchLowest(t, l, func() {
			if got == senders*items {
				l.Stop()
			}
		})
		var sent [senders]int
		stop := flood(senders, func(s int) bool {
			sent[s]++
			return assert.NoError(t, q.Send(s)) && sent[s] < items
		})
		defer stop()
		run(t, l)
		w.expect(t)
	})
}

// stick runs the loop and has a callback hold it until release is called.
func stick(t *testing.T, l *ev.Loop) (release func()) {
	start(t, l)
	stuck, held := make(chan struct{}), make(chan struct{})
	require.NoError(t, l.Post(func() {
		close(stuck)
		<-held
	}))
	receive(t, stuck)
	return sync.OnceFunc(func() { close(held) })
}

func TestPostToAStuckLoopNeverBlocksAndAllRunInOrderAfter(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, posts = 4, 10_000
		release := stick(t, l)
		defer release()
		var last [senders]int // used on the loop's goroutine
		ran := 0
		var posting sync.WaitGroup
		for s := range senders {
			posting.Go(func() {
				for n := 1; n <= posts; n++ {
					assert.NoError(t, l.Post(func() {
						assert.Equal(t, n, last[s]+1)
						last[s] = n
						ran++
					}))
				}
			})
		}
		posting.Wait() // while the loop is still stuck
		assert.Zero(t, ran)
		release()
		onLoop(t, l, func() { assert.Equal(t, senders*posts, ran) })
	})
}

func TestAStuckLoopFillsALimitedQueueAndTheRestIsRefused(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, items, limit = 4, 1000, 100
		var batches []int
		q := ev.NewQueue(l, limit, func(_ *ev.Queue[int], batch []int) { batches = append(batches, len(batch)) })
		q.Start()
		release := stick(t, l)
		defer release()
		var taken, refused atomic.Int64
		var sending sync.WaitGroup
		for range senders {
			sending.Go(func() {
				for i := range items {
					if err := q.Send(i); err == nil {
						taken.Add(1)
					} else if assert.ErrorIs(t, err, ev.ErrFull) {
						refused.Add(1)
					}
				}
			})
		}
		sending.Wait()
		assert.EqualValues(t, limit, taken.Load())
		assert.EqualValues(t, senders*items-limit, refused.Load())
		release()
		onLoop(t, l, func() { q.Invoke(ev.AsyncEvent) })
		require.NoError(t, q.Send(0), "there is room again")
		onLoop(t, l, func() { q.Invoke(ev.AsyncEvent) })
		assert.Equal(t, []int{limit, 1}, batches)
	})
}

// heapInUse returns the size of the heap after a collection.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // collects memory that the first one's cleanups released
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAQueueGivesBackTheMemoryOfABurst(t *testing.T) {
	l := newLoop(t)
	q := ev.NewQueue(l, 0, func(*ev.Queue[[64]byte], [][64]byte) {})
	q.Start()
	before := heapInUse()
	for range 1 << 17 {
		require.NoError(t, q.Send([64]byte{}))
	}
	assert.Greater(t, heapInUse()-before, int64(4<<20), "the burst is in memory")
	for range 4 { // the burst, then small batches
		nowait(t, l)
		require.NoError(t, q.Send([64]byte{}))
	}
	assert.Less(t, heapInUse()-before, int64(1<<20))
	runtime.KeepAlive(q)
}

// The ring of pending callbacks stays as large as the largest burst made it, with three
// words for each.
func TestPostKeepsOfABurstNoMoreThanTheRingOfPendingCallbacks(t *testing.T) {
	const posts, ring = 1<<16 - 1, 1 << 16 * 24 // one small post comes before a burst
	l := newLoop(t)
	before := heapInUse()
	for range 3 { // bursts do not add up
		for range posts {
			require.NoError(t, l.Post(func() {}))
		}
		assert.Greater(t, heapInUse()-before, int64(posts*8), "the burst is in memory")
		for range 4 { // the burst, then small batches
			nowait(t, l)
			require.NoError(t, l.Post(func() {}))
		}
		assert.Less(t, heapInUse()-before, int64(ring+1<<19))
	}
}
