package ev

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The strategies of WakeAuto, by the test's own clock.
func TestWakeAutoGoesThroughItsStrategies(t *testing.T) {
	const late, inTime = time.Second, time.Microsecond
	var w wakePolicy
	w.init(WakeAuto, true)
	var now time.Duration
	expect := func(strategy uint32, what string) {
		t.Helper()
		w.choose(now)
		assert.EqualValues(t, strategy, w.strategy.Load(), what)
	}
	expect(wakeFD, "at first")
	w.judge(inTime, now)
	expect(wakeFD, "in time")
	for i := range 12 {
		w.judge(late, now)
		span := min(minAvoiding<<i, maxAvoiding)
		expect(wakeDirect, "late")
		now += span - 1
		expect(wakeDirect, "to the end of the span")
		now++
		expect(wakeFDWithDeadline, "then a try")
		w.judge(inTime, now)
		now += span - 1
		expect(wakeFDWithDeadline, "that lasts as long")
	}
	now++
	expect(wakeFD, "none was late")
	w.judge(late, now)
	now += minAvoiding
	expect(wakeFDWithDeadline, "it starts over")

	w.hot = true
	expect(wakeDirect, "a hot loop")
	w.hot = false
	expect(wakeFDWithDeadline, "one that was")
}

func TestOtherWakeupsHaveOneStrategy(t *testing.T) {
	for _, c := range []struct {
		mode        Wakeup
		canWakeByFD bool
		strategy    uint32
	}{{WakeWrite, true, wakeFD}, {WakeDirect, true, wakeDirect}, {WakeAuto, false, wakeDirect}, {WakeWrite, false, wakeDirect}} {
		var w wakePolicy
		w.init(c.mode, c.canWakeByFD)
		w.hot = true
		w.choose(time.Hour)
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

// Its yields would let all other goroutines run first.
func TestALoopWhoseWritesAreLateDoesNotYield(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		b := newBystander(t)
		inRun(t, b.l)
		assert.Equal(t, []int{yields}, b.yields(1))
		b.l.wakePolicy.skips = 0
		pass(time.Second)
		assert.Equal(t, []int{0}, b.yields(1), "it has slept")
		lateOnce(b.p, b.a)
		b.yields(1)
		assert.Equal(t, make([]int, 100), b.yields(100))
		for range 2 { // by deadline, by both, and by FD
			pass(minAvoiding)
			b.yields(1)
		}
		assert.Contains(t, b.yields(10), yields)
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
	if l.backend == BackendChan {
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
