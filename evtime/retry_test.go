package evtime_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

var errDown = errors.New("down")

// result has the end of a Retry, and the number of calls of done.
type result struct {
	times int
	at    time.Duration
	err   error
}

func (s *script) record(r *result) func(*evtime.Retry, error) {
	return func(_ *evtime.Retry, err error) {
		r.times++
		r.at, r.err = s.elapsed(), err
	}
}

// failing records each attempt, and fails the first n at once.
func (s *script) failing(n int) func(*evtime.Attempt) {
	return func(a *evtime.Attempt) {
		if s.note(); a.Number() <= n {
			a.Report(errDown)
		} else {
			a.Report(nil)
		}
	}
}

func TestAttemptsAreMadeWithGrowingWaitsUntilOneSucceeds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec, Max: 5 * sec}, s.failing(5), s.record(&end))
		r.Start(t.Context())
		assert.True(t, r.Active())
		assert.Empty(t, s.calls, "not inside Start")
		s.play()
		s.called(0, 1*sec, 3*sec, 7*sec, 12*sec, 17*sec)
		assert.Equal(t, result{1, 17 * sec, nil}, end)
		assert.False(t, r.Active())
	})
}

func TestAWaitCountsFromTheReportOfAnAttemptThatWorksElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			s.note()
			ev.Go(s.Loop, func() (int, error) {
				time.Sleep(time.Minute)
				if a.Number() < 3 {
					return 0, errDown
				}
				return 42, nil
			}, func(v int, err error) {
				assert.Equal(t, err == nil, v == 42)
				a.Report(err)
			})
		}, s.record(&end))
		r.Start(t.Context())
		s.play()
		s.called(0, time.Minute+sec, 2*time.Minute+3*sec)
		assert.Equal(t, result{1, 3*time.Minute + 3*sec, nil}, end)
	})
}

// Nothing else is active during the attempt.
func TestARetryKeepsRunGoingDuringAnAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			time.AfterFunc(time.Hour, func() { assert.NoError(t, s.Post(func() { a.Report(nil) })) })
		}, s.record(&end))
		r.Start(t.Context())
		s.play()
		assert.Equal(t, result{1, time.Hour, nil}, end)
		assert.False(t, s.Alive(), "and no longer")
	})
}

func TestARetryGivesUpAfterItsAttemptsWithTheLastError(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec, Attempts: 3}, s.failing(math.MaxInt), s.record(&end))
		r.Start(t.Context())
		s.play()
		s.called(0, 1*sec, 3*sec)
		assert.Equal(t, 1, end.times)
		assert.Equal(t, 3*sec, end.at, "no wait after the last")
		assert.ErrorIs(t, end.err, errDown)
		assert.EqualError(t, end.err, "evtime: Retry: attempt 3 was the last: down")
	})
}

func TestAFailureThatIsFinalEndsTheRetryWithThatError(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			s.note()
			assert.PanicsWithValue(t, "evtime: Attempt.Fail: nil error", func() { a.Fail(nil) })
			if a.Number() < 2 {
				a.Report(errDown)
			} else {
				a.Fail(context.Canceled)
			}
		}, s.record(&end))
		r.Start(t.Context())
		s.play()
		s.called(0, sec)
		assert.Equal(t, result{1, sec, context.Canceled}, end)
	})
}

func TestACancelledContextEndsTheWaitWithItsCauseAndTheLastError(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: time.Hour}, s.failing(math.MaxInt), s.record(&end))
		r.Start(ctx)
		s.at(90*time.Minute, func() { cancel(cause) })
		s.play()
		s.called(0, time.Hour)
		assert.Equal(t, 1, end.times)
		assert.Equal(t, 90*time.Minute, end.at)
		assert.ErrorIs(t, end.err, cause)
		assert.ErrorIs(t, end.err, errDown)
		assert.EqualError(t, end.err, "evtime: Retry: enough; attempt 2: down")
	})
}

func TestACancelledContextDoesNotWaitForAnAttemptInProgress(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancel(t.Context())
		var end result
		var attempt *evtime.Attempt
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) { attempt = a }, s.record(&end))
		r.Start(ctx)
		time.AfterFunc(time.Minute, cancel) // on another goroutine
		s.play()
		assert.Equal(t, time.Minute, end.at)
		assert.ErrorIs(t, end.err, context.Canceled)
		attempt.Report(nil) // too late
		s.play()
		assert.Equal(t, 1, end.times)
	})
}

func TestAContextThatIsDoneAlreadyHasNoAttemptMade(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, s.failing(0), s.record(&end))
		r.Start(ctx)
		assert.Zero(t, end.times, "not inside Start")
		s.play()
		assert.Empty(t, s.calls)
		assert.Equal(t, 1, end.times)
		assert.EqualError(t, end.err, "evtime: Retry: context canceled")
		assert.ErrorIs(t, end.err, context.Canceled)
	})
}

