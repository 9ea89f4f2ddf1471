package ev_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Tests that set the clock, and others of the internals, are in periodic_clock_test.go.

// sinceEpoch returns t as an offset.
func sinceEpoch(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }

func idlePeriodic(*ev.Periodic)   {}
func idleScheduler(*ev.Scheduler) {}

// in is a next function whose moments are d apart.
func in(d time.Duration) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time { return now.Add(d) }
}

// Periodic.

func TestAnAbsolutePeriodicInThePastFiresInTheFirstIteration(t *testing.T) {
	for _, offset := range []time.Duration{0, -time.Hour, math.MinInt64, sinceEpoch(time.Now().Add(-5 * time.Second))} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired := 0
			p := ev.NewPeriodic(l, offset, 0, func(p *ev.Periodic) {
				fired++
				assert.False(t, p.Active())
				assert.False(t, p.Pending())
				assert.Equal(t, ev.PeriodicEvent, p.Events())
				assert.Equal(t, offset, sinceEpoch(p.At()))
			})
			p.Start()
			assert.True(t, p.Active())
			nowait(t, l)
			nowait(t, l)
			assert.Equal(t, 1, fired)
			assert.False(t, p.Active())
			assert.False(t, l.Alive())
		})
	}
}

func TestAnAbsolutePeriodicNeverFiresEarly(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, d := range []time.Duration{0, 1, 20 * time.Microsecond, 999 * time.Microsecond, 3 * time.Millisecond, 10 * time.Millisecond} {
			at := time.Now().Add(d).Round(0)
			fired := false
			ev.NewPeriodic(l, sinceEpoch(at), 0, func(p *ev.Periodic) {
				fired = true
				assert.False(t, l.Now().Round(0).Before(at), "by the loop's clock")
				assert.False(t, time.Now().Add(wallGranularity()).Round(0).Before(at), "by the real one")
			}).Start()
			run(t, l)
			assert.True(t, fired)
		}
	})
}

func TestAThousandAbsolutePeriodicsFireInOrder(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		base := time.Now()
		fired := 0
		var last time.Time
		for i := range 1000 {
			_, f := math.Modf(float64(i*i) * 1.376)
			d := time.Duration(f * float64(50*time.Millisecond))
			rearmed := i%3 != 0
			ev.NewPeriodic(l, sinceEpoch(base.Add(d)), 0, func(p *ev.Periodic) {
				fired++
				assert.False(t, l.Now().Round(0).Before(p.At()))
				assert.False(t, l.Now().Before(last), "the clock went back")
				last = l.Now()
				if !rearmed {
					rearmed = true
					assert.NoError(t, p.SetOffset(p.Offset()+d/16))
					p.Start()
				}
				if fired%50 == 0 {
					assert.NoError(t, l.Verify())
				}
			}).Start()
		}
		run(t, l)
		assert.Equal(t, 1334, fired)
	})
}

func TestAPeriodicFiresAtItsSlots(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const interval = 10 * time.Millisecond
		var waited time.Time
		fired := 0
		p := ev.NewPeriodic(l, 0, interval, func(p *ev.Periodic) {
			assert.False(t, time.Now().Round(0).Before(waited), "early")
			assert.True(t, p.At().After(l.Now().Round(0)), "in the callback it is the next slot")
			assert.Zero(t, sinceEpoch(p.At())%interval)
			waited = p.At()
			if fired++; fired == 5 {
				p.Stop()
			}
		})
		assert.True(t, p.At().IsZero(), "never started")
		p.Start()
		waited = p.At()
		assert.True(t, waited.After(l.Now().Round(0)))
		assert.LessOrEqual(t, waited.Sub(l.Now().Round(0)), interval)
		assert.Zero(t, sinceEpoch(waited)%interval)
		run(t, l)
		assert.Equal(t, 5, fired)
		assert.Equal(t, waited, p.At(), "it stays after Stop")
	})
}

func TestTheNextFullHourIsNear(t *testing.T) {
	l := newLoop(t)
	p := ev.NewPeriodic(l, 0, time.Hour, idlePeriodic)
	p.Start()
	until := p.At().Sub(l.Now().Round(0))
	assert.Zero(t, sinceEpoch(p.At())%time.Hour)
	assert.Greater(t, until, time.Duration(0))
	assert.LessOrEqual(t, until, time.Hour)
}

