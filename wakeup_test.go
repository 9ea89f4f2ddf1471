package ev

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// The steps of wakeup.go's protocol, in the orders that matter.

// answering is an Async that counts its callbacks, each of which takes a
// millisecond: the loop is not hot.
func answering(l *Loop) (a *Async, calls *int) {
	calls = new(int)
	a = NewAsync(l, func(*Async) { *calls++; time.Sleep(time.Millisecond) })
	a.Start()
	return a, calls
}

func TestOneSenderWakesTheLoopForAllOfThem(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, first := answering(l)
		b, second := answering(l)
		inRun(t, l)
		assert.Equal(t, counts{slept: 1}, p.counted())
		held := p.stop(t, beforeWrite)
		go a.Send()
		held.reached()
		b.Send() // finds that the wake is claimed
		assert.Equal(t, counts{withDeadline: 1}, p.counted())
		held.goOn()
		pass(time.Second)
		assert.Equal(t, counts{slept: 1, writes: 1}, p.counted())
		assert.Equal(t, 1, *first)
		assert.Equal(t, 1, *second)
	})
}

func TestASpuriousWakeUpDoesNotEndARunOnce(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		ended := make(chan error, 1)
		runOnce := func() { ended <- l.RunOnce(context.Background()) }
		go runOnce()
		synctest.Wait()
		held := p.stop(t, beforeWrite)
		go a.Send()
		held.reached()
		assert.NoError(t, <-ended) // by the deadline beside the write
		assert.Equal(t, 1, *calls)

		p.counted()
		go runOnce()
		synctest.Wait()
		held.goOn()
		assert.Equal(t, counts{slept: 2, writes: 1}, p.counted())
		assert.Empty(t, ended)
		assert.True(t, l.Parked())
		a.Send()
		assert.NoError(t, <-ended)
		assert.Equal(t, 2, *calls)
		assert.EqualValues(t, 2, l.Iteration())
	})
}

// The inner RunOnce, which has nothing to do, ends with the context of the outer Run.
func TestTheEndOfAnOuterRunEndsAnInnerRunOnce(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, _ := newStepped(t)
		a, _ := answering(l)
		defer a.Stop()
		ctx, cancel := context.WithCancel(context.Background())
		returned := false
		NewTimer(l, 0, 0, func(*Timer) {
			time.AfterFunc(time.Second, cancel)
			assert.NoError(t, l.RunOnce(context.Background()))
			returned = true
		}).Start()
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.True(t, returned)
	})
}

func TestARequestBeforeTheCommitKeepsTheLoopAwakeAndWakesNobody(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, first := answering(l)
		b, second := answering(l)
		parking := p.stop(t, beforeCommit)
		inRun(t, l)
		parking.reached()
		a.Send()
		refused := p.stop(t, afterRefusal)
		parking.goOn()
		refused.reached()
		b.Send() // the loop will not sleep now
		assert.Equal(t, counts{}, p.counted())
		assert.False(t, l.Parked())
		refused.goOn()
		pass(time.Second)
		assert.Equal(t, counts{slept: 1}, p.counted())
		assert.Equal(t, 1, *first)
		assert.Equal(t, 1, *second)
	})
}

func TestASendWakesNobodyOnceTheLoopIsUpByItself(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		NewTimer(l, time.Second, 0, func(*Timer) { time.Sleep(time.Second) }).Start()
		inRun(t, l)
		pass(1500 * time.Millisecond) // in the timer's callback
		a.Send()
		assert.Equal(t, counts{slept: 1}, p.counted())
		pass(time.Second)
		assert.Equal(t, counts{slept: 1}, p.counted())
		assert.Equal(t, 1, *calls)
	})
}

