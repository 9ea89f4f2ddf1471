package host_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/host"
)

// The test cases of goja_nodejs's event loop, for this host. Its functions for
// Go code are those of the loop here: a native timer is an ev.Timer, RunOnLoop
// is Host.Post, and a loop that must outlive its program has a Ref.
//
//	TestRun                           TestRunWaitsForATimeout
//	TestStart, TestStartInForeground  TestALoopWithARefOutlivesItsProgram (here one runs the loop on whatever goroutine one likes)
//	TestInterval                      TestAnIntervalTicksUntilItIsCleared
//	TestImmediate                     TestImmediatesOfAnImmediateCanBeCleared
//	TestRunNoSchedule                 TestRunReturnsWhenThereIsNothingToWaitFor
//	TestRunWithConsole                TestTheConsolePrintsToTheWritersOfTheHost
//	TestRunNoConsole                  none: a host always has a console, whose writers can be io.Discard
//	TestClearIntervalRace             TestAnIntervalThatBecameDueWhileTheScriptWasBusyCanBeCleared
//	TestNativeTimeout                 TestATimerInGoKeepsTheProgramGoing
//	TestNativeClearTimeout            TestATimerInGoCanBeStopped
//	TestNativeInterval                TestARepeatingTimerInGoStopsItself
//	TestNativeClearInterval           TestARepeatingTimerThatBecameDueWhileTheScriptWasBusyCanBeStopped
//	TestSetAndClearOnStoppedLoop      TestATimerSetAndClearedBeforeRunIsNotCalled
//	TestSetTimeoutConcurrent          TestAnotherGoroutineSetsATimeout
//	TestClearTimeoutConcurrent        TestAnotherGoroutineClearsATimeout
//	TestClearIntervalConcurrent       TestAnotherGoroutineClearsAnInterval
//	TestRunOnStoppedLoop              TestWhatIsPostedWhileNobodyRunsWaitsForTheNextRun
//	TestPromise                       TestATimeoutSettlesAPromise
//	TestPromiseNative                 TestAGoroutineSettlesAPromise
//	TestEventLoop_StopNoWait          TestStopFromACallbackLeavesTheOtherTimersForTheNextRun
//	TestEventLoop_ClearRunningTimeout TestTheRunningTimeoutCanBeCleared
//	TestEventLoop_Terminate           TestACloseEndsItAllForGood (theirs can be restarted; here one makes another loop)

func TestRunWaitsForATimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		var called time.Time
		require.NoError(t, w.VM().Set("called", func() { called = time.Now() }))
		require.NoError(t, w.run(`setTimeout(called, 1000)`))
		assert.Equal(t, time.Second, called.Sub(begun))
		assert.False(t, w.loop.Alive())
	})
}

func TestALoopWithARefOutlivesItsProgram(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.loop.Ref()
		ended := make(chan error)
		go func() { ended <- w.run(`var called = 0; setTimeout(() => called++, 1000)`) }()
		time.Sleep(time.Hour)
		again := make(chan int64)
		require.NoError(t, w.Post(func(vm *goja.Runtime) error {
			_, err := vm.RunString(`setTimeout(() => called++, 1000)`)
			again <- vm.Get("called").ToInteger()
			return err
		}))
		assert.Equal(t, int64(1), <-again)
		time.Sleep(time.Hour)
		w.loop.Stop()
		require.NoError(t, <-ended)
		assert.Equal(t, int64(2), w.number(t, "called"))
		w.loop.Unref()
		assert.False(t, w.loop.Alive())
	})
}

func TestAnIntervalTicksUntilItIsCleared(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		require.NoError(t, w.run(`
			var count = 0;
			const t = setInterval((times) => {
				console.log('tick');
				if (++count === times) clearInterval(t);
			}, 1000, 3);
			console.log('started')`))
		assert.Equal(t, "started\ntick\ntick\ntick\n", w.out.String())
		assert.Equal(t, 3*time.Second, time.Since(begun))
	})
}