func TestSlotsAreCongruentToTheOffset(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendChan))
	rnd := rand.New(rand.NewPCG(1, 4))
	for range 2000 {
		interval := 1 + time.Duration(rnd.Int64N(1<<rnd.IntN(62)+1))
		offset := time.Duration(rnd.Int64N(int64(interval) + 1))
		l.Update()
		p := ev.NewPeriodic(l, offset, interval, idlePeriodic)
		p.Start()
		now, at := sinceEpoch(l.Now()), sinceEpoch(p.At())
		require.Greater(t, at, now)
		if at != math.MaxInt64 {
			require.LessOrEqual(t, at-now, interval)
			require.Zero(t, (at-offset)%interval, "offset %d, interval %d, at %d", offset, interval, at)
		}
		p.Stop()
	}
}

// badSlots are offsets and intervals that are refused.
var badSlots = map[string][2]time.Duration{
	"negative interval -1s":                    {0, -time.Second},
	"negative offset -1ns":                     {-1, time.Second},
	"offset 1.5s is longer than the interval ": {1500 * time.Millisecond, time.Second},
}

func TestBadSlotsAreRefused(t *testing.T) {
	l := newLoop(t)
	for message, bad := range badSlots {
		p := ev.NewPeriodic(l, time.Second, time.Minute, idlePeriodic)
		assert.ErrorContains(t, p.Set(bad[0], bad[1]), "ev: Periodic.Set: "+message)
		assert.Equal(t, []time.Duration{time.Second, time.Minute}, []time.Duration{p.Offset(), p.Interval()}, "unchanged")
		v := panicOf(func() { ev.NewPeriodic(l, bad[0], bad[1], idlePeriodic) })
		assert.Contains(t, v, "ev: NewPeriodic: "+message)
	}
	p := ev.NewPeriodic(l, time.Second, time.Minute, idlePeriodic)
	assert.ErrorContains(t, p.SetInterval(-1), "ev: Periodic.SetInterval: negative interval -1ns")
	assert.ErrorContains(t, p.SetInterval(1), "ev: Periodic.SetInterval: offset 1s is longer than the interval 1ns")
	assert.ErrorContains(t, p.SetOffset(-1), "ev: Periodic.SetOffset: negative offset -1ns")
	assert.ErrorContains(t, p.SetOffset(time.Hour), "ev: Periodic.SetOffset: offset 1h0m0s is longer")
	assert.NoError(t, p.SetOffset(time.Minute), "as long as the interval is not too long")
	assert.NoError(t, p.SetInterval(0))
	assert.NoError(t, p.SetOffset(-1), "without an interval, any offset")
	assert.NoError(t, p.Set(0, 1))
	p.Start()
	assert.EqualError(t, p.Set(0, 1), "ev: Periodic.Set: the watcher is active")
	p.Stop()
}

func TestPeriodicConstructorsPanicClearly(t *testing.T) {
	l := newLoop(t)
	for want, fn := range map[string]func(){
		"ev: NewPeriodic: nil loop":               func() { ev.NewPeriodic(nil, 0, 0, idlePeriodic) },
		"ev: NewPeriodic: nil callback":           func() { ev.NewPeriodic(l, 0, 0, nil) },
		"ev: NewScheduler: nil loop":              func() { ev.NewScheduler(nil, in(1), idleScheduler) },
		"ev: NewScheduler: nil callback":          func() { ev.NewScheduler(l, in(1), nil) },
		"ev: NewScheduler: nil next function":     func() { ev.NewScheduler(l, nil, idleScheduler) },
		"ev: Scheduler.SetNext: nil function":     func() { ev.NewScheduler(l, in(1), idleScheduler).SetNext(nil) },
		"ev: Scheduler.SetCallback: nil callback": func() { ev.NewScheduler(l, in(1), idleScheduler).SetCallback(nil) },
		"ev: Periodic.SetCallback: nil callback":  func() { ev.NewPeriodic(l, 0, 0, idlePeriodic).SetCallback(nil) },
	} {
		assert.Equal(t, want, panicOf(fn))
	}
}

func TestANewOffsetCountsFromResetOn(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		p := ev.NewPeriodic(l, 0, time.Hour, idlePeriodic)
		p.Start()
		at := p.At()
		require.NoError(t, p.SetOffset(time.Minute))
		assert.Equal(t, time.Minute, p.Offset())
		assert.Equal(t, at, p.At())
		p.Reset()
		assert.NotEqual(t, at, p.At())
		assert.Equal(t, time.Minute, sinceEpoch(p.At())%time.Hour)

		require.NoError(t, p.SetInterval(2*time.Minute))
		p.Reset()
		assert.LessOrEqual(t, p.At().Sub(l.Now().Round(0)), 2*time.Minute)
		assert.Equal(t, 1, l.Active())
	})
}