func TestADeadlineBeforeTheNextAttemptEndsTheRetryAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithTimeout(t.Context(), 6*sec)
		defer cancel()
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, s.failing(math.MaxInt), s.record(&end))
		r.Start(ctx)
		s.play()
		s.called(0, 1*sec, 3*sec) // the next would be at 7
		assert.Equal(t, 1, end.times)
		assert.Equal(t, 3*sec, end.at)
		assert.ErrorIs(t, end.err, context.DeadlineExceeded)
		assert.ErrorIs(t, end.err, errDown)
	})
}

func TestADeadlineEndsAnAttemptThatDoesNotReport(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(*evtime.Attempt) {}, s.record(&end))
		r.Start(ctx)
		s.play()
		assert.Equal(t, 1, end.times)
		assert.Equal(t, time.Hour, end.at)
		assert.ErrorIs(t, end.err, context.DeadlineExceeded)
	})
}

func TestStopEndsARetryInAWaitAndDuringAnAttemptWithoutDone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		waits := evtime.NewRetry(s.Loop, evtime.Backoff{First: time.Hour}, s.failing(math.MaxInt), s.record(&end))
		var attempt *evtime.Attempt
		tries := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) { attempt = a }, s.record(&end))
		waits.Start(t.Context())
		tries.Start(t.Context())
		s.at(sec, func() {
			for _, r := range []*evtime.Retry{waits, tries} {
				r.Stop()
				r.Stop()
				assert.False(t, r.Active())
			}
			attempt.Report(nil)
			attempt.Fail(errDown)
		})
		s.play()
		s.called(0)
		assert.Zero(t, end.times)
		assert.Equal(t, sec, s.elapsed())
	})
}

func TestAnOutcomeDoesNotChangeBeforeItsDelivery(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		for _, c := range []struct {
			try  func(a *evtime.Attempt, cancel func())
			want error
		}{
			{func(a *evtime.Attempt, cancel func()) { a.Report(nil); cancel(); synctest.Wait() }, nil},
			{func(a *evtime.Attempt, cancel func()) { a.Fail(errDown); cancel() }, errDown},
			{func(a *evtime.Attempt, cancel func()) { a.Fail(errDown); a.Report(nil) }, errDown},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			var end result
			try := func(a *evtime.Attempt) { c.try(a, cancel) }
			evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, try, s.record(&end)).Start(ctx)
			s.play()
			assert.Equal(t, result{1, 0, c.want}, end)
			cancel()
		}
	})
}

func TestAContextHasNoEffectOnARetryThatHasEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancel(t.Context())
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, s.failing(1), s.record(&end))
		r.Start(ctx)
		s.play()
		cancel()
		synctest.Wait()
		assert.False(t, s.Alive(), "the context is not watched any more, and nothing was posted")

		ctx, cancel = context.WithCancel(t.Context())
		r.Start(ctx)
		s.at(0, func() {
			cancel() // the post arrives after the Stop
			r.Stop()
			synctest.Wait()
			assert.True(t, s.Alive())
		})
		s.play()
		assert.Equal(t, result{1, sec, nil}, end)
	})
}

func TestTheErrorsOfAnEarlierStartAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec, Attempts: 1}, s.failing(1), s.record(&end))
		r.Start(t.Context())
		s.play()
		require.ErrorIs(t, end.err, errDown)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Start(ctx)
		s.play()
		assert.EqualError(t, end.err, "evtime: Retry: context canceled")
	})
}

func TestStopForgetsAnOutcomeThatWasNotDeliveredYet(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		var r *evtime.Retry
		r = evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			a.Report(nil)
			assert.True(t, r.Active())
			r.Stop()
		}, s.record(&end))
		r.Start(t.Context())
		s.play()
		assert.Zero(t, end.times)
	})
}

func TestTheFirstReportOfAnAttemptCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			s.note()
			if a.Number() == 1 {
				a.Report(errDown)
				a.Report(nil)
				a.Fail(errDown)
				return
			}
			a.Report(nil)
			a.Report(errDown)
		}, s.record(&end))
		r.Start(t.Context())
		s.play()
		s.called(0, sec)
		assert.Equal(t, result{1, sec, nil}, end)
	})
}

// The work of an attempt goes on after Stop, and ends when the Retry was started again.
func TestAReportOfAnEarlierStartHasNoEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		var attempts []*evtime.Attempt
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			assert.Equal(t, 1, a.Number())
			attempts = append(attempts, a)
		}, s.record(&end))
		r.Start(t.Context())
		s.at(1*sec, func() { r.Stop(); r.Start(t.Context()) })
		s.at(2*sec, func() { attempts[0].Report(nil) })
		s.at(3*sec, func() { attempts[1].Report(nil) })
		s.play()
		assert.Len(t, attempts, 2)
		assert.Equal(t, result{1, 3 * sec, nil}, end)
	})
}

func TestAContextOfAnEarlierStartHasNoEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: time.Hour}, s.failing(1), s.record(&end))
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		s.at(sec, func() {
			cancel() // the loop is told in a later iteration
			r.Stop()
			r.Start(t.Context())
		})
		s.play()
		s.called(0, sec, sec+time.Hour)
		assert.Equal(t, result{1, sec + time.Hour, nil}, end)
	})
}

func TestStartInsideDoneBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var errs []error
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec, Attempts: 2}, s.failing(math.MaxInt),
			func(r *evtime.Retry, err error) {
				assert.False(t, r.Active())
				if errs = append(errs, err); len(errs) < 3 {
					r.Start(t.Context())
				}
			})
		r.Start(t.Context())
		r.Start(t.Context()) // no effect
		s.play()
		s.called(0, 1*sec, 1*sec, 2*sec, 2*sec, 3*sec)
		assert.Len(t, errs, 3)
	})
}

func TestAPanicInAnAttemptLeavesRunAndStopsTheRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(*evtime.Attempt) {
			if s.note(); len(s.calls) == 1 {
				panic("oops")
			}
		}, s.record(&end))
		r.Start(t.Context())
		assert.PanicsWithValue(t, "oops", s.play)
		assert.False(t, r.Active())
		assert.False(t, s.Alive(), "it keeps no Run going")
		s.play()
		s.called(0)
		assert.Zero(t, end.times)
	})
}

func TestAReportBeforeAPanicCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			defer panic("oops")
			if s.note(); a.Number() == 1 {
				a.Report(errDown)
			} else {
				a.Report(nil)
			}
		}, s.record(&end))
		r.Start(t.Context())
		assert.PanicsWithValue(t, "oops", s.play)
		assert.PanicsWithValue(t, "oops", s.play)
		assert.True(t, r.Active(), "done is to be called")
		s.play()
		s.called(0, 1*sec)
		assert.Equal(t, result{1, 1 * sec, nil}, end)
		assert.False(t, r.Active())
	})
}

func TestAPanicInAnAttemptDoesNotStopTheRetryThatItHasStartedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		var r *evtime.Retry
		r = evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) {
			if s.note(); len(s.calls) == 1 {
				r.Stop()
				r.Start(t.Context())
				panic("oops")
			}
			a.Report(nil)
		}, s.record(&end))
		r.Start(t.Context())
		assert.PanicsWithValue(t, "oops", s.play)
		s.play()
		s.called(0, 0)
		assert.Equal(t, result{1, 0, nil}, end)
	})
}

func TestARetryOnAClosedLoopDoesNotStart(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var end result
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, s.failing(0), s.record(&end))
		assert.NoError(t, s.Close())
		r.Start(t.Context())
		assert.False(t, r.Active())
		r.Stop()
		assert.Equal(t, ev.ErrClosed, s.Run(t.Context()))
		assert.Zero(t, end.times)
	})
}

func TestClosingTheLoopDuringAnAttemptEndsAllWithoutDone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var end result
		var attempt *evtime.Attempt
		r := evtime.NewRetry(s.Loop, evtime.Backoff{First: sec}, func(a *evtime.Attempt) { attempt = a }, s.record(&end))
		r.Start(ctx)
		s.at(sec, func() { assert.NoError(t, s.Close()) })
		require.Equal(t, ev.ErrClosed, s.Run(t.Context()))
		attempt.Report(errDown)
		cancel()
		time.Sleep(time.Hour)
		r.Stop()
		assert.Zero(t, end.times)
	})
}

func TestNewRetryNamesABadArgument(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		good := evtime.Backoff{First: sec}
		try, done := func(*evtime.Attempt) {}, func(*evtime.Retry, error) {}
		for want, make := range map[string]func(){
			"evtime: NewRetry: nil loop":     func() { evtime.NewRetry(nil, good, try, done) },
			"evtime: NewRetry: nil callback": func() { evtime.NewRetry(s.Loop, good, nil, done) },
			"evtime: Retry.Start: nil context": func() {
				var none context.Context
				evtime.NewRetry(s.Loop, good, try, done).Start(none)
			},
		} {
			assert.PanicsWithValue(t, want, make)
		}
		assert.PanicsWithValue(t, "evtime: NewRetry: nil callback", func() { evtime.NewRetry(s.Loop, good, try, nil) })
		for want, b := range map[string]evtime.Backoff{
			"Backoff.First 0s is not positive":        {},
			"Backoff.First -1s is not positive":       {First: -sec},
			"negative Backoff.Max -1s":                {First: sec, Max: -sec},
			"Backoff.Max 1s is shorter than First 2s": {First: 2 * sec, Max: sec},
			"negative Backoff.Attempts -1":            {First: sec, Attempts: -1},
			"Backoff.Jitter -0.5 is not from 0 to 1":  {First: sec, Jitter: -0.5},
			"Backoff.Jitter 1.5 is not from 0 to 1":   {First: sec, Jitter: 1.5},
			"Backoff.Jitter NaN is not from 0 to 1":   {First: sec, Jitter: math.NaN()},
		} {
			assert.PanicsWithValue(t, "evtime: NewRetry: "+want, func() { evtime.NewRetry(s.Loop, b, try, done) })
		}
	})
}
