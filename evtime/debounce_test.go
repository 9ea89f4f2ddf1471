package evtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

func debounce(s *script, wait, maxWait time.Duration) *evtime.Debounce {
	return evtime.NewDebounce(s.Loop, wait, maxWait, func(*evtime.Debounce) { s.note() })
}

func TestABurstOfTriggersIsOneCallAfterTheLast(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		for _, at := range []time.Duration{0, 9, 18, 27, 100, 100, 110} {
			s.at(at*ms, d.Trigger)
		}
		s.play()
		s.called(37*ms, 120*ms) // the one due at 110 is put off by the trigger in the same pass
		assert.False(t, d.Waiting())
	})
}

func TestTriggersThatNeverStopPostponeACallForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		for at := range 1000 * ms / (9 * ms) {
			s.at(at*9*ms, d.Trigger)
		}
		s.play()
		s.called(1000*ms/(9*ms)*9*ms - 9*ms + 10*ms)
	})
}

func TestAMaxWaitCountsFromTheFirstTrigger(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 25*ms)
		for _, at := range []time.Duration{1, 10, 19, 27, 35, 60} {
			s.at(at*ms, d.Trigger)
		}
		s.play()
		s.called(26*ms, 45*ms, 70*ms)
	})
}

// A watcher of a higher priority triggers in each iteration, also in the one in which the call
// is due.
func TestAMaxWaitHoldsAgainstATriggerInEveryIteration(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 25*ms)
		check := ev.NewCheck(s.Loop, func(*ev.Check) { d.Trigger() }, ev.Priority(ev.MaxPriority))
		idle := ev.NewIdle(s.Loop, func(i *ev.Idle) {
			if time.Sleep(ms); s.elapsed() == sec {
				i.Stop()
				check.Stop()
				d.Stop()
			}
		})
		check.Start()
		idle.Start()
		s.play()
		last := time.Duration(0)
		for _, at := range s.calls {
			assert.LessOrEqual(t, at-last, 27*ms) // maxWait, and an iteration before and after
			last = at
		}
		assert.GreaterOrEqual(t, len(s.calls), int(sec/(27*ms)))
	})
}

func TestAWaitOfZeroIsTheNextIteration(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 0, 0)
		s.at(ms, func() { d.Trigger(); d.Trigger() })
		s.at(ms, func() { d.Trigger(); assert.Empty(t, s.calls) })
		s.play()
		s.called(ms)
		assert.EqualValues(t, 2, s.Iteration())
	})
}

func TestALongCallbackDoesNotShortenTheWaitOfItsTrigger(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		s.at(0, func() { time.Sleep(time.Hour); d.Trigger() })
		s.play()
		s.called(time.Hour + 10*ms)
	})
}

func TestATriggerInsideTheDebouncedCallAsksForAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := evtime.NewDebounce(s.Loop, 10*ms, 10*ms, func(d *evtime.Debounce) {
			assert.False(t, d.Waiting())
			s.note()
			if len(s.calls) < 3 {
				d.Trigger()
				assert.True(t, d.Waiting())
			}
		})
		d.Trigger()
		s.play()
		s.called(10*ms, 20*ms, 30*ms)
	})
}

func TestFlushMakesTheDebouncedCallThatWaitsAndNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		d.Flush()
		s.at(5*ms, func() { d.Trigger(); d.Flush() })
		s.play()
		s.called(5 * ms)
	})
}

func TestStopForgetsTheDebouncedCallButNotTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 15*ms)
		d.Trigger()
		s.at(8*ms, d.Stop)
		s.at(12*ms, func() { assert.False(t, d.Waiting()); d.Trigger() })
		s.at(20*ms, d.Trigger) // maxWait counts from 12
		s.play()
		s.called(27 * ms)
	})
}

func TestAPanicInADebouncedCallLeavesItUsable(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := evtime.NewDebounce(s.Loop, ms, 0, func(*evtime.Debounce) {
			if s.note(); len(s.calls) == 1 {
				panic("oops")
			}
		})
		d.Trigger()
		assert.PanicsWithValue(t, "oops", s.play)
		d.Trigger()
		s.play()
		s.called(ms, 2*ms)
	})
}

func TestNewDebounceNamesABadArgument(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		fn := func(*evtime.Debounce) {}
		for want, make := range map[string]func(){
			"evtime: NewDebounce: nil loop":          func() { evtime.NewDebounce(nil, 0, 0, fn) },
			"evtime: NewDebounce: nil callback":      func() { evtime.NewDebounce(s.Loop, 0, 0, nil) },
			"evtime: NewDebounce: nil option":        func() { evtime.NewDebounce(s.Loop, 0, 0, fn, nil) },
			"evtime: NewDebounce: negative wait -1s": func() { evtime.NewDebounce(s.Loop, -sec, 0, fn) },
			"evtime: NewDebounce: negative maxWait -1s": func() {
				evtime.NewDebounce(s.Loop, sec, -sec, fn)
			},
			"evtime: NewDebounce: maxWait 1s is shorter than wait 2s": func() {
				evtime.NewDebounce(s.Loop, 2*sec, sec, fn)
			},
		} {
			assert.PanicsWithValue(t, want, make)
		}
	})
}
