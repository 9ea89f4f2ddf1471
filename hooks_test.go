package ev_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// The hooks that note their names.

func (j *journal) idle(l *ev.Loop, name string, opts ...ev.Option) *ev.Idle {
	w := ev.NewIdle(l, func(w *ev.Idle) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) prepare(l *ev.Loop, name string, opts ...ev.Option) *ev.Prepare {
	w := ev.NewPrepare(l, func(w *ev.Prepare) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) check(l *ev.Loop, name string, opts ...ev.Option) *ev.Check {
	w := ev.NewCheck(l, func(w *ev.Check) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) cleanup(l *ev.Loop, name string, opts ...ev.Option) *ev.Cleanup {
	w := ev.NewCleanup(l, func(w *ev.Cleanup) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

func (j *journal) takeAll() []string {
	all := *j
	*j = nil
	return all
}

// Behaviour that the four hooks have in common.

func TestHooksAreCalledWithTheirEvent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var got []ev.Events
		ev.NewPrepare(l, func(w *ev.Prepare) { got = append(got, w.Events()) }).Start()
		ev.NewCheck(l, func(w *ev.Check) { got = append(got, w.Events()) }, ev.Priority(ev.MaxPriority)).Start()
		ev.NewIdle(l, func(w *ev.Idle) { got = append(got, w.Events()) }).Start()
		ev.NewCleanup(l, func(w *ev.Cleanup) { got = append(got, w.Events()) }).Start()
		nowait(t, l)
		require.NoError(t, l.Close())
		assert.Equal(t, []ev.Events{ev.PrepareEvent, ev.CheckEvent, ev.IdleEvent, ev.CleanupEvent}, got)
	})
}

func TestHooksOfAPriorityRunInTheOrderOfTheirStarts(t *testing.T) { // libev's is the reverse
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		for i := range 3 {
			j.prepare(l, fmt.Sprint("p", i))
			j.check(l, fmt.Sprint("c", i), ev.Priority(1))
			j.idle(l, fmt.Sprint("i", i))
		}
		j.prepare(l, "urgent p", ev.Priority(1))
		j.check(l, "urgent c", ev.Priority(2))
		nowait(t, l)
		assert.Equal(t, []string{
			"urgent p", "p0", "p1", "p2",
			"urgent c", "c0", "c1", "c2",
			"i0", "i1", "i2",
		}, j.takeAll())
	})
}

func TestAHookStoppedAndStartedAgainIsTheLast(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		p := j.prepare(l, "p0")
		j.prepare(l, "p1")
		c := j.check(l, "c0")
		j.check(l, "c1")
		for range 2 {
			p.Stop()
			p.Start()
			p.Start() // no effect
			c.Stop()
			c.Start()
		}
		nowait(t, l)
		assert.Equal(t, []string{"p1", "p0", "c1", "c0"}, j.takeAll())
	})
}

func TestOneWholeIteration(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		// They start in another order than the expected one.
		j.idle(l, "idle")
		ev.NewTimer(l, -time.Second, 0, func(*ev.Timer) { j.note("timer due later") }).Start()
		ev.NewTimer(l, -time.Minute, 0, func(*ev.Timer) { j.note("timer due earlier") }).Start()
		a := j.async(l, "async")
		a.Start()
		j.check(l, "check")
		j.check(l, "check of a lower priority", ev.Priority(-1))
		j.due(l, "timer of a lower priority", ev.Priority(-1))
		j.prepare(l, "prepare")
		a.Send()
		nowait(t, l)
		assert.Equal(t, []string{
			"prepare",
			"check", "async", "timer due earlier", "timer due later",
			"check of a lower priority", "timer of a lower priority",
		}, j.takeAll(), "the idle waits for an iteration without events")
		nowait(t, l)
		assert.Equal(t, []string{"prepare", "check", "idle", "check of a lower priority"}, j.takeAll())
	})
}

