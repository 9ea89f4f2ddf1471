package ev_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

func TestAWatcherThatDoesNotKeepTheLoopIsNotWaitedFor(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		w.Keep(false)
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Zero(t, l.Stats().Parks)
		assert.True(t, w.Active())
		w.Keep(true)
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
	})
}

func TestUnrefExemptsAWatcher(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		startIt(t, w)
		l.Unref()
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.True(t, w.Active())
		l.Ref()
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
	})
}

func TestRunEndsWithTheLastWatcherThatKeepsIt(t *testing.T) {
	for name, exempt := range map[string]func(l *ev.Loop, w ev.Watcher){
		"Keep":  func(_ *ev.Loop, w ev.Watcher) { w.Keep(false) },
		"Unref": func(l *ev.Loop, _ ev.Watcher) { l.Unref() },
	} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			far := farOff(t, l)
			exempt(l, far)
			fired := 0
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired++ }).Start()
			run(t, l)
			assert.Equal(t, 1, fired, name)
			assert.True(t, far.Active())
		})
	}
}

func TestKeepBelongsToTheWatcherAndSurvivesStopAndStart(t *testing.T) {
	onEveryKind(t, func(t *testing.T, l *ev.Loop, newWatcher maker) {
		w := newWatcher(uncalled(t))
		w.Keep(false) // before Start
		w.Keep(false) // idempotent
		startIt(t, w)
		assert.False(t, l.Alive())
		w.Stop()
		startIt(t, w)
		assert.False(t, l.Alive())
		w.Keep(true)
		w.Keep(true)
		assert.True(t, l.Alive())
		w.Stop()
		assert.False(t, l.Alive())
		startIt(t, w)
		assert.True(t, l.Alive())
		w.Stop()
	})
}

func TestKeepSurvivesTheResetOfATimer(t *testing.T) {
	l := newLoop(t)
	w := ev.NewTimer(l, time.Hour, time.Hour, func(*ev.Timer) { assert.Fail(t, "called") })
	w.Keep(false)
	w.Reset()
	w.Reset()
	assert.True(t, w.Active())
	run(t, l)
	w.Keep(true)
	assert.True(t, l.Alive())
}

func TestATimerThatDoesNotKeepTheLoopMayExpireByItself(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		fired := 0
		w := ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { fired++ })
		w.Keep(false)
		w.Start()
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		assert.Equal(t, 1, fired)
		assert.False(t, l.Alive())
		run(t, l) // must not wait for a reference that is gone
	})
}

func TestATimerExemptByUnrefTakesItsReferenceBackBeforeItExpires(t *testing.T) { // the rule that Unref documents
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { l.Ref() }).Start()
		l.Unref()
		ev.NewTimer(l, 2*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		assert.False(t, l.Alive())
	})
}

func TestAWatcherMayStopKeepingTheLoopInItsCallback(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewTimer(l, 0, time.Millisecond, func(w *ev.Timer) {
			if ticks++; ticks == 3 {
				w.Keep(false)
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 3, ticks)
		assert.EqualValues(t, 3, l.Iteration())
	})
}

func TestADueTimerIsCalledThoughNothingKeepsTheLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		order.due(l, "called").Keep(false)
		run(t, l)
		assert.Equal(t, journal{"called"}, order, "one iteration is always made")
	})
}

func TestRefKeepsRunGoingWithoutAWatcher(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		l.Ref()
		assert.True(t, l.Alive())
		ended := goRun(l)
		untilParked(t, l, 0)
		assert.NoError(t, l.Post(l.Unref))
		assert.NoError(t, receive(t, ended))
	})
}

func TestWatchersYieldsTheActiveOnes(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		b := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		c := ev.NewIdle(l, func(*ev.Idle) {})
		a.Start()
		b.Start()
		got := slices.Collect(l.Watchers())
		assert.ElementsMatch(t, []ev.Watcher{a, b}, got)
		assert.NotContains(t, got, c)
		for range l.Watchers() {
			break
		}
	})
}
