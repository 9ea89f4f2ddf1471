package evtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// ticking starts a ticker that records its calls and the ticks of each. In the
// call of number n it runs busy[n], and in the last of the calls it stops.
func ticking(s *script, period time.Duration, calls int, busy map[int]func()) (t *evtime.Ticker, ticks *[]int64) {
	ticks = new([]int64)
	t = evtime.NewTicker(s.Loop, period, func(t *evtime.Ticker, n int64) {
		s.note()
		*ticks = append(*ticks, n)
		if fn := busy[len(s.calls)]; fn != nil {
			fn()
		}
		if len(s.calls) == calls {
			t.Stop()
		}
	})
	t.Start()
	return t, ticks
}

func TestATickerTicksOnceAPeriod(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		_, ticks := ticking(s, 10*ms, 4, nil)
		s.play()
		s.called(10*ms, 20*ms, 30*ms, 40*ms)
		assert.Equal(t, []int64{1, 1, 1, 1}, *ticks)
	})
}

func TestATickerThatLagsKeepsItsPhaseAndSaysHowManyTicksAreDue(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		_, ticks := ticking(s, 10*ms, 6, map[int]func(){
			2: func() { time.Sleep(35 * ms) }, // from 20 to 55: 30, 40 and 50 are due
			4: func() { time.Sleep(10 * ms) }, // from 60 to 70: due to the moment, not missed
			5: func() { time.Sleep(9 * ms) },
		})
		s.play()
		s.called(10*ms, 20*ms, 55*ms, 60*ms, 70*ms, 80*ms)
		assert.Equal(t, []int64{1, 1, 3, 1, 1, 1}, *ticks)
	})
}

func TestTicksThatComeDueEarlierInTheSamePassAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		s.at(10*ms, func() { time.Sleep(15 * ms) })
		_, ticks := ticking(s, 10*ms, 2, nil)
		s.play()
		s.called(25*ms, 30*ms)
		assert.Equal(t, []int64{2, 1}, *ticks)
	})
}

func TestNoTickIsLostOrTwiceHoweverTheLoopLags(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var total int64
		tick := evtime.NewTicker(s.Loop, 7*ms, func(k *evtime.Ticker, n int64) {
			total += n
			assert.Equal(t, int64(s.elapsed()/(7*ms)), total)
			time.Sleep(time.Duration(total*total%23) * ms)
			if total > 10000 {
				k.Stop()
			}
		})
		tick.Start()
		s.play()
		assert.Greater(t, total, int64(10000))
	})
}

func TestAHugeNumberOfMissedTicksIsCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		const year = 365 * 24 * time.Hour
		_, ticks := ticking(s, 1, 2, map[int]func(){1: func() { time.Sleep(100 * year) }})
		s.play()
		s.called(1, 1+100*year)
		assert.Equal(t, []int64{1, int64(100 * year)}, *ticks)
	})
}

func TestATickerCountsFromStartThoughTheCallbackWasLong(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		s.at(0, func() {
			time.Sleep(time.Hour)
			ticking(s, 10*ms, 2, nil)
		})
		s.play()
		s.called(time.Hour+10*ms, time.Hour+20*ms)
	})
}

func TestStopEndsTheTicksAndStartBeginsANewPhase(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		k, ticks := ticking(s, 10*ms, 4, nil)
		s.at(15*ms, func() { k.Start() }) // no effect
		s.at(25*ms, func() { k.Stop(); k.Stop(); assert.False(t, k.Active()) })
		s.at(103*ms, func() { k.Start(); assert.True(t, k.Active()) })
		s.play()
		s.called(10*ms, 20*ms, 113*ms, 123*ms)
		assert.Equal(t, []int64{1, 1, 1, 1}, *ticks)
	})
}

func TestATickerDueInThisPassIsStoppedByAnEarlierCallback(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var k *evtime.Ticker
		s.at(10*ms, func() { assert.True(t, k.Active()); k.Stop(); assert.False(t, k.Active()) })
		k, _ = ticking(s, 10*ms, 1, nil)
		s.play()
		assert.Empty(t, s.calls)
	})
}

func TestATickerThatIsNotToKeepRunGoingTicksBesideSomethingElse(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		k, _ := ticking(s, 10*ms, -1, nil)
		k.Keep(false)
		s.at(35*ms, func() {})
		s.play()
		s.called(10*ms, 20*ms, 30*ms)
		assert.True(t, k.Active())
		k.Stop()
	})
}

func TestSuspendedTimeIsMissedTicks(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		_, ticks := ticking(s, 10*ms, 3, nil)
		s.at(10*ms, func() {
			s.Suspend()
			time.Sleep(31 * ms)
			s.Resume()
		})
		s.play()
		s.called(10*ms, 51*ms, 60*ms) // the timer due at 20 is put off by 31
		assert.Equal(t, []int64{1, 4, 1}, *ticks)
	})
}

func TestAPanicInATickDoesNotEndTheTicks(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		k, ticks := ticking(s, 10*ms, 3, map[int]func(){2: func() { panic("oops") }})
		assert.PanicsWithValue(t, "oops", s.play)
		assert.True(t, k.Active())
		s.play()
		s.called(10*ms, 20*ms, 30*ms)
		assert.Equal(t, []int64{1, 1, 1}, *ticks)
	})
}

func TestATickerOnAClosedLoopDoesNotStart(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		assert.NoError(t, s.Close())
		k, _ := ticking(s, 10*ms, 1, nil)
		assert.False(t, k.Active())
		assert.Equal(t, ev.ErrClosed, s.Run(t.Context()))
	})
}

func TestNewTickerNamesABadArgument(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		fn := func(*evtime.Ticker, int64) {}
		for want, make := range map[string]func(){
			"evtime: NewTicker: nil loop":                   func() { evtime.NewTicker(nil, 1, fn) },
			"evtime: NewTicker: nil callback":               func() { evtime.NewTicker(s.Loop, 1, nil) },
			"evtime: NewTicker: period 0s is not positive":  func() { evtime.NewTicker(s.Loop, 0, fn) },
			"evtime: NewTicker: period -1s is not positive": func() { evtime.NewTicker(s.Loop, -sec, fn) },
		} {
			assert.PanicsWithValue(t, want, make)
		}
	})
}
