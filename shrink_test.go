package ev

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/atomic"
)

// sized is an item of 64 bytes.
type sized [8]uint64

// A burst makes a structure of the loop large. Its work is done when it returns or, on
// a running loop, soon after.
var bursts = map[string]func(t *testing.T, l *Loop, n int){
	"posts": func(t *testing.T, l *Loop, n int) {
		for range n {
			require.NoError(t, l.Post(func() {}))
		}
	},
	"a Queue": func(t *testing.T, l *Loop, n int) {
		q := NewQueue(l, 0, func(q *Queue[sized], batch []sized) { q.Stop() })
		t.Cleanup(func() { runtime.KeepAlive(q) })
		q.Start()
		for range n {
			require.NoError(t, q.Send(sized{}))
		}
	},
	"a Queue, with one item after": func(t *testing.T, l *Loop, n int) { // so that the other slice is the large one
		var q *Queue[sized]
		q = NewQueue(l, 0, func(_ *Queue[sized], batch []sized) {
			if len(batch) == 1 {
				q.Stop()
				return
			}
			require.NoError(t, q.Send(sized{}))
		})
		t.Cleanup(func() { runtime.KeepAlive(q) })
		q.Start()
		for range n {
			require.NoError(t, q.Send(sized{}))
		}
	},
	"posts, with one after": func(t *testing.T, l *Loop, n int) {
		for range n - 1 {
			require.NoError(t, l.Post(func() {}))
		}
		require.NoError(t, l.Post(func() { _ = l.Post(func() {}) }))
	},
	"a Queue of few": func(t *testing.T, l *Loop, n int) {
		q := NewQueue(l, 0, func(q *Queue[[64 << 10]byte], batch [][64 << 10]byte) { q.Stop() })
		t.Cleanup(func() { runtime.KeepAlive(q) })
		q.Start()
		for range n / 1000 {
			require.NoError(t, q.Send([64 << 10]byte{}))
		}
	},
	"timers that expire": func(t *testing.T, l *Loop, n int) {
		for range n {
			NewTimer(l, 0, 0, func(*Timer) {}).Start()
		}
	},
	"timers that are stopped": func(t *testing.T, l *Loop, n int) {
		var timers []*Timer
		for range n {
			w := NewTimer(l, time.Hour, 0, func(*Timer) {})
			w.Start()
			timers = append(timers, w)
		}
		for _, w := range timers {
			w.Stop()
		}
	},
	"Periodics": func(t *testing.T, l *Loop, n int) {
		for range n {
			NewPeriodic(l, 0, 0, func(*Periodic) {}).Start()
		}
	},
	"Asyncs": func(t *testing.T, l *Loop, n int) {
		for range n {
			w := NewAsync(l, func(w *Async) { w.Stop() })
			w.Start()
			w.Send()
		}
	},
	"Asyncs but for the last": func(t *testing.T, l *Loop, n int) {
		var last *Async
		for range n {
			last = NewAsync(l, func(w *Async) {
				if w != last {
					w.Stop()
				}
			})
			last.Keep(false)
			last.Start()
			last.Send()
		}
	},
	"Prepares": func(t *testing.T, l *Loop, n int) {
		var all []*Prepare
		for range n {
			w := NewPrepare(l, func(w *Prepare) {})
			w.Start()
			all = append(all, w)
		}
		for _, w := range slices.Backward(all) {
			w.Stop()
		}
	},
	"Idles": func(t *testing.T, l *Loop, n int) {
		var all []*Idle
		for range n {
			w := NewIdle(l, func(w *Idle) {}, Priority(2))
			w.Start()
			all = append(all, w)
		}
		for _, w := range slices.Backward(all) {
			w.Stop()
		}
	},
	"feeds": func(t *testing.T, l *Loop, n int) {
		for i := range n {
			NewIdle(l, func(*Idle) {}, Priority(i%levels+MinPriority)).Feed(Custom)
		}
	},
	"feeds and clears": func(t *testing.T, l *Loop, n int) {
		var all []*Idle
		for i := range n {
			w := NewIdle(l, func(*Idle) {}, Priority(i%levels+MinPriority))
			w.Feed(Custom)
			all = append(all, w)
		}
		for _, w := range all {
			w.Clear()
		}
	},
}

