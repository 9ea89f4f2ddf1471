package evtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// Triggers at 0, 3, 6 and 50 ms, and a wait or a period of 10 ms.
func TestTheEdgesAtWhichCallsAreMade(t *testing.T) {
	for name, test := range map[string]struct {
		edges              evtime.Edges
		debounce, throttle []time.Duration
	}{
		"leading":  {evtime.Leading, []time.Duration{0, 50 * ms}, []time.Duration{0, 50 * ms}},
		"trailing": {evtime.Trailing, []time.Duration{16 * ms, 60 * ms}, []time.Duration{10 * ms, 60 * ms}},
		"both": {evtime.Leading | evtime.Trailing,
			[]time.Duration{0, 16 * ms, 50 * ms}, []time.Duration{0, 10 * ms, 50 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			play := func(make func(s *script) func(), want []time.Duration) {
				inBubble(t, func(t *testing.T, s *script) {
					trigger := make(s)
					for _, at := range []time.Duration{0, 3, 6, 50} {
						s.at(at*ms, trigger)
					}
					s.play()
					s.called(want...)
				})
			}
			play(func(s *script) func() {
				d := debounce(s, 10*ms, 0)
				d.SetEdges(test.edges)
				return d.Trigger
			}, test.debounce)
			play(func(s *script) func() {
				r := throttle(s, 10*ms)
				r.SetEdges(test.edges)
				return r.Trigger
			}, test.throttle)
		})
	}
}

func TestABurstLastsAsLongAsTriggersComeWithinTheWait(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		d.SetEdges(evtime.Leading)
		for _, at := range []time.Duration{0, 9, 18, 27, 37, 46} { // at 37 the wait has passed
			s.at(at*ms, d.Trigger)
		}
		s.play()
		s.called(0, 37*ms)
	})
}

func TestALeadingCallKeepsNoRunGoingForTheRestOfTheBurst(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, time.Hour, 0)
		d.SetEdges(evtime.Leading | evtime.Trailing)
		s.at(ms, d.Trigger)
		s.play()
		s.called(ms)
		assert.Equal(t, ms, s.elapsed())
		assert.EqualValues(t, 1, s.Iteration(), "the call was made in the pass of its trigger")
	})
}

func TestTriggersOfOnePassAreOneLeadingCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		d.SetEdges(evtime.Leading | evtime.Trailing)
		for range 100 {
			s.at(ms, func() {
				d.Trigger()
				assert.True(t, d.Waiting())
				assert.Empty(t, s.calls)
			})
		}
		s.play()
		s.called(ms)
	})
}

func TestATriggerInsideALeadingCallAsksForATrailingOne(t *testing.T) {
	for edges, want := range map[evtime.Edges][]time.Duration{
		evtime.Leading:                   {0},
		evtime.Leading | evtime.Trailing: {0, 10 * ms},
	} {
		inBubble(t, func(t *testing.T, s *script) {
			d := evtime.NewDebounce(s.Loop, 10*ms, 0, func(d *evtime.Debounce) {
				if s.note(); len(s.calls) == 1 {
					d.Trigger()
				}
			})
			d.SetEdges(edges)
			d.Trigger()
			s.play()
			s.called(want...)
		})
	}
}

func TestAMaxWaitLimitsTheTrailingCallAfterALeadingOne(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 15*ms)
		d.SetEdges(evtime.Leading | evtime.Trailing)
		for _, at := range []time.Duration{0, 9, 18, 27} {
			s.at(at*ms, d.Trigger)
		}
		s.play()
		s.called(0, 24*ms, 37*ms)
	})
}

func TestStopEndsTheBurstAndFlushMakesTheLeadingCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		d.SetEdges(evtime.Leading)
		s.at(ms, func() { d.Trigger(); d.Stop() })
		s.at(2*ms, d.Trigger)
		s.at(20*ms, func() { d.Trigger(); d.Flush() })
		s.play()
		s.called(2*ms, 20*ms)
	})
}

func TestALeadingDebounceOnAClosedLoopDoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		d := debounce(s, 10*ms, 0)
		d.SetEdges(evtime.Leading)
		assert.NoError(t, s.Close())
		d.Trigger()
		d.Trigger()
		assert.False(t, d.Waiting())
		assert.Equal(t, ev.ErrClosed, s.Run(t.Context()))
		assert.Empty(t, s.calls)
	})
}

func TestSetEdgesRefusesNonsense(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		assert.PanicsWithValue(t, "evtime: Debounce.SetEdges: edges 0 are not a set of Leading and Trailing",
			func() { debounce(s, ms, 0).SetEdges(0) })
		assert.PanicsWithValue(t, "evtime: Throttle.SetEdges: edges 4 are not a set of Leading and Trailing",
			func() { throttle(s, ms).SetEdges(4) })
	})
}
