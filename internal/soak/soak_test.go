package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAFewSecondsOfAllFindNothing(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-for", "3s", "-seed", "1"}, &out))
	assert.Contains(t, out.String(), "soak -for 3s -seed 1\n")
	assert.Contains(t, out.String(), "nothing is broken, nothing grew\n")
}

func TestBadArgumentsAreNamed(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  string
	}{
		{[]string{"-for", "10ms"}, "-for 10ms is too short to tell anything: a second is the least"},
		{[]string{"all"}, `there are no arguments, and "all" is one`},
	} {
		assert.EqualError(t, run(t.Context(), test.args, new(bytes.Buffer)), test.err)
	}
}

func TestWhatGrewIsNamed(t *testing.T) {
	before := holdings{heap: 100, goroutines: 10, descriptors: 20, threads: 5}
	slack := holdings{heap: 50, goroutines: 1}
	assert.NoError(t, compare("grew", before, holdings{heap: 150, goroutines: 11, descriptors: 20, threads: 5}, slack))
	assert.EqualError(t, compare("grew", before, holdings{heap: 151, goroutines: 11, descriptors: 21, threads: 1}, slack),
		"heap grew: 100 before, 151 after, and 150 is allowed\ndescriptors grew: 20 before, 21 after, and 20 is allowed")
}

func TestSteadyGrowthIsSeenAndOneOutlierIsNot(t *testing.T) {
	steady := make([]holdings, 100)
	for i := range steady {
		steady[i].goroutines = int64(i)
	}
	assert.ErrorContains(t, grown(steady), "goroutines grew")

	outlier := make([]holdings, 100)
	outlier[99].descriptors = 1000
	assert.NoError(t, grown(outlier))
	assert.Error(t, grown(outlier[:4]), "too few to tell")
}

// testRoom is a room of one kind, without load.
func testRoom(t *testing.T, makeKind func(*room) (*kind, error)) *room {
	t.Cleanup(keepFromSignals())
	l, err := ev.New()
	require.NoError(t, err)
	r := &room{loop: l, dir: t.TempDir(), tally: &tally{failed: func() {}}, rng: rand.New(rand.NewPCG(1, 1))}
	r.conductor = ev.NewTimer(l, 0, 1, r.conduct)
	k, err := makeKind(r)
	require.NoError(t, err)
	r.kinds = append(r.kinds, k)
	t.Cleanup(r.close)
	return r
}

func iterate(t *testing.T, r *room) {
	t.Helper()
	require.NoError(t, r.loop.RunNoWait())
}

func newPusher(t *testing.T) *pusher {
	return &pusher{ctx: t.Context(), rng: rand.New(rand.NewPCG(1, 1))}
}

// These tests plant faults. Each check must find its fault.

func TestACallbackWithoutASendIsFound(t *testing.T) {
	var c *counted
	r := testRoom(t, func(r *room) (*kind, error) { c = newCounted(r, r.loop); return &kind{}, nil })
	c.send(c.Send)
	iterate(t, r)
	require.NoError(t, r.tally.err())
	c.Feed(ev.AsyncEvent)
	iterate(t, r)
	assert.ErrorContains(t, r.tally.err(), "2 callbacks of 1 sends")
}

func TestTwoCallbacksInOneIterationAreFound(t *testing.T) {
	var c *counted
	r := testRoom(t, func(r *room) (*kind, error) { c = newCounted(r, r.loop); return &kind{}, nil })
	c.send(c.Send)
	c.send(c.Send)
	iterate(t, r)
	c.Invoke(ev.AsyncEvent)
	assert.ErrorContains(t, r.tally.err(), "two callbacks in iteration 1")
}

func TestASendWithoutACallbackIsOwed(t *testing.T) {
	var c *counted
	r := testRoom(t, func(r *room) (*kind, error) { c = newCounted(r, r.loop); return &kind{settle: c.owed}, nil })
	c.send(func() {})
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "1 sends, and the last callback was for 0 of them")
	c.send(c.Send)
	iterate(t, r)
	assert.NoError(t, r.owed())
}