// skipBursts skips a test of bursts with EV_DEBUG=1, which looks up the goroutine of
// each call: 100 000 calls take seconds.
func skipBursts(t *testing.T) {
	t.Helper()
	if debugging() {
		t.Skip("a burst takes seconds with EV_DEBUG=1")
	}
}

// inUse returns the memory that the program uses, without garbage.
func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second collection frees objects with finalizers
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// room returns the approximate capacity of the loop's tables, in bytes.
func room(l *Loop) int {
	n := 16*(cap(l.timers.heap)+cap(l.timers.spare)+cap(l.periodics.heap)+cap(l.periodics.spare)) +
		16*(cap(l.mail.in)+cap(l.mail.spare)) + 8*(cap(l.active)+cap(l.requests.all)) + 4*cap(l.requests.free)
	for i := range l.pending.queues {
		n += 24*len(l.pending.queues[i].ring) + 8*cap(l.idle[i])
	}
	return n + 8*(cap(l.prepares)+cap(l.checks)+cap(l.cleanups))
}

const burst = 100_000

// noise is the growth that a test allows after any burst. Most of it is spareBytes for
// each of the tables.
const noise = 300 << 10

func TestMemoryOfABurstIsLetGoOf(t *testing.T) {
	skipBursts(t)
	for name, make := range bursts {
		t.Run(name, func(t *testing.T) {
			l, err := New()
			require.NoError(t, err)
			defer l.Close()
			require.NoError(t, l.RunNoWait())
			before := inUse()
			make(t, l, burst)
			require.NoError(t, l.RunNoWait())
			require.NoError(t, l.Verify())
			for range 10 { // quiet
				require.NoError(t, l.RunNoWait())
				require.NoError(t, l.Verify())
			}
			assert.Less(t, inUse()-before, noise)
			assert.Less(t, room(l), noise)
			runtime.KeepAlive(l)
		})
	}
}

// There may be no other Run.
func TestMemoryOfABurstIsLetGoOfWhenRunEnds(t *testing.T) {
	skipBursts(t)
	for name, make := range bursts {
		t.Run(name, func(t *testing.T) {
			l, err := New()
			require.NoError(t, err)
			defer l.Close()
			require.NoError(t, l.RunNoWait())
			before := inUse()
			make(t, l, burst)
			require.NoError(t, l.Run(context.Background()))
			assert.Less(t, inUse()-before, noise)
			assert.Less(t, room(l), noise)
			assert.NoError(t, l.Verify())
		})
	}
	t.Run("an embedded loop's", func(t *testing.T) {
		host, err := New()
		require.NoError(t, err)
		defer host.Close()
		embedded, err := New()
		require.NoError(t, err)
		defer embedded.Close()
		require.NoError(t, NewEmbed(host, embedded, nil).Start())
		require.NoError(t, host.Post(func() {
			bursts["posts"](t, embedded, burst)
			require.NoError(t, embedded.Post(host.Stop))
		}))
		require.NoError(t, host.Run(context.Background()))
		assert.Less(t, room(embedded), noise)
		assert.NoError(t, embedded.Verify())
	})
}

func TestMemoryOfABurstIsLetGoOfByALoopThatIsParked(t *testing.T) {
	skipBursts(t)
	for name, make := range bursts {
		t.Run(name, func(t *testing.T) {
			l, err := New()
			require.NoError(t, err)
			stayAlive(l)
			before := inUse()
			ended := runs(l)
			_, err = Call(context.Background(), l, func() (int, error) { make(t, l, burst); return 0, nil })
			require.NoError(t, err)
			more := 0
			assert.Eventually(t, func() bool { more = inUse() - before; return more < noise }, 20*time.Second, 20*time.Millisecond)
			assert.Less(t, more, noise)
			l.StopAll()
			<-ended
			assert.Less(t, room(l), noise)
			assert.NoError(t, l.Verify())
			assert.NoError(t, l.Close())
		})
	}
}

// stayAlive starts a watcher, which keeps Run going.
func stayAlive(l *Loop) { NewAsync(l, func(*Async) {}).Start() }

func runs(l *Loop) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.Run(context.Background())
	}()
	return ended
}