func TestResetClearsAPendingEventAndStartsAnInactivePeriodic(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		p := ev.NewPeriodic(l, 0, time.Hour, func(*ev.Periodic) { fired++ })
		p.Feed(ev.PeriodicEvent)
		p.Reset()
		assert.True(t, p.Active())
		assert.False(t, p.Pending())
		p.Feed(ev.PeriodicEvent)
		p.Reset()
		assert.True(t, p.Active())
		assert.False(t, p.Pending())
		p.Reset()
		nowait(t, l)
		assert.Zero(t, fired)
		assert.Equal(t, 1, l.Active())
		p.Stop()
		assert.False(t, l.Alive())
	})
}

func TestAnIntervalOfZeroMakesTheSlotWaitedForTheLast(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		p := ev.NewPeriodic(l, 0, 5*time.Millisecond, func(p *ev.Periodic) {
			if fired++; fired == 1 {
				assert.NoError(t, p.SetInterval(0))
			}
		})
		p.Start()
		run(t, l)
		assert.Equal(t, 2, fired)
	})
}

func TestSlotsMissedAreNotReplayed(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		p := ev.NewPeriodic(l, 0, 5*time.Millisecond, func(*ev.Periodic) { fired++ })
		p.Start()
		time.Sleep(22 * time.Millisecond) // four slots at least
		nowait(t, l)
		assert.Equal(t, 1, fired)
		assert.True(t, p.At().After(l.Now().Round(0)))
	})
}

func TestSlotsInsideASuspensionAreSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) { // the bubble's clock is on a full hour
		p := ev.NewPeriodic(l, 0, time.Hour, func(*ev.Periodic) { t.Error("the slot was skipped") })
		once := 0
		absolute := ev.NewPeriodic(l, sinceEpoch(time.Now().Add(time.Minute)), 0, func(*ev.Periodic) { once++ })
		asked := 0
		s := ev.NewScheduler(l, func(_ *ev.Scheduler, now time.Time) time.Time {
			asked++
			return now.Truncate(time.Hour).Add(time.Hour)
		}, func(*ev.Scheduler) { t.Error("its hour was skipped") })
		p.Start()
		absolute.Start()
		s.Start()
		before := p.At()
		l.Suspend()
		time.Sleep(90 * time.Minute)
		l.Resume()
		assert.Equal(t, before.Add(time.Hour), p.At())
		assert.True(t, s.At().Equal(p.At()))
		assert.Equal(t, 2, asked)
		nowait(t, l)
		assert.Equal(t, 1, once, "a one-shot is not moved")
	})
}

func TestTimersRunBeforePeriodicsOfTheirPriority(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		due := time.Now().Add(time.Minute)
		ev.NewScheduler(l, func(*ev.Scheduler, time.Time) time.Time { return due },
			func(s *ev.Scheduler) { order.note("scheduler"); s.Stop() }).Start()
		ev.NewPeriodic(l, sinceEpoch(due), 0, func(*ev.Periodic) { order.note("periodic") }).Start()
		ev.NewPeriodic(l, sinceEpoch(due), 0, func(*ev.Periodic) { order.note("urgent") }, ev.Priority(1)).Start()
		ev.NewPeriodic(l, sinceEpoch(due)-1, 0, func(*ev.Periodic) { order.note("earlier") }).Start()
		ev.NewTimer(l, time.Minute, 0, func(*ev.Timer) { order.note("timer") }).Start()
		time.Sleep(time.Minute)
		nowait(t, l)
		assert.Equal(t, journal{"urgent", "timer", "earlier", "scheduler", "periodic"}, order)
		toTheEnd(t, l)
	})
}

func TestADayOfPeriodicsIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		began := time.Now()
		end := began.Add(day)
		counts, want := map[string]int{}, map[string]int{}
		for name, slots := range map[string][2]time.Duration{
			"minutes":  {0, time.Minute},
			"ten past": {10 * time.Minute, time.Hour},
			"odd":      {12345, 7*time.Minute + 89},
			"noon":     {12 * time.Hour, day},
		} {
			waited := time.Time{}
			p := ev.NewPeriodic(l, slots[0], slots[1], func(p *ev.Periodic) {
				require.True(t, time.Now().Equal(waited), "%s at %v instead of %v", name, time.Now(), waited)
				require.True(t, l.Now().Equal(waited))
				require.Equal(t, waited.Add(slots[1]), p.At())
				waited = p.At()
				counts[name]++
				if waited.After(end) {
					p.Stop()
				}
			})
			p.Start()
			waited = p.At()
			want[name] = int((sinceEpoch(end)-slots[0])/slots[1] - (sinceEpoch(began)-slots[0])/slots[1])
		}
		toTheEnd(t, l)
		assert.Equal(t, want, counts)
		assert.Equal(t, 24*60, counts["minutes"])
	})
}

