package ev

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// busily runs a loop in which an Async sends to itself n times. step is called in each of its
// callbacks, in a time that does not pass by itself.
func busily(t *testing.T, n int, step func(l *Loop, i int), setUp ...func(l *Loop)) {
	t.Helper()
	inSteps(t, func(t *testing.T) {
		l, _ := newStepped(t)
		for _, f := range setUp {
			f(l)
		}
		i := 0
		a := NewAsync(l, func(a *Async) {
			step(l, i)
			if i++; i < n {
				a.Send()
			} else {
				l.Stop()
			}
		})
		a.Start()
		a.Send()
		require.NoError(t, l.Run(t.Context()))
		assert.Equal(t, n, i)
	})
}

func TestABusyLoopReadsTheClockWhenAsked(t *testing.T) {
	busily(t, 2*quiet+10, func(l *Loop, i int) {
		switch {
		case i < quiet-1 || quiet <= i && i < 2*quiet-1:
			require.False(t, l.stale, "%d", i)
		case i == quiet-1:
			require.True(t, l.stale)
			time.Sleep(time.Millisecond)
			first := time.Now()
			assert.True(t, l.Now().Equal(first), "as by Update")
			time.Sleep(time.Millisecond)
			assert.True(t, l.Now().Equal(first), "constant from then on")
			l.Update()
			assert.True(t, l.Now().Equal(first.Add(time.Millisecond)))
		case i == 2*quiet:
			require.True(t, l.stale, "nobody has asked for as long again")
		}
	})
}

// While something is interested in the time, it is that of the end of the poll.
func TestALoopThatIsInterestedInTheTimeReadsTheClockInEachIteration(t *testing.T) {
	atPoll := func(l *Loop, i int) {
		if l.stale {
			require.Fail(t, "stale", i)
		}
		if i%100 == 0 {
			polled := time.Now()
			time.Sleep(time.Millisecond)
			assert.True(t, l.base.Add(l.mono).Equal(polled))
		}
	}
	for name, setUp := range map[string]func(l *Loop){
		"a Timer":    func(l *Loop) { NewTimer(l, time.Hour, 0, func(*Timer) {}).Start() },
		"a Periodic": func(l *Loop) { NewPeriodic(l, 0, time.Hour, func(*Periodic) {}).Start() },
		"a Scheduler": func(l *Loop) {
			next := func(_ *Scheduler, now time.Time) time.Time { return now.Add(time.Hour) }
			NewScheduler(l, next, func(*Scheduler) {}).Start()
		},
		"the io interval": func(l *Loop) { require.NoError(t, l.SetIOInterval(time.Microsecond)) },
	} {
		t.Run(name, func(t *testing.T) { busily(t, 2*quiet, atPoll, setUp) })
	}
	t.Run("a callback that asks now and then", func(t *testing.T) {
		busily(t, 4*quiet, func(l *Loop, i int) {
			atPoll(l, i)
			if i%(quiet-1) == 0 {
				l.Now()
			}
		})
	})
	t.Run("RunOnce and RunNoWait", func(t *testing.T) {
		inSteps(t, func(t *testing.T) {
			l, _ := newStepped(t)
			i := 0
			a := NewAsync(l, func(a *Async) { atPoll(l, i); a.Send(); i++ })
			a.Start()
			a.Send()
			for range 2 * quiet {
				require.NoError(t, l.RunOnce(t.Context()))
				require.NoError(t, l.RunNoWait())
			}
			assert.Equal(t, 4*quiet, i)
		})
	})
}

// Every method that counts from the present finds it, in an iteration that has left it unread.
func TestWhatIsStartedInABusyLoopIsNeverEarly(t *testing.T) {
	start := map[string]func(l *Loop, fired func()){
		"Timer.Start": func(l *Loop, fired func()) { NewTimer(l, time.Second, 0, func(*Timer) { fired() }).Start() },
		"Timer.Reset": func(l *Loop, fired func()) { NewTimer(l, 0, time.Second, func(*Timer) { fired() }).Reset() },
		"Periodic.Start": func(l *Loop, fired func()) {
			NewPeriodic(l, time.Duration(time.Now().Add(time.Second).UnixNano()), 0, func(*Periodic) { fired() }).Start()
		},
		"Scheduler.Start": func(l *Loop, fired func()) {
			next := func(_ *Scheduler, now time.Time) time.Time {
				assert.True(t, now.Equal(time.Now()))
				return now.Add(time.Second)
			}
			NewScheduler(l, next, func(*Scheduler) { fired() }).Start()
		},
		"Sleep": func(l *Loop, fired func()) {
			Spawn(l, func(t *Task) error { err := t.Sleep(time.Second); fired(); return err })
		},
		"Within": func(l *Loop, fired func()) {
			Spawn(l, func(t *Task) error {
				err := t.Within(time.Second, func() error {
					for {
						if err := t.Yield(); err != nil {
							return err
						}
						time.Sleep(time.Millisecond)
					}
				})
				fired()
				return err
			})
		},
	}
	for name, start := range start {
		t.Run(name, func(t *testing.T) {
			inSteps(t, func(t *testing.T) {
				l, _ := newStepped(t)
				i := 0
				var began time.Time
				var lasted time.Duration
				a := NewAsync(l, func(a *Async) {
					if i++; i > quiet+5 {
						time.Sleep(time.Millisecond)
					}
					if i == quiet+5 {
						time.Sleep(time.Hour) // it was read long ago
						require.True(t, l.stale)
						began = time.Now()
						start(l, func() { lasted = time.Since(began); l.Stop() })
					}
					a.Send()
				})
				a.Start()
				a.Send()
				require.NoError(t, l.Run(t.Context()))
				assert.GreaterOrEqual(t, lasted, time.Second)
				assert.Less(t, lasted, time.Second+3*time.Millisecond)
			})
		})
	}
}

// Before it parks, a loop knows whether its iterations were short, also those in which it has
// not read the clock.
func TestAParkKnowsTheIterationsInWhichTheClockWasNotRead(t *testing.T) {
	for _, c := range []struct {
		each time.Duration
		hot  bool
	}{{hotIteration / 2, true}, {2 * hotIteration, false}} {
		inSteps(t, func(t *testing.T) {
			l, _ := newStepped(t)
			i, hot, stale := 0, !c.hot, false
			l.wakePolicy.yield = func() {}
			a := NewAsync(l, func(a *Async) {
				time.Sleep(c.each)
				stale = l.stale
				if i++; i < 3*quiet {
					a.Send()
				}
			})
			a.Start()
			a.Send()
			l.SetRelease(func(l *Loop) {
				if i == 3*quiet {
					hot = l.wakePolicy.hot
					l.Stop()
				}
			}, func(*Loop) {})
			require.NoError(t, l.Run(t.Context()))
			assert.True(t, stale, "the last iteration has not read the clock")
			assert.Equal(t, c.hot, hot)
		})
	}
}

// After a Run, Now is the time of its end.
func TestNowAfterABusyRunIsThatOfItsEnd(t *testing.T) {
	inSteps(t, func(t *testing.T) {
		l, _ := newStepped(t)
		i := 0
		a := NewAsync(l, func(a *Async) {
			if i++; i == quiet+5 {
				require.True(t, l.stale)
				l.Stop()
			}
			a.Send()
		})
		a.Start()
		a.Send()
		require.NoError(t, l.Run(t.Context()))
		ended := time.Now()
		time.Sleep(time.Minute)
		assert.True(t, l.Now().Equal(ended))
	})
}