func TestImmediatesOfAnImmediateCanBeCleared(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			let i;
			setImmediate(() => {
				console.log('tick');
				setImmediate(console.log, 'tick 2');
				i = setImmediate(console.log, 'should not run');
			});
			setImmediate(() => clearImmediate(i));
			console.log('started')`))
		assert.Equal(t, "started\ntick\ntick 2\n", w.out.String())
	})
}

func TestRunReturnsWhenThereIsNothingToWaitFor(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		calls := 0
		require.NoError(t, w.Run(context.Background(), func(*goja.Runtime) error { calls++; return nil }))
		assert.Equal(t, 1, calls)
		require.NoError(t, w.Run(context.Background(), nil))
	})
}

func TestTheConsolePrintsToTheWritersOfTheHost(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			console.log('%s is %d', 'a', 1); console.info('b'); console.debug('c');
			console.warn('d'); console.error('e', 2)`))
		assert.Equal(t, "a is 1\nb\nc\n", w.out.String())
		assert.Equal(t, "d\ne 2\n", w.errors.String())
	})
}

func TestAnIntervalThatBecameDueWhileTheScriptWasBusyCanBeCleared(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("block", func() { time.Sleep(2 * time.Second) }))
		require.NoError(t, w.run(`
			const t = setInterval(() => console.log('should not run'), 500);
			block();
			clearInterval(t)`))
		assert.Empty(t, w.out.String())
	})
}

func TestATimerInGoKeepsTheProgramGoing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		calls := 0
		ev.NewTimer(w.loop, time.Second, 0, func(*ev.Timer) { calls++ }).Start()
		require.NoError(t, w.run(``))
		assert.Equal(t, 1, calls)
	})
}

func TestATimerInGoCanBeStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stopped := ev.NewTimer(w.loop, 2*time.Second, 0, func(*ev.Timer) { t.Error("called") })
		stopped.Start()
		ev.NewTimer(w.loop, time.Second, 0, func(*ev.Timer) { stopped.Stop() }).Start()
		begun := time.Now()
		require.NoError(t, w.run(``))
		assert.Equal(t, time.Second, time.Since(begun))
	})
}

func TestARepeatingTimerInGoStopsItself(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		calls := 0
		ev.NewTimer(w.loop, time.Second, time.Second, func(timer *ev.Timer) {
			if calls++; calls == 3 {
				timer.Stop()
			}
		}).Start()
		require.NoError(t, w.run(``))
		assert.Equal(t, 3, calls)
	})
}

func TestARepeatingTimerThatBecameDueWhileTheScriptWasBusyCanBeStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.Run(context.Background(), func(*goja.Runtime) error {
			timer := ev.NewTimer(w.loop, time.Second, time.Second, func(*ev.Timer) { t.Error("called") })
			timer.Start()
			time.Sleep(4 * time.Second)
			timer.Stop()
			return nil
		}))
	})
}

func TestATimerSetAndClearedBeforeRunIsNotCalled(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		_, err := w.VM().RunString(`clearTimeout(setTimeout(() => console.log('should not run'), 1))`)
		require.NoError(t, err)
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Empty(t, w.out.String())
	})
}

// running runs a world on another goroutine until the test calls stop.
func running(t *testing.T, w *world) (stop func()) {
	w.loop.Ref()
	ended := make(chan error)
	go func() { ended <- w.Run(context.Background(), nil) }()
	synctest.Wait() // for Run: a Stop before would have no effect
	return func() {
		w.loop.Stop()
		require.NoError(t, <-ended)
		w.loop.Unref()
	}
}

// elsewhere makes the world run src. It is called on the test's goroutine.
func elsewhere(t *testing.T, w *world, src string) {
	require.NoError(t, w.Post(host.Script("elsewhere.js", src)))
}

func TestAnotherGoroutineSetsATimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		called := make(chan time.Duration, 1)
		begun := time.Now()
		require.NoError(t, w.VM().Set("called", func() { called <- time.Since(begun) }))
		stop := running(t, w)
		elsewhere(t, w, `setTimeout(called, 100)`)
		assert.Equal(t, 100*time.Millisecond, <-called)
		stop()
	})
}

func TestAnotherGoroutineClearsATimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stop := running(t, w)
		elsewhere(t, w, `var t = setTimeout(() => console.log('should not run'), 100)`)
		elsewhere(t, w, `clearTimeout(t)`)
		time.Sleep(time.Second)
		stop()
		assert.Empty(t, w.out.String())
		assert.False(t, w.loop.Alive())
	})
}

func TestAnotherGoroutineClearsAnInterval(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stop := running(t, w)
		elsewhere(t, w, `var ticks = 0, t = setInterval(() => ticks++, 500)`)
		time.Sleep(1700 * time.Millisecond)
		elsewhere(t, w, `clearInterval(t)`)
		time.Sleep(time.Hour)
		stop()
		assert.Equal(t, int64(3), w.number(t, "ticks"))
		assert.False(t, w.loop.Alive())
	})
}

func TestWhatIsPostedWhileNobodyRunsWaitsForTheNextRun(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		inRun, calls := false, 0
		posted := make(chan bool)
		go func() {
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				assert.NoError(t, w.Post(func(*goja.Runtime) error {
					assert.True(t, inRun)
					calls++
					return nil
				}))
			}
			close(posted)
		}()
		w.loop.Ref()
		for range 10 {
			inRun = true
			ev.NewTimer(w.loop, 15*time.Millisecond, 0, func(*ev.Timer) { w.loop.Stop() }).Start()
			require.NoError(t, w.Run(context.Background(), nil))
			inRun = false
			time.Sleep(15 * time.Millisecond)
		}
		<-posted
		w.loop.Unref()
		inRun = true
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Equal(t, 100, calls)
	})
}

func TestATimeoutSettlesAPromise(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			const p = new Promise((resolve) => setTimeout(() => resolve('passed'), 500));
			p.then(console.log)`))
		assert.Equal(t, "passed\n", w.out.String())
	})
}

func TestAGoroutineSettlesAPromise(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("slow", func(what string) goja.Value {
			return w.Promise(func(context.Context) (any, error) {
				time.Sleep(500 * time.Millisecond)
				return what, nil
			})
		}))
		begun := time.Now()
		require.NoError(t, w.run(`
			Promise.all([slow('one'), slow('two')]).then((all) => console.log(all.join()))`))
		assert.Equal(t, "one,two\n", w.out.String())
		assert.Equal(t, 500*time.Millisecond, time.Since(begun), "both at once")
	})
}

func TestStopFromACallbackLeavesTheOtherTimersForTheNextRun(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("stop", w.loop.Stop))
		begun := time.Now()
		require.NoError(t, w.run(`
			setTimeout(() => console.log('later'), 5000);
			setTimeout(stop, 500)`))
		assert.Equal(t, 500*time.Millisecond, time.Since(begun))
		assert.Empty(t, w.out.String())
		assert.True(t, w.loop.Alive())
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Equal(t, 5*time.Second, time.Since(begun))
		assert.Equal(t, "later\n", w.out.String())
	})
}

func TestTheRunningTimeoutCanBeCleared(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			var called = 0;
			let timer;
			function again() {
				if (++called > 5) return;
				clearTimeout(timer);
				timer = setTimeout(again, 500);
			}
			again()`))
		assert.Equal(t, int64(6), w.number(t, "called"))
		assert.False(t, w.loop.Alive())
	})
}

func TestACloseEndsItAllForGood(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		ended := make(chan error)
		go func() { ended <- w.run(`var ticks = 0; setInterval(() => ticks++, 10); setTimeout(() => {}, 3600000)`) }()
		time.Sleep(505 * time.Millisecond)
		require.NoError(t, w.loop.Close())
		require.ErrorIs(t, <-ended, ev.ErrClosed)
		assert.Equal(t, int64(50), w.number(t, "ticks"))
		assert.ErrorIs(t, w.Post(func(*goja.Runtime) error { return nil }), ev.ErrClosed)
		assert.ErrorIs(t, w.Run(context.Background(), func(*goja.Runtime) error { return nil }), ev.ErrClosed)
		assert.ErrorIs(t, w.Run(context.Background(), nil), ev.ErrClosed)
		w.number(t, `setTimeout(() => {}, 1); setInterval(() => {}, 1); setImmediate(() => {}); 0`)
		assert.Zero(t, w.loop.Active())
	})
}