func TestMemoryOfAnEmbeddedLoopsBurstIsLetGoOf(t *testing.T) {
	skipBursts(t)
	for name, make := range bursts {
		t.Run(name, func(t *testing.T) {
			host, err := New()
			require.NoError(t, err)
			embedded, err := New()
			require.NoError(t, err)
			require.NoError(t, NewEmbed(host, embedded, nil).Start())
			before := inUse()
			ended := runs(host)
			_, err = Call(context.Background(), host, func() (int, error) { make(t, embedded, burst); return 0, nil })
			require.NoError(t, err)
			assert.Eventually(t, func() bool { return inUse()-before < noise }, 20*time.Second, 20*time.Millisecond)
			host.StopAll()
			<-ended
			assert.Less(t, room(embedded), noise)
			assert.NoError(t, embedded.Verify())
			assert.NoError(t, host.Close())
			assert.NoError(t, embedded.Close())
		})
	}
}

func TestCloseLetsGoOfAllMemory(t *testing.T) {
	skipBursts(t)
	for name, make := range bursts {
		for _, ran := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ran: %v", name, ran), func(t *testing.T) {
				l, err := New()
				require.NoError(t, err)
				before := inUse()
				make(t, l, burst)
				if ran {
					require.NoError(t, l.RunNoWait())
				}
				require.NoError(t, l.Close())
				assert.Less(t, inUse()-before, noise/5)
				assert.Zero(t, room(l))
				assert.NoError(t, l.Verify())
				assert.NoError(t, l.Close())
			})
		}
	}
}

