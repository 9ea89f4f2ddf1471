package ev_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/atomic"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/goroutine"
)

// chain is a list of loops, each of which embeds the next, with the expected end of
// each.
type chain struct {
	runner atomic.Uint64 // the first field is aligned on 32-bit systems too

	t      *testing.T
	loops  []*ev.Loop
	embeds []*ev.Embed     // embeds[i] runs loops[i+1]
	closer []atomic.Uint64 // a goroutine that called Close, perhaps the first
	torn   []atomic.Uint64 // the goroutine that called the Cleanup
	times  []atomic.Uint32
}

// newChain makes a chain of n loops. Each callback of a loop may stop its Embed or
// start it again.
func newChain(t *testing.T, rng *rand.Rand, n int) *chain {
	c := &chain{t: t, closer: make([]atomic.Uint64, n), torn: make([]atomic.Uint64, n), times: make([]atomic.Uint32, n)}
	backends := ev.SupportedBackends()
	for i := range n {
		l, err := ev.New(ev.WithBackend(backends[rng.IntN(len(backends))]), ev.WithName(fmt.Sprint("loop ", i)))
		require.NoError(t, err)
		c.loops = append(c.loops, l)
		ev.NewCleanup(l, func(*ev.Cleanup) {
			c.torn[i].Store(goroutine.ID())
			c.times[i].Inc()
		}).Start()
	}
	for i := range n - 1 {
		c.embeds = append(c.embeds, embed(t, c.loops[i], c.loops[i+1]))
	}
	for i, l := range c.loops {
		turns := rng.IntN(3)
		ev.NewTimer(l, 0, 20*time.Microsecond, func(*ev.Timer) {
			if turns++; i == n-1 || turns%3 != 0 {
				return
			}
			if e := c.embeds[i]; e.Active() {
				e.Stop()
			} else if err := e.Start(); err != nil {
				assert.ErrorIs(t, err, ev.ErrClosed)
			}
		}).Start()
	}
	return c
}

// run runs the outermost loop until it is closed, in one Run or in many.
func (c *chain) run(many bool) {
	c.runner.Store(goroutine.ID())
	for {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		var err error
		if many {
			err = c.loops[0].RunOnce(ctx)
		} else {
			err = c.loops[0].Run(ctx)
		}
		cancel()
		if err != nil {
			assert.ErrorIs(c.t, err, ev.ErrClosed)
			return
		}
	}
}

func (c *chain) close(i int) {
	c.closer[i].CompareAndSwap(0, goroutine.ID())
	assert.NoError(c.t, c.loops[i].Close())
}

// check requires that each loop was torn down once, by a goroutine that is allowed to.
func (c *chain) check(allowed func(i int, goroutine uint64) bool) {
	for i, l := range c.loops {
		assert.EqualValues(c.t, 1, c.times[i].Load(), "teardowns of loop %d", i)
		assert.True(c.t, allowed(i, c.torn[i].Load()), "loop %d: by goroutine %d", i, c.torn[i].Load())
		assert.ErrorIs(c.t, l.RunNoWait(), ev.ErrClosed)
		assert.Zero(c.t, l.Active())
	}
	for _, e := range c.embeds {
		assert.False(c.t, e.Active())
	}
}

func TestClosesOfHostsAndEmbeddedLoopsNeitherWaitForEachOtherNorLoseATeardown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	before := openDescriptors()
	deadline := time.Now().Add(1500 * time.Millisecond)
	for round := 0; round < 2000 && (round < 20 || time.Now().Before(deadline)) && !t.Failed(); round++ {
		n := 2 + rng.IntN(3)
		c := newChain(t, rng, n)
		many, begin := rng.IntN(2) == 0, make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		byGoroutine := make(map[uint64][]int) // which loops a goroutine closed
		closing := func(i, yields int) {
			wg.Go(func() {
				<-begin
				mu.Lock()
				byGoroutine[goroutine.ID()] = []int{i}
				mu.Unlock()
				for range yields {
					runtime.Gosched()
				}
				c.close(i)
			})
		}
		for i := range n {
			closing(i, rng.IntN(40))
		}
		for range rng.IntN(3) {
			closing(rng.IntN(n), rng.IntN(40))
		}
		wg.Go(func() {
			<-begin
			c.run(many)
		})
		close(begin)
		ended := make(chan struct{})
		go func() { wg.Wait(); close(ended) }()
		receive(t, ended)
		c.check(func(i int, g uint64) bool {
			if g == c.runner.Load() {
				return true
			}
			// A Close of a host, between two Runs, stops its Embed. If a Run of a loop above has
			// begun meanwhile, a Close of the loop below was left to that Run, which does not find
			// it any more.
			closed := byGoroutine[g]
			return len(closed) == 1 && closed[0] <= i
		})
	}
	assert.LessOrEqual(t, openDescriptors(), before)
}

