package ev

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// simulated is the policy of a loop whose wakes are as late as the test says.
type simulated struct {
	wakePolicy
	write, direct time.Duration
	slow          time.Duration // both are later by this
}

func newSimulated(write, direct time.Duration) *simulated {
	s := &simulated{write: write, direct: direct}
	s.init(WakeAuto, true)
	return s
}

// wake makes a wake, which ends in time if it has a deadline, and returns its strategy.
func (s *simulated) wake() (strategy uint32) {
	s.choose()
	strategy = s.strategy.Load()
	if strategy == wakeDirect {
		s.judge(s.direct + s.slow)
	} else {
		s.judge(min(s.write, time.Duration(s.limit.Load())) + s.slow)
	}
	return strategy
}

// wakes makes n wakes, and returns which of them were of that strategy.
func (s *simulated) wakes(n int, strategy uint32) (of []int) {
	for i := range n {
		if s.wake() == strategy {
			of = append(of, i)
		}
	}
	return of
}

func TestWakeAutoTakesTheStrategyThatIsLessLate(t *testing.T) {
	for name, c := range map[string]struct {
		write, direct time.Duration
		better        uint32
	}{
		"the sender goes on computing": {35 * time.Microsecond, 114 * time.Microsecond, wakeWrite},
		"the sender yields":            {36 * time.Microsecond, 1600 * time.Nanosecond, wakeDirect},
		"half busy":                    {40 * time.Microsecond, 25 * time.Microsecond, wakeDirect},
		"busy":                         {10 * time.Millisecond, time.Microsecond, wakeDirect},
		"hardly better":                {10 * time.Microsecond, 13 * time.Microsecond, wakeDirect},
		"better":                       {10 * time.Microsecond, 14 * time.Microsecond, wakeWrite},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(c.write, c.direct)
			s.wakes(128, 0)
			assert.LessOrEqual(t, len(s.wakes(650, 1-c.better)), 10, "one in 65 at most")
			assert.Equal(t, c.better, s.better)
		})
	}
}

func TestWakeAutoTriesTheOtherStrategyTheMoreRarelyTheMoreItLoses(t *testing.T) {
	for name, c := range map[string]struct {
		ratio int
		apart []int // the wakes between tries
	}{
		"hardly": {1, []int{2, 4, 8, 16, 32, 64, 64, 64}},
		"twice":  {2, []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096}},
		"7":      {7, []int{7, 49, 343, 2401, 4096, 4096}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(time.Duration(c.ratio)*minLimit/8+1, minLimit/8)
			assert.Equal(t, []int{0, 2}, s.wakes(3, wakeWrite), "one of each, and a try")
			for _, apart := range c.apart {
				assert.Equal(t, []int{apart}, s.wakes(apart+1, wakeWrite))
			}
		})
	}
}

// One late write is enough, and its deadline has ended it.
func TestWakeAutoChangesOverWhenTheProcessBecomesBusy(t *testing.T) {
	for name, idle := range map[string]time.Duration{"little": 14 * time.Microsecond, "much": 114 * time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(10*time.Microsecond, idle)
			s.wakes(100, 0)
			s.choose()
			assert.Equal(t, limitFactor*10*time.Microsecond, time.Duration(s.limit.Load()))
			s.write, s.direct = 10*time.Millisecond, 2*time.Microsecond
			assert.LessOrEqual(t, len(s.wakes(4000, wakeWrite)), 16)
		})
	}
}

// At once if a direct wake is later than a write ever was. Otherwise tries must find it out.
func TestWakeAutoChangesBack(t *testing.T) {
	for name, busy := range map[string]time.Duration{"busy": 2 * time.Microsecond, "overloaded": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(10*time.Millisecond, busy)
			s.wakes(4000, 0)
			s.write, s.direct = 35*time.Microsecond, 114*time.Microsecond
			s.wakes(20000, 0)
			assert.LessOrEqual(t, len(s.wakes(650, wakeDirect)), 10)
		})
	}
}