func TestAStopOrACloseBeforeTheCommitKeepsTheLoopAwake(t *testing.T) {
	for name, end := range map[string]func(*Loop){
		"Stop": (*Loop).Stop, "StopAll": (*Loop).StopAll, "Close": func(l *Loop) { _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inSteps(t, func(t *testing.T) {
				l, p := newStepped(t)
				answering(l)
				parking := p.stop(t, beforeCommit)
				ended := false
				go func() { _ = l.Run(t.Context()); ended = true }()
				parking.reached()
				end(l)
				parking.goOn()
				assert.True(t, ended)
				assert.Equal(t, counts{}, p.counted())
				p.end()
			})
		})
	}
}

// A host that waits must get its embedded loop back from the proxy.

// waitingHost makes a host whose embedded loop has a proxy in its poller.
func waitingHost(t *testing.T) (host, embedded *Loop, p *stepped, ask *Async, calls *int) {
	host = newBubbleLoop(t)
	embedded, p = newStepped(t)
	e := NewEmbed(host, embedded, nil)
	assert.NoError(t, e.Start())
	ask, calls = answering(host)
	return host, embedded, p, ask, calls
}

func TestARecallBeforeTheEmbeddedLoopsCommitKeepsItsProxyAwake(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		host, _, p, ask, calls := waitingHost(t)
		parking := p.stop(t, beforeCommit)
		inRun(t, host)
		parking.reached()
		ask.Send()
		assert.Equal(t, counts{direct: 1}, p.counted()) // too early to end the sleep
		parking.goOn()
		assert.Equal(t, 0, p.counted().slept)
		pass(time.Second)
		assert.Equal(t, 1, *calls)
		p.end()
	})
}

func TestARecallDoesNotWaitForTheWriteOfASender(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		host, embedded, p, ask, calls := waitingHost(t)
		a, answered := answering(embedded)
		inRun(t, host)
		held := p.stop(t, beforeWrite)
		go a.Send() // has claimed the wake
		held.reached()
		ask.Send()
		pass(time.Second)
		assert.Equal(t, 1, *calls)
		assert.Equal(t, 1, *answered)
		held.goOn()
		p.end()
	})
}

func TestARecallOfAnEmbeddedLoopAsleepMakesNoWrite(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		host, embedded, p, ask, calls := waitingHost(t)
		inRun(t, host)
		assert.Equal(t, counts{slept: 1}, p.counted())
		ask.Send()
		pass(time.Second)
		assert.Equal(t, counts{slept: 1, direct: 1}, p.counted())
		assert.Equal(t, 1, *calls)
		assert.EqualValues(t, 1, embedded.Stats().DirectWakes)
	})
}

func TestStatsOfAnEmbeddedLoopAreExactWhileItsProxyParks(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		host, embedded, _, _, _ := waitingHost(t)
		a, _ := answering(embedded)
		inRun(t, host)
		for i := range 5 { // less than publishEvery
			assert.EqualValues(t, i, embedded.Stats().Collected)
			a.Send()
			pass(time.Second)
		}
	})
}

// By the stamp of a wake the loop finds out how late it was.

// found waits until the loop is parked, and returns what it found out.
func found(l *Loop) (write, direct time.Duration) {
	synctest.Wait()
	return l.wakePolicy.late[wakeWrite], l.wakePolicy.late[wakeDirect]
}

// wakesBy sends to the loop, and requires that this wakes it.
func wakesBy(t *testing.T, p *stepped, a *Async, want counts, what string) {
	t.Helper()
	p.counted()
	a.Send()
	pass(2 * time.Millisecond)
	want.slept = 1
	assert.Equal(t, want, p.counted(), what)
}

// The first two wakes of a loop are one of each kind.
func TestAWakeIsJudgedByItsStamp(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		inRun(t, l)
		p.deliverAfter(minLimit / 2)
		wakesBy(t, p, a, counts{writes: 1, withDeadline: 1}, "a write")
		held := p.stop(t, beforeDirect)
		go a.Send()
		held.reached()
		pass(minLimit / 4)
		held.goOn()
		pass(time.Second)
		assert.Equal(t, 2, *calls)
		write, direct := found(l)
		assert.Equal(t, minLimit/2, write)
		assert.Equal(t, minLimit/4, direct)
	})
}