// Without a Run, the goroutine that calls Close tears the loop down before Close
// returns.
func TestClosesBetweenRunsAreDoneWhenTheyReturn(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		n := 2 + rng.IntN(3)
		c := newChain(t, rng, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				c.close(i)
				assert.EqualValues(t, 1, c.times[i].Load())
			})
		}
		ended := make(chan struct{})
		go func() { wg.Wait(); close(ended) }()
		receive(t, ended)
		c.check(func(i int, g uint64) bool { return g == c.closer[i].Load() })
	}
}

// The goroutine in Run tears down the loops that another goroutine closes, even if it
// stops and starts Embeds meanwhile.
func TestAnEmbeddedLoopOfAnEmbeddedLoopThatIsClosedDuringARunIsTakenDownByThatRun(t *testing.T) {
	type tree struct {
		outer, middle, inner *ev.Loop
		om, mi               *ev.Embed
	}
	closeElsewhere := func(t *testing.T, l *ev.Loop) {
		done := make(chan error)
		go func() { done <- l.Close() }()
		assert.NoError(t, receive(t, done))
	}
	for name, last := range map[string]func(t *testing.T, x *tree){
		"and the Run ends": func(*testing.T, *tree) {},
		"and the middle is closed": func(t *testing.T, x *tree) {
			assert.NoError(t, x.middle.Close())
		},
		"and the middle is closed elsewhere": func(t *testing.T, x *tree) { closeElsewhere(t, x.middle) },
		"and the outermost is closed":        func(t *testing.T, x *tree) { assert.NoError(t, x.outer.Close()) },
		"and its Embed stops":                func(t *testing.T, x *tree) { x.mi.Stop() },
		"and its host's Embed stops":         func(t *testing.T, x *tree) { x.om.Stop() },
		"and all are closed": func(t *testing.T, x *tree) {
			closeElsewhere(t, x.outer)
			closeElsewhere(t, x.middle)
		},
	} {
		for _, where := range []string{"outer", "middle", "inner"} {
			t.Run("in the "+where+" "+name, func(t *testing.T) {
				onEveryPair(t, func(t *testing.T, outer, middle *ev.Loop) {
					x := &tree{outer: outer, middle: middle, inner: newLoop(t)}
					x.om, x.mi = embed(t, outer, middle), embed(t, middle, x.inner)
					var by []uint64
					ev.NewCleanup(x.inner, func(*ev.Cleanup) { by = append(by, goroutine.ID()) }).Start()
					farOff(t, x.inner)
					loops := map[string]*ev.Loop{"outer": outer, "middle": middle, "inner": x.inner}
					dueNow(loops[where], func(*ev.Timer) {
						closeElsewhere(t, x.inner)
						assert.Empty(t, by)
						last(t, x)
						outer.Stop()
					})
					if err := outer.Run(t.Context()); err != nil {
						assert.ErrorIs(t, err, ev.ErrClosed)
					}
					assert.Equal(t, []uint64{goroutine.ID()}, by)
					assert.Zero(t, x.inner.Active())
					if middle.RunNoWait() == nil && outer.RunNoWait() == nil { // if they have no host now
						assert.False(t, x.mi.Active())
					}
					assert.NoError(t, outer.Verify())
					assert.NoError(t, middle.Verify())
				})
			})
		}
	}
}

// A function that the host calls while it waits may stop Embeds. The host gets its
// descriptors back.
func TestAnEmbedStoppedWhileTheHostWaits(t *testing.T) {
	onEveryPair(t, func(t *testing.T, host, embedded *ev.Loop) {
		below := newLoop(t)
		e, under := embed(t, host, embedded), embed(t, embedded, below)
		other := embed(t, host, newLoop(t))
		ev.NewAsync(below, func(*ev.Async) {}).Start()
		waits := 0
		host.SetRelease(func(*ev.Loop) {
			if waits++; waits == 1 {
				e.Stop()
				host.Stop()
			}
		}, func(*ev.Loop) {})
		run(t, host)
		assert.Equal(t, 1, waits)
		assert.False(t, e.Active())
		assert.True(t, under.Active())
		assert.True(t, other.Active())
		for _, l := range []*ev.Loop{host, embedded, below} {
			assert.NoError(t, l.Verify())
			nowait(t, l) // it has no host now, or no goroutine waits in it
		}
		require.NoError(t, e.Start())
		nowait(t, host)
		host.SetRelease(nil, nil)
	})
}
