package ev

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ways of WakeAuto, by a clock of the test's own.
func TestWakeAutoGoesThroughItsWays(t *testing.T) {
	const late, inTime = time.Second, time.Microsecond
	var h how
	h.init(WakeAuto, true)
	var now time.Duration
	expect := func(way uint32, what string) {
		t.Helper()
		h.choose(now)
		assert.EqualValues(t, way, h.way.Load(), what)
	}
	expect(byWrite, "at first")
	h.judge(inTime, now)
	expect(byWrite, "in time")
	for i := range 12 {
		h.judge(late, now)
		span := min(minAvoiding<<i, maxAvoiding)
		expect(directly, "late")
		now += span - 1
		expect(directly, "to the end of the span")
		now++
		expect(insured, "then a try")
		h.judge(inTime, now)
		now += span - 1
		expect(insured, "that lasts as long")
	}
	now++
	expect(byWrite, "none was late")
	h.judge(late, now)
	now += minAvoiding
	expect(insured, "it starts over")

	h.hot = true
	expect(directly, "a hot loop")
	h.hot = false
	expect(insured, "one that was")
}

func TestOtherWakeupsHaveOneWay(t *testing.T) {
	for _, c := range []struct {
		mode     Wakeup
		canWrite bool
		way      uint32
	}{{WakeWrite, true, byWrite}, {WakeDirect, true, directly}, {WakeAuto, false, directly}, {WakeWrite, false, directly}} {
		var h how
		h.init(c.mode, c.canWrite)
		h.hot = true
		h.choose(time.Hour)
		assert.Equal(t, c.way, h.way.Load())
	}
}

// Two loops that answer each other hardly ever park, once neither has found a write
// late, which the machine may be to blame for. On one processor: with more it
// depends on how long the system takes to wake one whether they get hot.
func TestHotLoopsFindEachOtherAwake(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l, m := hotLoop(t), hotLoop(t)
	wakes := func() uint64 {
		s, r := l.Stats(), m.Stats()
		return s.FDWrites + s.DirectWakes + r.FDWrites + r.DirectWakes
	}
	const rounds = 20_000
	n, before, awake := 0, uint64(0), false
	giveUp := time.Now().Add(20 * time.Second)
	var ping, pong *Async
	ping = NewAsync(l, func(*Async) {
		if n++; n%rounds == 0 {
			now := wakes()
			awake = now-before < rounds/2 // without lingering, two a round
			before = now
			if awake || time.Now().After(giveUp) {
				l.Stop()
				m.Stop()
				return
			}
		}
		pong.Send()
	})
	pong = NewAsync(m, func(*Async) { ping.Send() })
	ping.Start()
	pong.Start()
	ran := make(chan error, 1)
	go func() { ran <- m.Run(context.Background()) }()
	ping.Send()
	require.NoError(t, l.Run(context.Background()))
	require.NoError(t, <-ran)
	assert.True(t, awake, "%d wake-ups in %d rounds", wakes(), n)
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

// A write that nobody notices is made up for, and leaves nothing behind.
func TestAnInsuredParkEndsWithoutItsWrite(t *testing.T) {
	l := hotLoop(t)
	p := l.poller
	committed := make(chan struct{})
	commit := func() bool { close(committed); return true }
	go func() {
		<-committed
		p.expireAfter(time.Millisecond)
	}()
	p.park(0, never, false, commit)

	woken := make(chan struct{})
	committed = make(chan struct{})
	go func() {
		<-committed
		p.expireAfter(20 * time.Millisecond)
		p.write()
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
	p.write()
	<-woken
}
