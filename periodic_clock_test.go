package ev

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The arithmetic of slots.

func TestTheSlotAfterIsTheFirstOne(t *testing.T) {
	const hour, far = time.Hour, time.Duration(math.MaxInt64)
	for _, tc := range []struct{ offset, interval, now, want time.Duration }{
		{0, hour, 0, hour}, {0, hour, 1, hour}, {0, hour, hour - 1, hour}, {0, hour, hour, 2 * hour},
		{hour, hour, 0, hour}, {hour, hour, hour, 2 * hour},
		{1, hour, 0, 1}, {1, hour, 1, hour + 1}, {hour - 1, hour, 0, hour - 1},
		{5 * hour, hour, 0, hour}, {-1, hour, 0, hour - 1}, // such an offset is refused; the function computes it
		{0, hour, -1, 0}, {0, hour, -hour, 0}, {7, 10, -4, -3}, {7, 10, -3, 7},
		{0, 1, 5, 6}, {0, 1, far - 1, far},
		{0, far, 0, far}, {far, far, 5, far}, {far - 1, far, 0, far - 1}, {far - 1, far, far - 1, never},
		{0, hour, far - 1, never}, {3, far, math.MinInt64, 3 - far}, {0, far, math.MinInt64, -far},
	} {
		assert.Equal(t, tc.want, slotAfter(tc.offset, tc.interval, tc.now), "%+v", tc)
	}
}

func TestSlotsAreAfterNowAndCongruentToTheOffset(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 3))
	num := func() int64 { return rnd.Int64() >> rnd.IntN(63) }
	big64 := func(d time.Duration) *big.Int { return big.NewInt(int64(d)) }
	for range 100_000 {
		interval := time.Duration(num() | 1)
		offset, now := time.Duration(num()), time.Duration(num())
		if rnd.IntN(2) == 0 {
			offset, now = offset%(interval+1), -now
		}
		// The expected slot, in numbers that do not wrap.
		x := new(big.Int).Sub(big64(now), big64(offset))
		x.Div(x, big64(interval)) // rounds down: the interval is positive
		x.Add(x, big.NewInt(1)).Mul(x, big64(interval)).Add(x, big64(offset))
		want := never
		if x.IsInt64() {
			want = time.Duration(x.Int64())
		}
		require.Equal(t, want, slotAfter(offset, interval, now), "offset %d, interval %d, now %d", offset, interval, now)
		require.Greater(t, want, now)
	}
}

func FuzzSlotAfter(f *testing.F) {
	f.Add(int64(5), int64(60), int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, offset, interval, now int64) {
		if interval <= 0 || now == math.MaxInt64 {
			t.Skip()
		}
		at := slotAfter(time.Duration(offset), time.Duration(interval), time.Duration(now))
		if at <= time.Duration(now) {
			t.Errorf("slotAfter(%d, %d, %d) = %d", offset, interval, now, at)
		}
	})
}

// These tests set the clock, in effect: they change the loop's record of the wall
// clock. Its next look finds a difference.

func TestAClockThatIsOffByASecondWasSet(t *testing.T) {
	base := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		off  time.Duration
		want bool
	}{
		{0, false}, {time.Millisecond, false}, {-time.Millisecond, false},
		{time.Second - 1, false}, {1 - time.Second, false}, {time.Second, true}, {-time.Second, true},
		{time.Hour, true}, {-time.Hour, true}, {30 * 365 * 24 * time.Hour, true}, {-30 * 365 * 24 * time.Hour, true},
	} {
		c := clock{base: base, wall: base, wallAt: 5 * time.Second, mono: 6 * time.Second}
		assert.Equal(t, tc.want, c.set(base.Add(10*time.Second+tc.off), 15*time.Second), "off by %v", tc.off)
		assert.Equal(t, time.Duration(base.UnixNano())+10*time.Second+tc.off, c.wallNow())
		c.mono += time.Second
		assert.Equal(t, time.Duration(base.UnixNano())+11*time.Second+tc.off, c.wallNow(), "from there on")
		assert.False(t, c.set(base.Add(12*time.Second+tc.off), 17*time.Second), "once")
	}
}

// settable makes a loop in a bubble. The loop will find that the wall clock was set by
// off.
func settable(t *testing.T, off time.Duration, test func(l *Loop)) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(WithBackend(BackendChan))
		require.NoError(t, err)
		defer l.Close()
		l.wall = l.wall.Add(-off)
		test(l)
		require.NoError(t, l.Verify())
	})
}

// moment parses a minute in UTC. A bubble begins at 2000-01-01 00:00.
func moment(minute string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", minute)
	if err != nil {
		panic(err)
	}
	return t
}

