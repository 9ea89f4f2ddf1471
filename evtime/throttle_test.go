package evtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

func throttle(s *script, period time.Duration) *evtime.Throttle {
	return evtime.NewThrottle(s.Loop, period, func(*evtime.Throttle) { s.note() })
}

func TestTheFirstTriggerIsAnsweredAtOnceAndTheRestWhenThePeriodIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		for _, at := range []time.Duration{1, 2, 3, 10, 12, 30, 45} {
			s.at(at*ms, r.Trigger)
		}
		s.play()
		s.called(1*ms, 11*ms, 21*ms, 31*ms, 45*ms)
	})
}

func TestNoTriggerNoCallAndNoTimer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, time.Hour)
		s.at(ms, r.Trigger)
		s.play()
		s.called(ms)
		assert.Equal(t, ms, s.elapsed(), "the rest of the period keeps no Run going")
		assert.EqualValues(t, 1, s.Iteration(), "the call was made in the pass of its trigger")
	})
}

func TestTriggersOfOnePassAreOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		for range 100 {
			s.at(ms, func() {
				r.Trigger()
				assert.Empty(t, s.calls, "it is queued behind what is due already")
			})
		}
		s.play()
		s.called(ms)
	})
}

func TestATriggerBeforeRunIsAnsweredByRun(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		r.Trigger()
		assert.True(t, r.Waiting())
		assert.Empty(t, s.calls)
		s.play()
		s.called(0)
		assert.False(t, r.Waiting())
	})
}

func TestATriggerInsideTheThrottledCallWaitsForThePeriod(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := evtime.NewThrottle(s.Loop, 10*ms, func(r *evtime.Throttle) {
			if s.note(); len(s.calls) < 4 {
				r.Trigger()
			}
		})
		r.Trigger()
		s.play()
		s.called(0, 10*ms, 20*ms, 30*ms)
	})
}

// A period begins with the call, and not at Loop.Now, which is earlier in a long pass.
func TestNoTwoCallsAreWithinAPeriodThoughThePassIsLong(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		s.at(ms, func() { r.Trigger(); s.at(11*ms, func() { time.Sleep(4 * ms) }) })
		s.at(ms, func() { time.Sleep(9 * ms) })
		s.at(2*ms, r.Trigger)
		s.at(30*ms, r.Trigger)
		s.play()
		s.called(10*ms, 20*ms, 30*ms)
	})
}

func TestATriggerOnACallThatIsOverdueDoesNotMakeItTwo(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		s.at(0, r.Trigger)
		s.at(5*ms, r.Trigger)
		s.at(6*ms, func() { time.Sleep(9 * ms); r.Trigger() })
		s.play()
		s.called(0, 15*ms)
	})
}

func TestFlushMakesTheThrottledCallBeforeItsPeriodIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		r.Flush()
		s.at(ms, func() { r.Trigger(); r.Flush() })
		s.at(2*ms, r.Trigger)
		s.at(5*ms, r.Flush)
		s.at(6*ms, r.Trigger)
		s.play()
		s.called(ms, 5*ms, 15*ms)
	})
}

func TestStopForgetsTheThrottledCallButNotThePeriod(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := throttle(s, 10*ms)
		s.at(ms, r.Trigger)
		s.at(2*ms, r.Trigger)
		s.at(3*ms, func() { r.Stop(); assert.False(t, r.Waiting()) })
		s.at(4*ms, func() { r.Trigger(); r.Stop(); r.Trigger() })
		s.at(50*ms, func() { r.Trigger(); r.Stop() })
		s.play()
		s.called(ms, 11*ms)
	})
}

func TestAPanicInAThrottledCallCountsAsACall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r := evtime.NewThrottle(s.Loop, 10*ms, func(*evtime.Throttle) {
			if s.note(); len(s.calls) == 1 {
				panic("oops")
			}
		})
		r.Trigger()
		assert.PanicsWithValue(t, "oops", s.play)
		r.Trigger()
		s.play()
		s.called(0, 10*ms)
	})
}

func TestAThrottleOnAClosedLoopDoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		r, d := throttle(s, 10*ms), debounce(s, 10*ms, 0)
		assert.NoError(t, s.Close())
		r.Trigger()
		d.Trigger()
		assert.False(t, r.Waiting())
		assert.False(t, d.Waiting())
		assert.Equal(t, ev.ErrClosed, s.Run(t.Context()))
		assert.Empty(t, s.calls)
	})
}

func TestNewThrottleNamesABadArgument(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		fn := func(*evtime.Throttle) {}
		for want, make := range map[string]func(){
			"evtime: NewThrottle: nil loop":                   func() { evtime.NewThrottle(nil, 1, fn) },
			"evtime: NewThrottle: nil callback":               func() { evtime.NewThrottle(s.Loop, 1, nil) },
			"evtime: NewThrottle: period 0s is not positive":  func() { evtime.NewThrottle(s.Loop, 0, fn) },
			"evtime: NewThrottle: period -1s is not positive": func() { evtime.NewThrottle(s.Loop, -sec, fn) },
		} {
			assert.PanicsWithValue(t, want, make)
		}
	})
}