// Memory that is used is kept. A use that is steady, or comes and goes, must not
// allocate after its first time.
func TestASteadyUseOfMuchMemoryAllocatesNothing(t *testing.T) {
	if debugging() {
		t.Skip("EV_DEBUG=1 allocates")
	}
	const n = 10_000
	type iteration = func(i int)
	for name, steady := range map[string]func(l *Loop) iteration{
		"posts": func(l *Loop) iteration {
			fn := func() {}
			return func(int) {
				for range n {
					_ = l.Post(fn)
				}
			}
		},
		"posts, every other iteration": func(l *Loop) iteration {
			fn := func() {}
			return func(i int) {
				for range n * (i % 2) {
					_ = l.Post(fn)
				}
			}
		},
		"a Queue": func(l *Loop) iteration {
			q := NewQueue(l, 0, func(*Queue[sized], []sized) {})
			q.Start()
			return func(int) {
				for range n {
					_ = q.Send(sized{})
				}
			}
		},
		"repeating timers": func(l *Loop) iteration {
			for range n {
				NewTimer(l, 0, 1, func(*Timer) {}).Start()
			}
			return func(int) {}
		},
		"timers that come and go": func(l *Loop) iteration {
			var all []*Timer
			for range n {
				all = append(all, NewTimer(l, 0, 0, func(*Timer) {}))
			}
			return func(i int) {
				for _, w := range all[:n*(i%2)] {
					w.Start()
				}
			}
		},
		"Asyncs that come and go": func(l *Loop) iteration {
			var all []*Async
			for range n {
				all = append(all, NewAsync(l, func(w *Async) { w.Stop() }))
			}
			return func(i int) {
				for _, w := range all[:n*(i%2)] {
					w.Start()
					w.Send()
				}
			}
		},
		"feeds, some cleared": func(l *Loop) iteration {
			var all []*Idle
			for range n {
				all = append(all, NewIdle(l, func(*Idle) {}))
			}
			return func(i int) {
				for k, w := range all {
					w.Feed(Custom)
					if k%3 != 0 {
						w.Clear()
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := New(WithBackend(BackendChan))
			require.NoError(t, err)
			defer l.Close()
			step, i := steady(l), 0
			iterate := func() {
				i++
				step(i)
				_ = l.RunNoWait()
			}
			for range 6 {
				iterate()
			}
			assert.Zero(t, testing.AllocsPerRun(20, iterate))
			assert.NoError(t, l.Verify())
		})
	}
}

func TestWatchersFedAndClearedCrosswiseKeepTheRingShort(t *testing.T) {
	for name, cross := range map[string]func(ws []*probe, p *pending, i int){
		"two": func(ws []*probe, p *pending, i int) {
			p.clear(&ws[i%2].watcher)
			p.mark(&ws[i%2].watcher, Custom)
		},
		"two, behind one that stays": func(ws []*probe, p *pending, i int) {
			p.clear(&ws[1+i%2].watcher)
			p.mark(&ws[1+i%2].watcher, Custom)
		},
		"many, in a random order": func(ws []*probe, p *pending, i int) {
			w := ws[rand.IntN(len(ws))]
			p.clear(&w.watcher)
			p.mark(&w.watcher, Custom)
		},
		"first and last": func(ws []*probe, p *pending, i int) {
			w := ws[rand.IntN(len(ws))]
			if i%2 == 0 {
				p.markFirst(&w.watcher, Custom)
				return
			}
			p.clear(&w.watcher)
			p.mark(&w.watcher, Custom)
		},
	} {
		for _, at := range []uint32{0, nearWrap} {
			t.Run(fmt.Sprintf("%s from %d", name, at), func(t *testing.T) {
				var p pending
				p.queues[-MinPriority].head, p.queues[-MinPriority].tail = at, at
				var order []*probe
				var ws []*probe
				for range 100 {
					ws = append(ws, newProbe("", 0, func(w *probe) { order = append(order, w) }))
				}
				for _, w := range ws[:3] {
					p.mark(&w.watcher, Custom)
				}
				for i := range 100_000 {
					cross(ws, &p, i)
				}
				assert.LessOrEqual(t, len(p.queues[-MinPriority].ring), 256)
				require.NoError(t, p.verify())
				count := p.count
				p.pass(notClosed(), nil)
				assert.Len(t, order, count)
				assert.NoError(t, p.verify())
			})
		}
	}
}

func TestFeedsAndClearsInACallbackDoNotMakeTheLoopGrow(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer l.Close()
	calls := 0
	count := func(*Async) { calls++ }
	a, b := NewAsync(l, count), NewAsync(l, count)
	require.NoError(t, l.Post(func() {
		a.Feed(Custom)
		b.Feed(Custom)
		for range 20_000 {
			a.Clear()
			a.Feed(Custom)
			b.Clear()
			b.Feed(Custom)
		}
		assert.Less(t, room(l), noise)
	}))
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 2, calls)
}

// The numbers of requests change while senders use them, and no Send is lost.
func TestNumbersAreGivenAnewWhileOthersSend(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	const senders = 4
	var many, stay []*Async
	for range 20_000 {
		w := NewAsync(l, func(*Async) {})
		w.Start()
		many = append(many, w)
	}
	sent, answered := make([]atomic.Uint32, senders), make([]atomic.Uint32, senders)
	for i := range senders { // they have the highest numbers
		w := NewAsync(l, func(*Async) { answered[i].Store(sent[i].Load()) })
		w.Start()
		stay = append(stay, w)
	}
	highest := stay[0].number()
	ended := runs(l)
	var enough atomic.Uint32
	var wg sync.WaitGroup
	for i, w := range stay {
		wg.Go(func() {
			for enough.Load() == 0 {
				sent[i].Inc()
				w.Send()
				runtime.Gosched()
			}
		})
	}
	for _, w := range many { // one by one: the loop makes iterations in between
		require.NoError(t, l.Post(w.Stop))
	}
	assert.Eventually(t, func() bool {
		changed, err := Call(context.Background(), l, func() (bool, error) {
			assert.NoError(t, l.Verify())
			return !slices.ContainsFunc(stay, func(w *Async) bool { return w.number() >= highest }), nil
		})
		return assert.NoError(t, err) && changed
	}, 20*time.Second, time.Millisecond)
	enough.Store(1)
	wg.Wait()
	for i, w := range stay { // once more, when nothing changes any longer
		sent[i].Inc()
		w.Send()
	}
	for i := range stay {
		assert.Eventually(t, func() bool { return answered[i].Load() == sent[i].Load() }, 20*time.Second, time.Millisecond,
			"a Send was lost")
	}
	l.StopAll()
	<-ended
	assert.NoError(t, l.Verify())
	assert.NoError(t, l.Close())
}

func TestARequestThatIsLinkedKeepsItsNumber(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer l.Close()
	calls := 0
	low, high := NewAsync(l, func(*Async) {}), NewAsync(l, func(*Async) { calls++ })
	low.Start()
	high.Start()
	low.Stop()
	number := high.number()
	high.Send()
	l.requests.renumber()
	require.Equal(t, number, high.number(), "a sender may have read it")
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
	l.requests.renumber()
	assert.Less(t, high.number(), number)
	high.Send() // it is linked by the loop now
	assert.NoError(t, l.Verify())
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 2, calls)
	high.Send()
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 3, calls)
}