func TestPeriodicsAndSchedulersFollowAClockThatIsSet(t *testing.T) {
	for name, tc := range map[string]struct {
		off                 time.Duration
		began, slot, oneAt  string // times before the clock is set
		slotAfter, oneFires string // times after
	}{
		"forward": {time.Hour, "1999-12-31 23:00", "1999-12-31 23:10", "1999-12-31 23:30", "2000-01-01 00:10", "2000-01-01 00:00"},
		"back":    {-time.Hour, "2000-01-01 01:00", "2000-01-01 01:10", "2000-01-01 01:05", "2000-01-01 00:10", "2000-01-01 01:05"},
	} {
		t.Run(name, func(t *testing.T) {
			settable(t, tc.off, func(l *Loop) {
				require.True(t, l.Now().Equal(moment(tc.began)), "%v", l.Now())
				started := time.Now()
				var slots, asked []time.Time
				p := NewPeriodic(l, 0, 10*time.Minute, func(p *Periodic) {
					if slots = append(slots, l.Now()); len(slots) == 3 {
						p.Stop()
					}
				})
				fires := 0
				one := NewPeriodic(l, time.Duration(moment(tc.oneAt).UnixNano()), 0, func(*Periodic) {
					fires++
					assert.WithinDuration(t, moment(tc.oneFires), l.Now(), time.Minute)
				})
				s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time {
					asked = append(asked, now)
					return now.Truncate(10 * time.Minute).Add(10 * time.Minute)
				}, func(s *Scheduler) { s.Stop() })
				ticked := false
				NewTimer(l, 45*time.Minute, 0, func(*Timer) {
					ticked = true
					assert.Equal(t, 45*time.Minute, time.Since(started), "timers do not follow")
				}).Start()
				p.Start()
				one.Start()
				s.Start()
				require.True(t, p.At().Equal(moment(tc.slot)))
				require.True(t, s.At().Equal(moment(tc.slot)))

				time.Sleep(wallReread)
				l.Update()
				assert.True(t, p.At().Equal(moment(tc.slotAfter)), "%v", p.At())
				assert.True(t, s.At().Equal(moment(tc.slotAfter)), "%v", s.At())
				assert.True(t, one.At().Equal(moment(tc.oneAt)), "one-shots keep their moment")
				require.Len(t, asked, 2)
				assert.True(t, asked[1].Equal(time.Now()))
				require.NoError(t, l.Run(context.Background()))
				assert.Equal(t, 1, fires)
				assert.True(t, ticked)
				require.Len(t, slots, 3)
				assert.True(t, slots[0].Equal(moment(tc.slotAfter)), "%v", slots[0])
			})
		})
	}
}

func TestAParkedLoopLooksAtTheClockEveryMinute(t *testing.T) {
	settable(t, time.Hour, func(l *Loop) {
		began := time.Now()
		NewPeriodic(l, time.Duration(began.UnixNano()), 0, func(*Periodic) {
			assert.Equal(t, maxPark, time.Since(began), "due an hour later by the old clock")
		}).Start()
		require.NoError(t, l.Run(context.Background()))
	})
}

func TestPeriodicsThatTieStayInOrderWhenTheClockIsSet(t *testing.T) {
	settable(t, time.Hour, func(l *Loop) {
		var order, want []any
		for i := range 100 {
			NewPeriodic(l, 0, 10*time.Minute, func(p *Periodic) { order = append(order, p.Data()); p.Stop() }, Data(i)).Start()
			want = append(want, i)
		}
		require.NoError(t, l.Run(context.Background()))
		assert.Equal(t, want, order)
	})
}

func TestAFailureFoundWhenTheClockIsSetDoesNotWaitInThePark(t *testing.T) {
	for _, when := range []time.Duration{0, wallReread} { // the loop finds the jump after the park, or before it
		settable(t, time.Hour, func(l *Loop) {
			began := time.Now()
			reports := 0
			l.onPanic = func(w Watcher, _ any, _ []byte) { reports++; w.Stop() }
			s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time {
				return began.Add(-time.Minute) // right on the old clock
			}, func(*Scheduler) { t.Error("called") })
			s.Start()
			time.Sleep(when)
			require.NoError(t, l.Run(context.Background()))
			assert.Equal(t, 1, reports)
			assert.LessOrEqual(t, time.Since(began), maxPark)
		})
	}
}

func TestTheDeadlineOfAParkIsConvertedWithoutWrapping(t *testing.T) {
	var l Loop
	l.wall, l.mono = time.Unix(1_000_000, 0), 5*time.Second
	l.wallAt = 3 * time.Second
	w := &Periodic{}
	now := l.wallNow()
	require.Equal(t, 1_000_002*time.Second, now)
	assert.Equal(t, never, l.nextPeriodic())
	l.periodics.add(&w.alarm, 0)
	for _, tc := range []struct{ due, watched, capped time.Duration }{
		{now + 1, l.mono + 1, l.mono + 1}, {now + time.Minute, l.mono + time.Minute, l.mono + maxPark},
		{now + maxPark, l.mono + maxPark, l.mono + maxPark},
		{now, l.mono, l.mono}, {now - 1, l.mono, l.mono}, {math.MinInt64, l.mono, l.mono},
		{never, never - now + l.mono, l.mono + maxPark},
	} {
		l.periodics.move(&w.alarm, tc.due)
		l.periodics.unwatch = func() {}
		assert.Equal(t, tc.watched, l.nextPeriodic(), "%d", tc.due)
		l.ioInterval = maxPark + 1
		assert.Equal(t, tc.capped, l.nextPeriodic(), "%d: watched, but hardly looked at", tc.due)
		l.periodics.unwatch, l.ioInterval = nil, 0
		assert.Equal(t, tc.capped, l.nextPeriodic(), "%d", tc.due)
	}
	assert.GreaterOrEqual(t, never-now, farAway>>1) // no deadline in our lifetime
	l.wall = time.Unix(-1_000_000, 0)
	l.periodics.unwatch = func() {}
	assert.Equal(t, never, l.nextPeriodic())
}
