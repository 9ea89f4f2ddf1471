package ev_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// gathered makes a Queue that gathers its items.
func gathered(l *ev.Loop, limit int) (q *ev.Queue[int], got *[]int) {
	got = new([]int)
	return ev.NewQueue(l, limit, func(_ *ev.Queue[int], batch []int) { *got = append(*got, batch...) }), got
}

// sendWait calls SendWait on a goroutine of its own.
func sendWait(ctx context.Context, q *ev.Queue[int], v int) <-chan error {
	sent := make(chan error, 1)
	go func() { sent <- q.SendWait(ctx, v) }()
	return sent
}

func TestSendWaitDoesNotWaitWhileThereIsRoom(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, limit := range []int{0, 2} {
			q, got := gathered(l, limit)
			q.Start()
			require.NoError(t, q.SendWait(t.Context(), 1))
			require.NoError(t, q.SendWait(t.Context(), 2))
			nowait(t, l)
			assert.Equal(t, []int{1, 2}, *got)
			q.Stop()
		}
	})
}

func TestSendWaitWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		q := ev.NewQueue(l, 1, func(q *ev.Queue[int], _ []int) { q.Stop() })
		q.Start()
		ended := goRun(l)
		untilParked(t, l, 0)
		require.NoError(t, q.SendWait(t.Context(), 1))
		assert.NoError(t, receive(t, ended))
	})
}

// In a bubble, the test knows when all senders wait.
func inQueueBubble(t *testing.T, limit int, test func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int)) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		q, got := gathered(l, limit)
		test(t, l, q, got)
	})
}

func TestSendersThatWaitAreServedFirstComeFirstServedAndBeforeASend(t *testing.T) {
	inQueueBubble(t, 2, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
		q.Start()
		require.NoError(t, q.Send(1))
		require.NoError(t, q.Send(2))
		var sent []<-chan error
		for v := 3; v <= 7; v++ {
			sent = append(sent, sendWait(t.Context(), q, v))
			synctest.Wait() // it waits
		}
		for _, want := range [][]int{{1, 2}, {1, 2, 3, 4}, {1, 2, 3, 4, 5, 6}} {
			assert.ErrorIs(t, q.Send(100), ev.ErrFull)
			nowait(t, l)
			assert.Equal(t, want, *got)
		}
		for _, ch := range sent {
			assert.NoError(t, <-ch)
		}
		require.NoError(t, q.Send(8)) // 7 is in the queue, and there is room for one more
		assert.ErrorIs(t, q.Send(9), ev.ErrFull)
		nowait(t, l)
		assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, *got)
	})
}

func TestTheLoopMakesTheRequestForItemsThatItHasMoved(t *testing.T) {
	inQueueBubble(t, 1, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
		q.Start()
		require.NoError(t, q.Send(1))
		sent := sendWait(t.Context(), q, 2)
		synctest.Wait()
		run := goRun(l) // the queue keeps it going
		synctest.Wait() // parked
		assert.NoError(t, <-sent)
		assert.Equal(t, []int{1, 2}, *got)
		l.Stop()
		assert.NoError(t, <-run)
	})
}

func TestASenderIsWokenBeforeTheCallbackForTheBatchThatMadeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		var sent <-chan error
		q := ev.NewQueue(l, 1, func(q *ev.Queue[int], _ []int) {
			assert.NoError(t, <-sent)
			q.Stop()
		})
		q.Start()
		require.NoError(t, q.Send(1))
		sent = sendWait(t.Context(), q, 2)
		synctest.Wait()
		run(t, l)
	})
}