// The loop parks in one RunOnce and not in the next.
func TestABurstInEveryOtherRunOnceAllocatesNothing(t *testing.T) {
	if debugging() {
		t.Skip("EV_DEBUG=1 allocates")
	}
	if runtime.GOOS == "js" {
		t.Skip("a park returns to JavaScript, and the runtime allocates when it comes back")
	}
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	tick := NewTimer(l, 0, 200*time.Microsecond, func(*Timer) {})
	tick.Start()
	fn := func() {}
	round := func() {
		for range 10_000 {
			_ = l.Post(fn)
		}
		_ = l.RunOnce(context.Background())
		for parks := l.Stats().Parks; l.Stats().Parks == parks; { // a loop that is late does not park
			l.Update()
			tick.Reset()
			_ = l.RunOnce(context.Background())
		}
	}
	for range 3 {
		round()
	}
	allocs := 1.0
	for i := 0; i < 10 && allocs >= 1; i++ { // a process that is held up for lookAgain frees rightly
		allocs = testing.AllocsPerRun(50, round)
	}
	assert.Less(t, allocs, 1.0)
}

// A request that is linked while numbers are given anew keeps its number. Lower numbers
// are free or taken: no number is both, and none is lost.
func TestNumbersAreGivenAnewAroundARequestThatIsLinked(t *testing.T) {
	const n = 20_000
	for name, stay := range map[string][]int{ // the first always sends itself
		"the last but one":            {n - 2, n - 1},
		"one above few that are free": {5, 0, 1, n - 2, n - 1},
		"one in the middle":           {n / 2, 0, n/2 - 1, n/2 + 1, n - 1},
		"the last":                    {n - 1, 3, n - 2},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := New()
			require.NoError(t, err)
			defer l.Close()
			calls := make(map[*Async]int)
			var all []*Async
			add := func() *Async {
				w := NewAsync(l, func(w *Async) { calls[w]++ })
				w.Start()
				all = append(all, w)
				return w
			}
			for range n {
				add()
			}
			all[stay[0]].SetCallback(func(w *Async) { w.Send() })
			all[stay[0]].Send()
			for i, w := range slices.Backward(all) { // the low numbers are given out first
				if !slices.Contains(stay, i) {
					w.Stop()
				}
			}
			iterate := func() {
				require.NoError(t, l.RunNoWait())
				require.NoError(t, l.Verify())
			}
			for range 10 {
				iterate()
			}
			var sent []*Async
			for _, i := range stay[1:] {
				sent = append(sent, all[i])
			}
			for range 10 {
				sent = append(sent, add())
			}
			require.NoError(t, l.Verify())
			for _, w := range sent {
				w.Send()
				iterate()
				assert.Equal(t, 1, calls[w])
			}
			assert.Len(t, calls, len(sent))
		})
	}
}

// The timer may fire when the loop is on its way to the park but not there.
func TestALookThatIsDueBeforeTheParkIsNotLost(t *testing.T) {
	skipBursts(t)
	l, err := New()
	require.NoError(t, err)
	stayAlive(l)
	l.SetRelease(func(l *Loop) {
		if l.more { // the timer is set, and the loop is not marked as parked yet
			l.lookTimer.Reset(0)
			time.Sleep(20 * time.Millisecond)
		}
	}, func(*Loop) {})
	before, ended := inUse(), runs(l)
	_, err = Call(context.Background(), l, func() (int, error) { bursts["posts"](t, l, burst); return 0, nil })
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return inUse()-before < noise }, 20*time.Second, 20*time.Millisecond)
	l.StopAll()
	<-ended
	assert.Less(t, room(l), noise)
	assert.NoError(t, l.Close())
}
