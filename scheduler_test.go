package ev_test

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"time"
	_ "time/tzdata" // Berlin, wherever the tests run

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestASchedulerAsksOnceAtStartAndOncePerExpiry(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		asked, fired := 0, 0
		var answer time.Time
		s := ev.NewScheduler(l, func(s *ev.Scheduler, now time.Time) time.Time {
			asked++
			assert.True(t, now.Equal(l.Now().Round(0)))
			answer = now.Add(20 * time.Millisecond)
			return answer
		}, func(s *ev.Scheduler) {
			fired++
			assert.Equal(t, fired+1, asked, "just before the callback")
			assert.Equal(t, answer, s.At())
			assert.Equal(t, ev.PeriodicEvent, s.Events())
			assert.True(t, s.Active())
			if fired == 3 {
				s.Stop()
			}
		})
		assert.True(t, s.At().IsZero(), "never started")
		s.Start()
		s.Start()
		assert.Equal(t, 1, asked)
		assert.Equal(t, answer, s.At())
		began := l.Now()
		run(t, l)
		assert.Equal(t, 3, fired)
		assert.Equal(t, 4, asked)
		assert.GreaterOrEqual(t, l.Now().Sub(began), 59*time.Millisecond)
	})
}

func TestASchedulerThatReturnsNowFiresOncePerIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := uint64(0)
		s := ev.NewScheduler(l, in(0), func(s *ev.Scheduler) { fired++ })
		s.Start()
		for i := range uint64(10) {
			nowait(t, l)
			assert.LessOrEqual(t, fired, i+1)
			time.Sleep(time.Microsecond)
		}
		assert.Equal(t, uint64(10), fired)
	})
}

func TestResetAsksAnew(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		s := ev.NewScheduler(l, in(time.Hour), func(*ev.Scheduler) { t.Error("cleared") })
		s.Start()
		s.SetNext(in(2 * time.Hour))
		before := s.At()
		s.Feed(ev.PeriodicEvent)
		s.Reset()
		assert.False(t, s.Pending())
		assert.Greater(t, s.At().Sub(before), 50*time.Minute)
		s.Stop()
		s.SetNext(in(time.Minute))
		s.Reset()
		assert.True(t, s.Active(), "an inactive one starts")
		assert.Less(t, s.At().Sub(before), time.Minute)
		nowait(t, l)
	})
}

func TestTheZeroTimeEndsAScheduler(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		left, fired := 3, 0
		s := ev.NewScheduler(l, func(_ *ev.Scheduler, now time.Time) time.Time {
			if left--; left < 0 {
				return time.Time{}
			}
			return now.Add(time.Millisecond)
		}, func(s *ev.Scheduler) {
			fired++
			assert.Equal(t, left >= 0, s.Active(), "like a one-shot")
			assert.Equal(t, left < 0, s.At().IsZero())
		})
		s.Start()
		run(t, l)
		assert.Equal(t, 3, fired, "the expiry that asked in vain is delivered")

		s.Start()
		assert.False(t, s.Active(), "no moment at all")
		assert.Zero(t, l.Stats().Active)
		left = 1
		s.Start()
		assert.True(t, s.Active())
		s.Reset()
		assert.False(t, s.Active())
		run(t, l)
		assert.Equal(t, 3, fired)
	})
}

// panicking is a next function that fails.
func panicking(*ev.Scheduler, time.Time) time.Time { panic(errors.New("boom")) }

func TestASchedulerWhoseFunctionPanicsAtStartIsStoppedAndReported(t *testing.T) {
	handler, reports := reported()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		*reports = nil
		s := ev.NewScheduler(l, panicking, func(*ev.Scheduler) { t.Error("called") })
		s.Start()
		assert.True(t, s.Active())
		assert.Empty(t, *reports)
		once(t, l)
		assert.False(t, s.Active())
		require.Len(t, *reports, 1)
		assert.Same(t, s, (*reports)[0].w)
		assert.EqualError(t, (*reports)[0].v.(error), "boom")
		assert.Contains(t, string((*reports)[0].stack), "Scheduler")
		nowait(t, l)
		assert.Len(t, *reports, 1)
	}, handler)
}

func TestAPanicInTheFunctionIsLoggedAsAnyOther(t *testing.T) {
	handler, reports := reported()
	var log bytes.Buffer
	l := newLoop(t, handler, ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	ev.NewScheduler(l, panicking, idleScheduler, ev.Name("job")).Start()
	run(t, l)
	assert.Len(t, *reports, 1)
	assert.Regexp(t, `ev: panic in a callback.* kind=Scheduler watcher=job callback=\S*scheduler_test.go:.* panic=boom`, log.String())
}

func TestWithoutAHandlerThePanicOfAFunctionLeavesRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		s := ev.NewScheduler(l, panicking, func(*ev.Scheduler) { t.Error("called") })
		other := ev.NewScheduler(l, panicking, idleScheduler)
		s.Start()
		other.Start()
		assert.EqualError(t, panicOf(func() { run(t, l) }).(error), "boom")
		assert.False(t, s.Active())
		assert.True(t, other.Active(), "one at a time")
		assert.EqualError(t, panicOf(func() { run(t, l) }).(error), "boom")
		assert.False(t, other.Active())
		assert.Zero(t, l.Depth())
		run(t, l)
	})
}

