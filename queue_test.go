package ev_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestQueueDeliversAllItemsInOneBatch(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got [][]int
		q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
			assert.Equal(t, ev.AsyncEvent, q.Events())
			got = append(got, append([]int(nil), batch...))
		})
		q.Start()
		for i := range 3 {
			require.NoError(t, q.Send(i))
		}
		nowait(t, l)
		require.NoError(t, q.Send(3))
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, [][]int{{0, 1, 2}, {3}}, got)
	})
}

func TestQueueLosesNothingAndKeepsEachSendersOrder(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, items = 8, 5_000
		type item struct{ sender, n int }
		last := make([]int, senders)
		total, callbacks := 0, 0
		q := ev.NewQueue(l, 0, func(q *ev.Queue[item], batch []item) {
			callbacks++
			for _, it := range batch {
				assert.Equal(t, last[it.sender]+1, it.n)
				last[it.sender] = it.n
			}
			if total += len(batch); total == senders*items {
				q.Stop()
			}
		})
		q.Start()
		for s := range senders {
			go func() {
				for n := 1; n <= items; n++ {
					assert.NoError(t, q.Send(item{s, n}))
				}
			}()
		}
		run(t, l)
		assert.Equal(t, senders*items, total)
		assert.LessOrEqual(t, callbacks, total)
	})
}

func TestAFullQueueRefusesAndTakesAgainOnceDelivered(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		q := ev.NewQueue(l, 2, func(_ *ev.Queue[int], batch []int) { got = append(got, batch...) })
		q.Start()
		require.NoError(t, q.Send(1))
		require.NoError(t, q.Send(2))
		assert.ErrorIs(t, q.Send(3), ev.ErrFull)
		assert.EqualError(t, ev.ErrFull, "ev: queue full")
		nowait(t, l)
		require.NoError(t, q.Send(4))
		nowait(t, l)
		assert.Equal(t, []int{1, 2, 4}, got)
	})
}

func TestItemsSentWhileStoppedWaitForStart(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) { got = append(got, batch...) })
		require.NoError(t, q.Send(1)) // never started
		nowait(t, l)
		assert.Empty(t, got)
		q.Start()
		nowait(t, l)
		assert.Equal(t, []int{1}, got)

		require.NoError(t, q.Send(2))
		q.Stop() // with a request that was not collected
		require.NoError(t, q.Send(3))
		nowait(t, l)
		assert.Equal(t, []int{1}, got)
		q.Start()
		nowait(t, l)
		assert.Equal(t, []int{1, 2, 3}, got)
	})
}

func TestQueueStoppedAndStartedWhileOthersSendLosesNothing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, items = 4, 5_000
		total := 0
		q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) {
			if total += len(batch); total == senders*items {
				l.Stop()
			}
		})
		q.Start()
		toggle := ev.NewAsync(l, func(a *ev.Async) {
			q.Stop()
			runtime.Gosched()
			q.Start()
			a.Send()
		})
		toggle.Start()
		toggle.Send()
		var done sync.WaitGroup
		for range senders {
			done.Go(func() {
				for i := range items {
					assert.NoError(t, q.Send(i))
				}
			})
		}
		run(t, l)
		done.Wait()
		assert.Equal(t, senders*items, total)
	})
}

func TestSendToAQueueOfAClosedLoopIsRefused(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) { assert.Fail(t, "called") })
		q.Start()
		require.NoError(t, l.Close())
		assert.ErrorIs(t, q.Send(1), ev.ErrClosed)
	})
}

func TestABatchHandedToACallbackThatPanicsCountsAsDelivered(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []int
		fail := true
		q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) {
			if fail {
				panic("boom")
			}
			got = append(got, batch...)
		})
		q.Start()
		require.NoError(t, q.Send(1))
		assert.PanicsWithValue(t, "boom", func() { _ = l.RunNoWait() })
		fail = false
		require.NoError(t, q.Send(2))
		nowait(t, l)
		assert.Equal(t, []int{2}, got)
	})
}

func TestANestedRunInAQueueCallbackDoesNotTouchTheOuterBatch(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got [][]int
		q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
			if l.Depth() == 1 && batch[0] == 1 {
				require.NoError(t, q.Send(3))
				require.NoError(t, q.Send(4))
				nowait(t, l)
			}
			got = append(got, append([]int(nil), batch...))
		})
		q.Start()
		for range 3 { // the batches are reused
			got = nil
			require.NoError(t, q.Send(1))
			require.NoError(t, q.Send(2))
			nowait(t, l)
			assert.Equal(t, [][]int{{3, 4}, {1, 2}}, got)
		}
	})
}

func TestAFedQueueIsCalledWithWhatItHas(t *testing.T) {
	l := newLoop(t)
	var events []ev.Events
	q := ev.NewQueue(l, 0, func(q *ev.Queue[int], batch []int) {
		assert.Empty(t, batch)
		events = append(events, q.Events())
	})
	q.Feed(ev.Custom)
	nowait(t, l)
	q.Invoke(ev.Custom)
	assert.Equal(t, []ev.Events{ev.Custom, ev.Custom}, events)
	q.SetCallback(func(*ev.Queue[int], []int) { events = nil })
	q.Invoke(ev.Custom)
	assert.Nil(t, events)
}

func TestBatchesReuseMemory(t *testing.T) {
	skipWithDebug(t)
	l := newLoop(t)
	q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {})
	q.Start()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for i := range 10 {
			_ = q.Send(i)
		}
		_ = l.RunNoWait()
	}))
}

func TestAQueueDoesNotKeepDeliveredItemsAlive(t *testing.T) {
	l := newLoop(t)
	collected := make(chan struct{})
	q := ev.NewQueue(l, 0, func(*ev.Queue[*[]byte], []*[]byte) {})
	q.Start()
	func() {
		item := new([]byte)
		runtime.AddCleanup(item, func(struct{}) { close(collected) }, struct{}{})
		require.NoError(t, q.Send(item))
	}()
	nowait(t, l)
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	}, patience, time.Millisecond)
	runtime.KeepAlive(q)
}

func TestNewQueueRefusesBadArguments(t *testing.T) {
	l := newLoop(t)
	fn := func(*ev.Queue[int], []int) {}
	assert.PanicsWithValue(t, "ev: NewQueue: nil loop", func() { ev.NewQueue(nil, 0, fn) })
	assert.PanicsWithValue(t, "ev: NewQueue: nil callback", func() { ev.NewQueue[int](l, 0, nil) })
	assert.PanicsWithValue(t, "ev: NewQueue: negative limit", func() { ev.NewQueue(l, -1, fn) })
	assert.PanicsWithValue(t, "ev: Queue.SetCallback: nil callback", func() { ev.NewQueue(l, 0, fn).SetCallback(nil) })
}

func TestCloseDropsTheItemsOfAStoppedQueue(t *testing.T) {
	l := newLoop(t)
	q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) { assert.Empty(t, batch) })
	require.NoError(t, q.Send(1))
	require.NoError(t, l.Close())
	q.Invoke(ev.Custom)
}