func TestStoppingAHookAndItsNeighbourInTheFirstOneCalled(t *testing.T) { // as libuv's test queue_foreach_delete
	type hook interface {
		ev.Watcher
		Start()
	}
	kinds := map[string]func(l *ev.Loop, fn func()) hook{
		"Idle":    func(l *ev.Loop, fn func()) hook { return ev.NewIdle(l, func(*ev.Idle) { fn() }) },
		"Prepare": func(l *ev.Loop, fn func()) hook { return ev.NewPrepare(l, func(*ev.Prepare) { fn() }) },
		"Check":   func(l *ev.Loop, fn func()) hook { return ev.NewCheck(l, func(*ev.Check) { fn() }) },
		"Cleanup": func(l *ev.Loop, fn func()) hook { return ev.NewCleanup(l, func(*ev.Cleanup) { fn() }) },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
				var (
					calls [3]int
					w     [3]hook
				)
				for i := range w {
					w[i] = kind(l, func() {
						calls[i]++
						w[i].Stop()
						if i == 0 {
							w[1].Stop()
						}
					})
				}
				for i := range w {
					w[i].Start()
				}
				nowait(t, l)
				require.NoError(t, l.Close())
				assert.Equal(t, [3]int{1, 0, 1}, calls)
			})
		})
	}
}

func TestAHookThatDoesNotKeepTheLoopIsNotWaitedFor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		for _, w := range []ev.Watcher{
			j.prepare(l, "prepare"), j.check(l, "check"), j.idle(l, "idle"),
		} {
			w.Keep(false)
		}
		assert.False(t, l.Alive())
		run(t, l)
		assert.EqualValues(t, 1, l.Iteration())
		assert.Equal(t, []string{"prepare", "check", "idle"}, j.takeAll())
		assert.Equal(t, 3, l.Active())
	})
}

func TestAFedHookIsForgottenWhenStoppedOrCleared(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var j journal
		i, p := j.idle(l, "idle"), j.prepare(l, "prepare")
		c := ev.NewCheck(l, func(*ev.Check) { j.note("check") })
		i.Feed(ev.Custom)
		i.Stop()
		p.Feed(ev.Custom)
		assert.Equal(t, ev.Custom, p.Clear())
		c.Feed(ev.Custom)
		assert.Equal(t, ev.Custom, c.Clear())
		nowait(t, l)
		assert.Equal(t, []string{"prepare"}, j.takeAll())
	})
}

func TestACheckFedBeforeItsTurnIsCalledOnceAndFirst(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var (
			j   journal
			got ev.Events
		)
		a := j.async(l, "async")
		a.Start()
		a.Send()
		c := ev.NewCheck(l, func(w *ev.Check) { j.note("check"); got = w.Events() })
		c.Start()
		// A fed Check waits for its place in the pass after the poll.
		l.SetInvoke(func(*ev.Loop) {})
		c.Feed(ev.Custom)
		nowait(t, l)
		l.SetInvoke(nil)
		l.Invoke()
		assert.Equal(t, []string{"check", "async"}, j.takeAll())
		assert.Equal(t, ev.CheckEvent|ev.Custom, got)
	})
}

func TestALoopThatEndsThoughHooksStartEachOther(t *testing.T) { // as libuv's test loop-handles
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const iterations = 21
		var n, second, checked, idled, started, ended int
		prepare2 := ev.NewPrepare(l, func(w *ev.Prepare) {
			assert.Equal(t, 0, n%2, "prepare 2 ran in the iteration that started it")
			second++
			w.Stop()
		}, ev.Priority(-1))
		idle2 := ev.NewIdle(l, func(w *ev.Idle) { ended++; w.Stop() })
		var idles [7]*ev.Idle
		for i := range idles {
			idles[i] = ev.NewIdle(l, func(w *ev.Idle) {
				if idled++; idled%5 == 0 {
					w.Stop()
					if !idle2.Active() {
						started++
						idle2.Start()
					}
				}
			})
		}
		prepare1 := ev.NewPrepare(l, func(*ev.Prepare) {
			if n%2 == 0 {
				prepare2.Start()
			}
			n++
		})
		prepare1.Start()
		timer := ev.NewTimer(l, 0, time.Millisecond, func(*ev.Timer) {}) // ends the park while no Idle is active
		timer.Keep(false)
		timer.Start()
		ev.NewCheck(l, func(w *ev.Check) {
			if checked++; n < iterations {
				for i := range 1 + n%7 {
					idles[i].Start()
				}
				return
			}
			if idle2.Active() {
				ended++
			}
			for _, other := range []ev.Watcher{prepare1, prepare2, w, idle2} {
				other.Stop()
			}
			for _, idle := range idles {
				idle.Stop()
			}
		}, ev.Priority(ev.MaxPriority)).Start()
		run(t, l)
		assert.Equal(t, iterations, n)
		assert.Equal(t, 10, second)
		assert.Equal(t, iterations, checked)
		assert.Equal(t, started, ended)
		assert.NotZero(t, started)
		timer.Stop()
		assert.Zero(t, l.Active())
	})
}