// A wake that is very late says that no processor was idle, and polled. The next ones are direct,
// and it does not count for either strategy.
func TestWakeAutoMakesDirectWakesAfterOneThatWasVeryLate(t *testing.T) {
	for _, c := range []struct{ write, direct time.Duration }{
		{20 * time.Microsecond, 100 * time.Microsecond}, {100 * time.Microsecond, 20 * time.Microsecond},
	} {
		s := newSimulated(c.write, c.direct)
		s.wakes(1000, 0)
		before := s.late
		s.slow = 10 * time.Millisecond
		s.wake()
		s.slow = 0
		assert.Equal(t, before, s.late)
		assert.Empty(t, s.wakes(overloaded, wakeWrite))
		if s.better == wakeWrite {
			assert.Len(t, s.wakes(10, wakeWrite), 10, "then it goes on")
		}
	}
}

// The first wakes of a loop are very late, and writes later than others.
func TestWakeAutoRemembersAWriteThatWasVeryLateFromTheBeginning(t *testing.T) {
	s := newSimulated(time.Hour, 10*time.Microsecond)
	s.limit.Store(uint32(2 * overload)) // the deadline is late too
	s.wake()
	assert.LessOrEqual(t, len(s.wakes(50, wakeWrite)), 3)
}

// No processor is idle then, and polls.
func TestWakeAutoTriesNoWritesWhileAllWakesAreVeryLate(t *testing.T) {
	s := newSimulated(20*time.Microsecond, 10*time.Microsecond)
	s.wakes(1000, 0)
	s.slow = 10 * time.Millisecond
	s.wakes(100, 0)
	assert.Empty(t, s.wakes(10000, wakeWrite))
	s.slow = 0
	assert.NotEmpty(t, s.wakes(1000, wakeWrite))
}

func TestTheLimitOfAWriteIsAMultipleOfWhatIsBetter(t *testing.T) {
	for _, c := range []struct{ better, limit time.Duration }{
		{time.Microsecond, minLimit},
		{10 * time.Microsecond, 40 * time.Microsecond},
		{overload / 4, overload},
	} {
		for _, s := range []*simulated{newSimulated(c.better, 2*c.better), newSimulated(2*c.better, c.better)} {
			s.wakes(100, 0)
			assert.InEpsilon(t, c.limit, time.Duration(s.limit.Load()), 0.1)
		}
	}
}

func TestTheMeanForgets(t *testing.T) {
	mean := nextMean(0, 100, false)
	assert.EqualValues(t, 100, mean, "the first")
	mean = nextMean(mean, 180, false)
	assert.EqualValues(t, 110, mean, "an eighth of those in use")
	mean = nextMean(mean, 210, true)
	assert.EqualValues(t, 160, mean, "half of a try")
	mean = nextMean(mean, time.Hour, false)
	assert.EqualValues(t, 160+2*160/8, mean, "an outlier counts as 3 times the mean")
	assert.EqualValues(t, 1, nextMean(0, 0, false), "it was tried")
}

func TestOtherWakeupsHaveOneStrategy(t *testing.T) {
	for _, c := range []struct {
		mode        Wakeup
		canWakeByFD bool
		strategy    uint32
	}{{WakeWrite, true, wakeWrite}, {WakeDirect, true, wakeDirect}, {WakeAuto, false, wakeDirect}, {WakeWrite, false, wakeDirect}} {
		var w wakePolicy
		w.init(c.mode, c.canWakeByFD)
		w.hot = true
		w.choose()
		assert.Equal(t, c.strategy, w.strategy.Load())
	}
}

// yielding counts the loop's yields. Each yield calls others, in place of the
// goroutines that would run then.
func yielding(l *Loop, others func()) (yielded *int) {
	yielded = new(int)
	l.wakePolicy.yield = func() { *yielded++; others() }
	return yielded
}

// Two hot loops that answer each other do not park. When one yields, the other makes
// an iteration.
func TestHotLoopsFindEachOtherAwake(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		const rounds = 1000
		l, p := newStepped(t)
		m, q := newStepped(t)
		n := 0
		var ping, pong *Async
		ping = NewAsync(l, func(*Async) {
			if n++; n == rounds {
				l.Stop()
				return
			}
			pong.Send()
		})
		pong = NewAsync(m, func(*Async) { ping.Send() })
		ping.Start()
		pong.Start()
		yielded := yielding(l, func() { require.NoError(t, m.RunOnce(t.Context())) })
		ping.Send()
		require.NoError(t, l.Run(t.Context()))
		assert.Equal(t, rounds, n)
		assert.Equal(t, rounds-1, *yielded)
		assert.Equal(t, counts{}, p.counted())
		assert.Equal(t, counts{}, q.counted())
	})
}