func TestAWakeThatIsNoticedBeforeItReturnsIsJudged(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		inRun(t, l)
		p.deliverAfter(minLimit / 2)
		held := p.stop(t, afterWrite)
		go a.Send()
		held.reached()
		pass(time.Second)
		assert.Equal(t, 1, *calls)
		write, _ := found(l)
		assert.Equal(t, minLimit/2, write)
		held.goOn()
	})
}

// A stamp is never 0, the value that means none: not at the start, and not when the
// nanoseconds wrap.
func TestAWakeIsJudgedAtAnyTime(t *testing.T) {
	const round = 1 << 32 * time.Nanosecond
	for _, at := range []time.Duration{0, round, 2 * round, round - minLimit/2, round + time.Nanosecond, time.Nanosecond} {
		t.Run(at.String(), func(t *testing.T) {
			inSteps(t, func(t *testing.T) {
				l, p := newStepped(t)
				a, _ := answering(l)
				inRun(t, l)
				pass(at - time.Since(l.base))
				p.deliverAfter(minLimit - 2*time.Nanosecond)
				a.Send()
				pass(time.Second)
				write, _ := found(l)
				assert.InDelta(t, minLimit, write, 4)
			})
		})
	}
}

// A sender may be held up between its claim and its stamp. If the park that it claimed
// ends meanwhile, the stamp must not be judged in the next park.
func TestAStampThatComesTooLateIsNotJudged(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		tick := NewTimer(l, time.Second, time.Second, func(*Timer) { time.Sleep(500 * time.Millisecond) })
		tick.Start()
		inRun(t, l)
		assert.True(t, l.claim())
		pass(1100 * time.Millisecond) // the timer has ended that park, and its callback lasts
		l.finishWake()
		assert.Equal(t, counts{slept: 1, writes: 1, withDeadline: 1}, p.counted())
		pass(1100 * time.Millisecond) // parked again, until the timer
		assert.Equal(t, counts{slept: 1}, p.counted())
		pass(600 * time.Millisecond) // parked once more
		write, direct := found(l)
		assert.Zero(t, write)
		assert.Zero(t, direct)
		wakesBy(t, p, a, counts{writes: 1, withDeadline: 1}, "the stamp was of another park")
		assert.Equal(t, 1, *calls)
	})
}

// A write that is late, or lost, costs no more than the limit.
func TestADeadlineEndsTheParkInPlaceOfALateWrite(t *testing.T) {
	for _, late := range []time.Duration{time.Second, never} {
		inSteps(t, func(t *testing.T) {
			l, p := newStepped(t)
			a, calls := answering(l)
			inRun(t, l)
			p.deliverAfter(late)
			wakesBy(t, p, a, counts{writes: 1, withDeadline: 1}, "a write")
			assert.Equal(t, 1, *calls)
			write, _ := found(l)
			assert.Equal(t, minLimit, write)
		})
	}
}

// A park with a deadline ends in time even if its sender is held up before the write.
func TestTheDeadlineIsSetBeforeTheWrite(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		a, calls := answering(l)
		inRun(t, l)
		held := p.stop(t, beforeWrite)
		go a.Send()
		held.reached()
		pass(minLimit + time.Millisecond)
		assert.Equal(t, 1, *calls)
		assert.Equal(t, counts{slept: 2, withDeadline: 1}, p.counted())
		held.goOn()
	})
}

// A loop in WakeWrite makes one system call per wake, and nothing else.
func TestWakeWriteIsAWrite(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, p := newStepped(t)
		l.wakePolicy.init(WakeWrite, true)
		a, _ := answering(l)
		inRun(t, l)
		for range 100 {
			wakesBy(t, p, a, counts{writes: 1}, "the wake")
		}
		write, direct := found(l)
		assert.Zero(t, write)
		assert.Zero(t, direct)
	})
}