func TestSendWaitIntoAQueueThatIsStoppedWaitsForStart(t *testing.T) {
	inQueueBubble(t, 1, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
		require.NoError(t, q.SendWait(t.Context(), 1)) // never started
		second, third := sendWait(t.Context(), q, 2), sendWait(t.Context(), q, 3)
		synctest.Wait()
		nowait(t, l)
		assert.Empty(t, *got)
		q.Start()
		nowait(t, l)
		q.Stop() // with one in the queue, for which the loop has made the request
		nowait(t, l)
		assert.Equal(t, []int{1}, *got)
		q.Start()
		nowait(t, l)
		nowait(t, l)
		assert.NoError(t, <-second)
		assert.NoError(t, <-third)
		assert.ElementsMatch(t, []int{1, 2, 3}, *got)
	})
}

func TestSendWaitReturnsTheErrorOfItsContext(t *testing.T) {
	inQueueBubble(t, 1, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
		done, cancel := context.WithCancel(t.Context())
		cancel()
		q.Start()
		assert.ErrorIs(t, q.SendWait(done, 0), context.Canceled, "though there is room")
		require.NoError(t, q.Send(1))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		first := sendWait(t.Context(), q, 2)
		synctest.Wait()
		middle := sendWait(ctx, q, 3)
		synctest.Wait()
		last := sendWait(t.Context(), q, 4)
		assert.ErrorIs(t, <-middle, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		for range 3 {
			nowait(t, l)
		}
		assert.NoError(t, <-first)
		assert.NoError(t, <-last)
		assert.Equal(t, []int{1, 2, 4}, *got)
	})
}

// A sender leaves from every place of a line of three.
func TestSendersLeaveTheLineInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for left := range 4 {
			t.Run(fmt.Sprint(order[:left]), func(t *testing.T) {
				inQueueBubble(t, 1, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
					q.Start()
					require.NoError(t, q.Send(-1))
					var cancels [3]func()
					var sent [3]<-chan error
					for i := range sent {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						cancels[i], sent[i] = cancel, sendWait(ctx, q, i)
						synctest.Wait()
					}
					want := []int{-1, 0, 1, 2}
					for _, i := range order[:left] {
						cancels[i]()
						assert.ErrorIs(t, <-sent[i], context.Canceled)
						want = remove(want, i)
					}
					for range 5 {
						nowait(t, l)
					}
					assert.Equal(t, want, *got)
					for _, i := range order[left:] {
						assert.NoError(t, <-sent[i])
					}
				})
			})
		}
	}
}

func remove(from []int, v int) (rest []int) {
	for _, x := range from {
		if x != v {
			rest = append(rest, x)
		}
	}
	return rest
}

func TestCloseEndsTheWaitOfASender(t *testing.T) {
	inQueueBubble(t, 1, func(t *testing.T, l *ev.Loop, q *ev.Queue[int], got *[]int) {
		q.Start()
		require.NoError(t, q.Send(1))
		first, second := sendWait(t.Context(), q, 2), sendWait(t.Context(), q, 3)
		synctest.Wait()
		require.NoError(t, l.Close())
		assert.ErrorIs(t, <-first, ev.ErrClosed)
		assert.ErrorIs(t, <-second, ev.ErrClosed)
		assert.ErrorIs(t, q.SendWait(t.Context(), 4), ev.ErrClosed)
		q.Invoke(ev.Custom)
		assert.Empty(t, *got)
	})
}

// The callback closes the loop. The next batch is not delivered, so no item goes into the queue.
func TestNoSenderGetsIntoTheQueueOfAClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		var q *ev.Queue[int]
		ev.NewPrepare(l, func(p *ev.Prepare) {
			assert.NoError(t, l.Close())
			q.Invoke(ev.AsyncEvent)
		}).Start()
		calls := 0
		q = ev.NewQueue(l, 1, func(*ev.Queue[int], []int) { calls++ })
		q.Start()
		require.NoError(t, q.Send(1))
		sent := sendWait(t.Context(), q, 2)
		synctest.Wait()
		assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
		assert.ErrorIs(t, <-sent, ev.ErrClosed)
		assert.Equal(t, 1, calls, "of Invoke")
	})
}

const itself = "ev: Queue.SendWait on the loop's own goroutine would wait for itself for ever: use Send"