// bystander is a loop that only answers sends.
type bystander struct {
	l       *Loop
	p       *stepped
	a       *Async
	spent   time.Duration // by each callback
	sends   int           // in the yields to come
	yielded *int
}

func newBystander(t *testing.T) *bystander {
	b := new(bystander)
	b.l, b.p = newStepped(t)
	b.a = NewAsync(b.l, func(*Async) { time.Sleep(b.spent) })
	b.a.Start()
	b.yielded = yielding(b.l, func() {
		if b.sends > 0 {
			b.sends--
			b.a.Send()
		}
	})
	return b
}

// yields sends to the loop n times, each time when it is parked, and returns how
// often it yielded before it parked anew.
func (b *bystander) yields(n int) (each []int) {
	for range n {
		before := *b.yielded
		b.a.Send()
		synctest.Wait()
		each = append(each, *b.yielded-before)
	}
	return each
}

func TestAHotLoopYieldsEverMoreRarelyInVain(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		b := newBystander(t)
		inRun(t, b.l)
		for _, skips := range []int{1, 3, 7, 15, 31, 63, maxSkips, maxSkips} {
			each := b.yields(1 + skips)
			assert.Equal(t, yields, each[0])
			assert.Equal(t, make([]int, skips), each[1:])
		}
	})
}

func TestAYieldThatWasNotInVainForgetsThoseThatWere(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		b := newBystander(t)
		inRun(t, b.l)
		b.yields(1 + 1 + 1 + 3 + 1 + 7)
		b.sends = 1
		assert.Equal(t, []int{1 + yields, 0, yields}, b.yields(3), "not 16 times without")
	})
}

// In a busy process a yield lets all other goroutines run first.
func TestALoopWhoseYieldsAreLongDoesNotYield(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		b := newBystander(t)
		var long time.Duration
		b.yielded = yielding(b.l, func() {
			time.Sleep(long)
			b.a.Send()
		})
		inRun(t, b.l)
		long = hotIteration
		b.a.Send()
		pass(time.Second)
		assert.Equal(t, 1, *b.yielded)
		long = 0
		b.yields(1) // it was not hot before
		assert.Equal(t, make([]int, slowSkips-1), b.yields(slowSkips-1))
	})
}

func TestALoopThatIsNotHotDoesNotYield(t *testing.T) {
	for name, spent := range map[string]time.Duration{"at all": time.Second, "just": hotIteration} {
		t.Run(name, func(t *testing.T) {
			inSteps(t, func(t *testing.T) {
				b := newBystander(t)
				b.spent = spent
				inRun(t, b.l)
				for range 10 {
					pass(spent)
					b.a.Send()
				}
				pass(spent)
				assert.Zero(t, *b.yielded)
			})
		})
	}
}

func TestALoopInAnotherModeDoesNotYield(t *testing.T) {
	for _, mode := range []Wakeup{WakeWrite, WakeDirect} {
		t.Run(mode.String(), func(t *testing.T) {
			inSteps(t, func(t *testing.T) {
				b := newBystander(t)
				b.l.wakePolicy.init(mode, true)
				yielded := yielding(b.l, func() {})
				inRun(t, b.l)
				b.yields(10)
				assert.Zero(t, *yielded)
			})
		})
	}
}

func hotLoop(t *testing.T) *Loop {
	l, err := New()
	require.NoError(t, err)
	if !l.poller.canWakeByFD() {
		t.Skip("no WakeAuto here")
	}
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// The deadline ends the park of a lost write, and the write has no later effect.
func TestAParkWithADeadlineEndsWithoutItsWrite(t *testing.T) {
	l := hotLoop(t)
	p := l.poller
	committed := make(chan struct{})
	commit := func() bool { close(committed); return true }
	go func() {
		<-committed
		p.wakeWithin(time.Millisecond)
	}()
	p.park(0, never, false, commit)

	woken := make(chan struct{})
	committed = make(chan struct{})
	go func() {
		<-committed
		p.wakeWithin(20 * time.Millisecond)
		p.wakeByFD()
	}()
	p.park(0, never, false, commit) // by the write
	committed = make(chan struct{})
	go func() { p.park(0, never, false, commit); close(woken) }()
	<-committed
	select {
	case <-woken:
		t.Error("woken by the deadline of another park")
	case <-time.After(60 * time.Millisecond):
	}
	p.wakeByFD()
	<-woken
}