func TestTheExpiryThatFoundThePanicIsDelivered(t *testing.T) {
	handler, reports := reported()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		*reports = nil
		fired := 0
		s := ev.NewScheduler(l, in(time.Millisecond), func(s *ev.Scheduler) {
			fired++
			assert.True(t, s.Active())
			assert.Empty(t, *reports)
		})
		s.Start()
		s.SetNext(panicking)
		run(t, l)
		assert.Equal(t, 1, fired)
		assert.False(t, s.Active())
		assert.Len(t, *reports, 1)
	}, handler)
}

func TestAFailureThatIsMendedIsReportedOnly(t *testing.T) {
	handler, reports := reported()
	for _, failing := range []func(*ev.Scheduler, time.Time) time.Time{panicking, in(-1)} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			*reports = nil
			s := ev.NewScheduler(l, failing, func(s *ev.Scheduler) { s.Stop() })
			s.Start()
			s.SetNext(in(time.Millisecond))
			s.Reset()
			run(t, l)
			assert.Len(t, *reports, 1)
			assert.False(t, s.Active())

			s.SetNext(failing)
			s.Start()
			s.Stop()
			assert.False(t, s.Active())
			nowait(t, l)
			assert.Len(t, *reports, 2, "stopped in time, it has failed all the same")
		}, handler)
	}
}

func TestAFailureInACallbackDoesNotWaitForTheNextEvent(t *testing.T) {
	for _, failing := range []func(*ev.Scheduler, time.Time) time.Time{panicking, in(-1)} {
		reports := 0
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			reports = 0
			s := ev.NewScheduler(l, failing, idleScheduler)
			dueNow(l, func(*ev.Timer) { s.Start() })
			p := ev.NewPrepare(l, func(p *ev.Prepare) { // a panic just before the poll does not either
				if l.Iteration() == 1 {
					p.Stop()
					s.Stop()
					s.Start()
				}
			})
			p.Start()
			run(t, l)
			assert.Equal(t, 2, reports)
		}, ev.WithPanicHandler(func(s ev.Watcher, _ any, _ []byte) {
			if reports++; reports == 2 {
				s.Stop()
			}
		}))
	}
}

func TestGoexitInTheFunctionLeavesTheLoopUsable(t *testing.T) {
	handler, reports := reported()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		*reports = nil
		fired := 0
		s := ev.NewScheduler(l, in(time.Millisecond), func(*ev.Scheduler) { fired++ })
		s.Start()
		s.SetNext(func(*ev.Scheduler, time.Time) time.Time { runtime.Goexit(); panic("unreachable") })
		assert.False(t, runToGoexit(t, l))
		assert.NoError(t, l.Verify())
		run(t, l)
		assert.Equal(t, 1, fired)
		assert.False(t, s.Active())
		require.Len(t, *reports, 1)
		assert.ErrorContains(t, (*reports)[0].v.(error), "Goexit")
	}, handler)
}

func TestAFunctionThatBreaksTheRulesDoesNotBreakTheLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var other *ev.Periodic
		naughty := func(s *ev.Scheduler, now time.Time) time.Time {
			s.Stop()
			other.Stop()
			assert.NoError(t, l.Verify())
			return now.Add(time.Hour)
		}
		for range 20 {
			other = ev.NewPeriodic(l, 0, time.Minute, idlePeriodic)
			other.Start()
			s := ev.NewScheduler(l, in(0), func(*ev.Scheduler) { t.Error("Stop is final") })
			s.Start()
			s.SetNext(naughty)
			nowait(t, l)
			assert.False(t, s.Active())
			assert.False(t, other.Active())

			other.Start()
			s.SetNext(in(time.Hour))
			s.Start()
			s.SetNext(naughty)
			l.Suspend()
			l.Resume()
			assert.False(t, s.Active())
			assert.False(t, other.Active())
			assert.NoError(t, l.Verify())
		}
	})
}

// halfPastTwo is every day at 2:30 by the clocks of a place.
func halfPastTwo(place *time.Location) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time {
		y, m, d := now.In(place).Date()
		for {
			if at := time.Date(y, m, d, 2, 30, 0, 0, place); at.After(now) {
				return at
			}
			d++ // time.Date knows the months
		}
	}
}

func TestASchedulerFollowsDaylightSavingTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		from time.Time
		want []string // in UTC
	}{
		"spring, a night without 2:30": {time.Date(2000, 3, 24, 12, 0, 0, 0, time.UTC), []string{
			"25 01:30", "26 01:30" /* shown as 3:30 */, "27 00:30", "28 00:30"}},
		"autumn, a night with two": {time.Date(2000, 10, 27, 12, 0, 0, 0, time.UTC), []string{
			"28 00:30", "29 01:30" /* time.Date has to choose */, "30 01:30", "31 01:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *ev.Loop) {
				time.Sleep(time.Until(tc.from))
				l.Update()
				var fired []string
				ev.NewScheduler(l, halfPastTwo(berlin), func(s *ev.Scheduler) {
					fired = append(fired, time.Now().UTC().Format("02 15:04"))
					if len(fired) == len(tc.want) {
						s.Stop()
					}
				}).Start()
				toTheEnd(t, l)
				assert.Equal(t, tc.want, fired)
			})
		})
	}
}
