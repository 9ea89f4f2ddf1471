package ev_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// In these tests a next function returns a moment before now. time.Date does that in
// the night in which clocks go forward.

// logged returns the option for a log, and the log.
func logged() (ev.LoopOption, *bytes.Buffer) {
	var log bytes.Buffer
	return ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), &log
}

// pastUntil is a next function that returns moments in the past until good, and every
// hour after that. It notes its calls.
func pastUntil(good time.Time, asked *[]time.Time) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time {
		*asked = append(*asked, now)
		if now.Before(good) {
			return now.Add(-time.Nanosecond)
		}
		return now.Add(time.Hour)
	}
}

func TestAMomentInThePastIsReportedOnceAndAskedForAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *ev.Loop) {
		handler, reports := reported()
		logger, log := logged()
		l := newLoop(t, ev.WithBackend(ev.BackendChan), handler, logger)
		began := time.Now()
		var asked []time.Time
		var fired time.Time
		s := ev.NewScheduler(l, pastUntil(began.Add(10*time.Minute), &asked), func(s *ev.Scheduler) {
			fired = time.Now()
			s.Stop()
		}, ev.Name("job"))
		s.Start()
		assert.True(t, s.Active())
		assert.Empty(t, *reports, "not in the middle of Start")
		assert.True(t, s.At().IsZero(), "no moment yet")
		toTheEnd(t, l)

		var seconds []int
		for _, at := range asked {
			seconds = append(seconds, int(at.Sub(began)/time.Second))
		}
		assert.Equal(t, []int{0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543, 603, 603 + 3600}, seconds)
		assert.Equal(t, time.Hour+603*time.Second, fired.Sub(began), "to ask again is no callback")
		require.Len(t, *reports, 1)
		assert.Same(t, s, (*reports)[0].w)
		assert.Regexp(t, `^ev: Scheduler "job": next returned .*, which is before now, `, (*reports)[0].v.(error).Error())
		assert.Contains(t, (*reports)[0].stack, "Scheduler")
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
		assert.Regexp(t, `level=ERROR msg="ev: a Scheduler's function returned the past" .*watcher=job .*error="ev: Scheduler`, log.String())
	})
}

func TestAMomentInThePastDoesNotLeaveRunOnAnyLoop(t *testing.T) {
	logger, log := logged()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		log.Reset()
		s := ev.NewScheduler(l, in(-time.Nanosecond), func(*ev.Scheduler) { t.Error("called") })
		s.Start()
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			if ticks++; ticks == 5 {
				w.Stop()
				s.Stop()
			}
		}).Start()
		run(t, l)
		assert.Contains(t, log.String(), `error="ev: Scheduler of `, "where it was written names one without a name")
		assert.Contains(t, log.String(), "periodic_test.go:")
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	}, logger)
}

func TestWithoutLoggerAndHandlerThePastIsInTheDefaultLog(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	report := func(opts ...ev.LoopOption) string {
		log.Reset()
		l := newLoop(t, opts...)
		s := ev.NewScheduler(l, in(-1), idleScheduler, ev.Name("job"))
		s.Start()
		nowait(t, l)
		s.Stop()
		return log.String()
	}
	assert.Contains(t, report(), "job")
	handler, reports := reported()
	assert.Empty(t, report(handler), "the handler is told")
	assert.Len(t, *reports, 1)
}

func TestAFunctionThatReturnsThePastForEverDoesNotSpin(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *ev.Loop) {
		handler, reports := reported()
		l := newLoop(t, ev.WithBackend(ev.BackendChan), handler)
		for name, at := range map[string]time.Time{
			"yesterday": time.Now().Add(-day), "Unix": time.Unix(0, 0), "the year 1": time.Time{}.Add(1), "before 1678": time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC),
			"-1": time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			asked := 0
			s := ev.NewScheduler(l, func(*ev.Scheduler, time.Time) time.Time { asked++; return at }, func(*ev.Scheduler) { t.Error("called") }, ev.Name(name))
			s.Start()
			iterations := l.Iteration()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
			defer cancel()
			assert.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
			s.Stop()
			assert.InDelta(t, 2*60, asked, 8, name)
			assert.LessOrEqual(t, l.Iteration()-iterations, uint64(2*2*60+16), "one for each question, one to look at the clock")
			assert.Len(t, *reports, 1)
			*reports = nil
		}
	})
}

func TestTheExpiryThatFoundThePastIsDelivered(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *ev.Loop) {
		handler, reports := reported()
		l := newLoop(t, ev.WithBackend(ev.BackendChan), handler)
		fired := 0
		var at time.Time
		s := ev.NewScheduler(l, in(time.Minute), func(s *ev.Scheduler) {
			fired++
			assert.Equal(t, at, s.At(), "errors aside")
			assert.True(t, s.Active())
		})
		s.Start()
		at = s.At()
		s.SetNext(in(-1))
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) { s.Stop() }).Start()
		toTheEnd(t, l)
		assert.Equal(t, 1, fired)
		assert.Len(t, *reports, 1)
	})
}