func TestSendWaitOnTheLoopsGoroutinePanicsInARunWhenItTakesLong(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		q, got := gathered(l, 1)
		q.Start()
		dueNow(l, func(*ev.Timer) {
			require.NoError(t, q.Send(1))
			assert.PanicsWithValue(t, itself, func() { _ = q.SendWait(t.Context(), 2) })
			l.Stop()
		})
		run(t, l)
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, []int{1}, *got, "the sender that panicked has left the line")
	})
}

func TestDebuggingFindsEverySendWaitOnTheLoopsGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		q, got := gathered(l, 1)
		q.Start()
		require.NoError(t, q.SendWait(t.Context(), 1)) // nobody runs the loop
		calls := 0
		dueNow(l, func(*ev.Timer) {
			calls++
			assert.PanicsWithValue(t, itself, func() { _ = q.SendWait(t.Context(), 2) })
		})
		ev.Spawn(l, func(*ev.Task) error {
			calls++
			assert.PanicsWithValue(t, itself, func() { _ = q.SendWait(t.Context(), 2) })
			return nil
		})
		nowait(t, l)
		nowait(t, l)
		assert.Equal(t, 2, calls)
		assert.Equal(t, []int{1}, *got)
	})
}

// Many senders with contexts that end at any moment: each item is delivered once or refused,
// the items of each sender keep their order, and no batch is larger than the limit.
func TestSendWaitLosesNothingWhileSendersComeAndGo(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders, items, limit = 8, 2_000, 3
		type item struct{ sender, n int }
		delivered := make(map[item]int)
		last := make([]int, senders)
		q := ev.NewQueue(l, limit, func(_ *ev.Queue[item], batch []item) {
			assert.LessOrEqual(t, len(batch), limit)
			for _, it := range batch {
				delivered[it]++
				assert.Less(t, last[it.sender], it.n)
				last[it.sender] = it.n
			}
		})
		q.Start()
		toggle := ev.NewTimer(l, 0, time.Millisecond, func(*ev.Timer) {
			q.Stop()
			q.Start()
		})
		toggle.Start()
		ended := goRun(l)
		var taken [senders][]int
		var done sync.WaitGroup
		for s := range senders {
			random := rand.New(rand.NewPCG(uint64(s), 1))
			done.Go(func() {
				for n := 1; n <= items; n++ {
					ctx, cancel := context.WithCancel(context.Background())
					stop := func() {}
					if random.IntN(2) == 0 {
						d := time.Duration(random.IntN(20_000))
						timer := time.AfterFunc(d, cancel)
						stop = func() { timer.Stop() }
					}
					err := q.SendWait(ctx, item{s, n})
					stop()
					cancel()
					if err == nil {
						taken[s] = append(taken[s], n)
					} else if !assert.ErrorIs(t, err, context.Canceled) {
						return
					}
				}
			})
		}
		done.Wait()
		for range 3 {
			onLoop(t, l, func() { q.Invoke(ev.AsyncEvent) })
		}
		onLoop(t, l, l.StopAll)
		assert.NoError(t, receive(t, ended))
		total := 0
		for s := range taken {
			total += len(taken[s])
			for _, n := range taken[s] {
				assert.Equal(t, 1, delivered[item{s, n}])
			}
		}
		assert.Len(t, delivered, total)
	})
}

// Close comes at any moment: every SendWait returns.
func TestEverySendWaitReturnsWhenTheLoopIsClosed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const senders = 8
		items := 0
		q := ev.NewQueue(l, 1, func(_ *ev.Queue[int], batch []int) {
			if items += len(batch); items > 1_000 {
				assert.NoError(t, l.Close())
			}
		})
		q.Start()
		results := make(chan error, senders)
		for range senders {
			go func() {
				for {
					if err := q.SendWait(context.Background(), 1); err != nil {
						results <- err
						return
					}
				}
			}()
		}
		assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
		for range senders {
			assert.ErrorIs(t, receive(t, results), ev.ErrClosed)
		}
	})
}