func TestALostItemIsFound(t *testing.T) {
	var b *belt
	r := testRoom(t, func(r *room) (*kind, error) { b = newBelt(r, 0); return &kind{settle: b.owed}, nil })
	b.send(newPusher(t))
	b.sent[0].Add(1)
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "sender 0 sent 2 items, and 1 came")
	b.send(newPusher(t))
	iterate(t, r)
	assert.ErrorContains(t, r.tally.err(), "item 3 of sender 0 came where 2 was due")
}

func TestALostPostIsFound(t *testing.T) {
	s := &posts{}
	r := testRoom(t, func(r *room) (*kind, error) { s.room = r; return &kind{settle: s.owed}, nil })
	s.post(newPusher(t))
	s.posted[0].Add(1)
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "goroutine 0 posted 2 functions, and 1 ran")
	s.post(newPusher(t))
	iterate(t, r)
	assert.ErrorContains(t, r.tally.err(), "function 3 of goroutine 0 ran where 2 was due")
}

func TestAnEarlyTimerIsFound(t *testing.T) {
	var a *alarm
	r := testRoom(t, func(r *room) (*kind, error) { a = newAlarm(r); return &kind{}, nil })
	a.due = time.Now().Add(time.Hour)
	a.Invoke(ev.TimerEvent)
	assert.ErrorContains(t, r.tally.err(), "early")
}

func TestAPeriodicCalledBetweenSlotsIsFound(t *testing.T) {
	r := testRoom(t, newPeriodics)
	for _, w := range []ev.Watcher{r.watcher(t, "Periodic"), r.watcher(t, "Scheduler")} {
		w.Feed(ev.PeriodicEvent)
	}
	iterate(t, r)
	assert.ErrorContains(t, r.tally.err(), "Scheduler: called 1 times, asked for a moment 1 times")
}

// watcher returns the watcher of the room that has this type.
func (r *room) watcher(t *testing.T, kind string) ev.Watcher {
	for w := range r.loop.Watchers() {
		if ev.CallbackOf(w).Kind() == kind {
			return w
		}
	}
	require.FailNow(t, "no watcher", kind)
	return nil
}

func TestAnUnexpectedRefusalIsAFaultAndErrClosedAtTheEndIsNot(t *testing.T) {
	r := testRoom(t, newHooks)
	assert.False(t, r.refused(nil))
	r.closing.Store(true)
	assert.True(t, r.refused(ev.ErrClosed))
	assert.NoError(t, r.tally.err())
	assert.True(t, r.refused(ev.ErrFull))
	r.closing.Store(false)
	assert.True(t, r.refused(ev.ErrClosed))
	assert.ErrorIs(t, r.tally.err(), ev.ErrFull)
	assert.ErrorIs(t, r.tally.err(), ev.ErrClosed)
}

func TestOnlySomeFaultsAreTold(t *testing.T) {
	failed := 0
	tl := &tally{failed: func() { failed++ }}
	for range mostFaults + 3 {
		tl.fault("broken")
	}
	assert.ErrorContains(t, tl.err(), "and 3 more")
	assert.Equal(t, mostFaults+3, failed)
}

func TestRunEndsEarlyWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"-for", "1h"}, new(bytes.Buffer))
	assert.ErrorContains(t, err, "0 samples are too few")
}

func TestALostItemOfAMailboxAndALostSignalAreFound(t *testing.T) {
	var s *tasks
	r := testRoom(t, func(r *room) (*kind, error) {
		s = &tasks{room: r, mail: ev.NewMailbox[numbered](r.loop, 0), cond: ev.NewCond(r.loop)}
		ev.Spawn(r.loop, func(task *ev.Task) error { return s.work(task, 0) })
		ev.Spawn(r.loop, s.wait)
		return &kind{settle: s.owed}, nil
	})
	iterate(t, r)
	s.send(newPusher(t))
	s.sent[0].Add(1)
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "sender 0 sent 2 items, and 1 came; 0 are in the mailbox")
	s.take(numbered{0, 3})
	assert.ErrorContains(t, r.tally.err(), "item 3 of sender 0 came where 2 was due")
	s.sent[0].Store(3)
	s.given++
	assert.ErrorContains(t, r.owed(), "1 signals were given, and 0 came")
	s.given++
	s.cond.Signal()
	iterate(t, r)
	assert.ErrorContains(t, r.owed(), "2 signals were given, and 1 came")
}