func TestASchedulerThatIsToAskAgainIsStoppedResetAndStarted(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *ev.Loop) {
		handler, reports := reported()
		l := newLoop(t, ev.WithBackend(ev.BackendChan), handler)
		asked, fired := 0, 0
		past := func(_ *ev.Scheduler, now time.Time) time.Time { asked++; return now.Add(-1) }
		s := ev.NewScheduler(l, past, func(*ev.Scheduler) { fired++ })
		pass := func(d time.Duration) {
			time.Sleep(d)
			nowait(t, l)
			nowait(t, l)
		}
		s.Start()
		pass(0)
		s.Stop()
		pass(time.Hour)
		assert.Equal(t, 1, asked, "stopped: it asks no more")
		assert.Len(t, *reports, 1)

		s.Start()
		pass(time.Second)
		assert.Equal(t, 3, asked, "from the beginning: after a second")
		assert.Len(t, *reports, 2, "each Start reports")
		s.Reset()
		pass(time.Second)
		assert.Equal(t, 5, asked)
		assert.Len(t, *reports, 3, "each Reset reports")

		s.SetNext(in(time.Minute))
		pass(2 * time.Second)
		assert.Equal(t, 0, fired)
		pass(time.Minute)
		assert.Equal(t, 1, fired)
		s.SetNext(past)
		pass(time.Minute)
		assert.Equal(t, 2, fired, "due, and delivered")
		assert.Len(t, *reports, 4, "a good answer in between: another row")

		s.SetNext(func(*ev.Scheduler, time.Time) time.Time { return time.Time{} })
		pass(time.Second)
		assert.False(t, s.Active(), "no further moment")
		assert.Equal(t, 2, fired)

		s.SetNext(past)
		s.Start()
		pass(0)
		s.SetNext(panicking)
		pass(time.Second)
		assert.False(t, s.Active(), "a panic is a panic")
		assert.Len(t, *reports, 6)
		pass(time.Hour)
		assert.Len(t, *reports, 6)
	})
}

func TestAHandlerMayStopOrResetTheSchedulerThatReturnedThePast(t *testing.T) {
	for _, reset := range []bool{false, true} {
		fired := 0
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fired = 0
			s := ev.NewScheduler(l, in(-1), func(s *ev.Scheduler) { fired++; s.Stop() })
			s.Start()
			run(t, l)
			assert.Equal(t, reset, fired == 1)
		}, ev.WithPanicHandler(func(w ev.Watcher, _ any, _ []byte) {
			s := w.(*ev.Scheduler)
			s.Stop()
			if reset {
				s.SetNext(in(time.Millisecond))
				s.Reset()
			}
		}))
	}
}

// naive is the obvious next function: today at that time or, if it is past, tomorrow.
func naive(place *time.Location, hour, minute int) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time {
		y, m, d := now.In(place).Date()
		if at := time.Date(y, m, d, hour, minute, 0, 0, place); at.After(now) {
			return at
		}
		return time.Date(y, m, d+1, hour, minute, 0, 0, place)
	}
}

// In Santiago clocks go from midnight to 1:00. There time.Date takes 0:30 of that day
// for 23:30 of the day before. New York has such a moment for 2:30, but on the same
// day. After a night without an answer the Scheduler must go on.
func TestANightInWhichTimeDateReturnsThePastIsSurvived(t *testing.T) {
	for _, tc := range []struct {
		place        string
		from         time.Time
		hour, minute int
		reports      int
		last         string
	}{
		{"America/Santiago", time.Date(2026, 9, 4, 12, 0, 0, 0, time.UTC), 0, 30, 1, "2026-09-08 00:30"},
		{"America/Santiago", time.Date(2026, 9, 4, 12, 0, 0, 0, time.UTC), 0, 0, 1, "2026-09-08 00:00"},
		{"America/New_York", time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC), 2, 30, 0, "2026-03-10 02:30"},
	} {
		place, err := time.LoadLocation(tc.place)
		require.NoError(t, err)
		inBubble(t, func(t *testing.T, _ *ev.Loop) {
			time.Sleep(time.Until(tc.from))
			handler, reports := reported()
			l := newLoop(t, ev.WithBackend(ev.BackendChan), handler)
			var fired []string
			s := ev.NewScheduler(l, naive(place, tc.hour, tc.minute), func(*ev.Scheduler) {
				fired = append(fired, time.Now().In(place).Format("2006-01-02 15:04"))
			})
			s.Start()
			ev.NewTimer(l, 4*day, 0, func(*ev.Timer) { s.Stop() }).Start()
			toTheEnd(t, l)
			t.Log(tc.place, fired)
			assert.Len(t, *reports, tc.reports)
			assert.Equal(t, tc.last, fired[len(fired)-1])
			assert.LessOrEqual(t, len(fired), 5)
		})
	}
}