func TestAMomentAfterTheLastOneDoesNotCome(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		p := ev.NewPeriodic(l, 0, math.MaxInt64, func(*ev.Periodic) { t.Error("in 2262") })
		p.Start()
		s := ev.NewScheduler(l, func(_ *ev.Scheduler, now time.Time) time.Time { return now.AddDate(1000, 0, 0) },
			func(*ev.Scheduler) { t.Error("in 3000") })
		s.Start()
		assert.Equal(t, 3000, s.At().UTC().Year())
		ev.NewTimer(l, day, 0, func(*ev.Timer) { l.Stop() }).Start()
		toTheEnd(t, l)
	})
}

func TestAParkIsCappedWhileAPeriodicWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		p := ev.NewPeriodic(l, sinceEpoch(time.Now().Add(10*time.Hour)), 0, idlePeriodic)
		p.Start()
		toTheEnd(t, l)
		assert.EqualValues(t, math.Ceil(10*3600/59.743), l.Iteration())

		before := l.Iteration()
		ev.NewTimer(l, 10*time.Hour, 0, func(*ev.Timer) {}).Start()
		toTheEnd(t, l)
		assert.Equal(t, before+1, l.Iteration(), "for a timer it is not")
	})
}

// timerfds returns the number of timerfds of the process.
func timerfds(t *testing.T) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.Contains(to, "[timerfd]") {
			n++
		}
	}
	return n
}

func TestTheClockIsWatchedFromTheFirstPeriodicToTheLast(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("by the kernel, on Linux only")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		want := 1
		if l.Backend() == ev.BackendChan {
			want = 0
		}
		before := timerfds(t)
		p := ev.NewPeriodic(l, 0, time.Hour, idlePeriodic)
		s := ev.NewScheduler(l, in(time.Hour), idleScheduler)
		for range 3 {
			p.Start()
			s.Start()
			assert.Equal(t, want, timerfds(t)-before)
			assert.Equal(t, 2, l.Active(), "what watches it is no watcher of the user's")
			p.Stop()
			nowait(t, l)
			assert.Equal(t, want, timerfds(t)-before)
			s.Reset()
			assert.Equal(t, want, timerfds(t)-before)
			s.Stop()
			assert.Equal(t, before, timerfds(t))
			assert.False(t, l.Alive())
			nowait(t, l)
		}
		s.Start()
		assert.NoError(t, l.Close())
		assert.Equal(t, before, timerfds(t))
	})
}

func TestANewCallbackIsUsedFromTheNextCallOn(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		p := ev.NewPeriodic(l, 0, 1, func(p *ev.Periodic) {
			order.note("old periodic")
			p.SetCallback(func(p *ev.Periodic) { order.note("new periodic"); p.Stop() })
		})
		s := ev.NewScheduler(l, in(0), func(s *ev.Scheduler) {
			order.note("old scheduler")
			s.SetCallback(func(s *ev.Scheduler) { order.note("new scheduler"); s.Stop() })
		}, ev.Priority(-1))
		p.Start()
		s.Start()
		run(t, l)
		assert.ElementsMatch(t, journal{"old periodic", "new periodic", "old scheduler", "new scheduler"}, order)
	})
}

func TestAPeriodicThatKeepsNothingAliveDoesNotKeepRunGoing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		p := ev.NewPeriodic(l, 0, time.Hour, idlePeriodic)
		p.Keep(false)
		p.Start()
		run(t, l)
		assert.True(t, p.Active())
	})
}

func TestOnAClosedLoopPeriodicsDoNotStart(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		require.NoError(t, l.Close())
		p := ev.NewPeriodic(l, 0, 1, idlePeriodic)
		p.Start()
		p.Reset()
		s := ev.NewScheduler(l, func(*ev.Scheduler, time.Time) time.Time { panic("asked") }, idleScheduler)
		s.Start()
		s.Reset()
		assert.False(t, p.Active() || s.Active())
	})
}

func TestAPeriodicAllocatesNothingOnceStarted(t *testing.T) {
	if raceEnabled || os.Getenv("EV_DEBUG") == "1" {
		t.Skip("the race detector allocates, and so does the check of the owner")
	}
	l := newLoop(t)
	ev.NewPeriodic(l, 0, 1, idlePeriodic).Start()
	ev.NewScheduler(l, in(0), idleScheduler).Start()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = l.RunNoWait() }))
}
