package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/host"
)

// How a program ends, and what remains of it.

func TestAnUncaughtErrorEndsTheProgram(t *testing.T) {
	for name, throw := range map[string]string{
		"script":    `throwing()`,
		"timeout":   `setTimeout(throwing, 10)`,
		"interval":  `setInterval(throwing, 10)`,
		"immediate": `setImmediate(throwing); setImmediate(never)`,
		"microtask": `queueMicrotask(throwing)`,
		"listener":  `const c = new AbortController(); c.signal.addEventListener('abort', throwing); c.abort()`,
		"promise":   `Promise.resolve().then(throwing)`,
		"async":     `(async () => { await sleep(10); throwing() })()`,
		"rejection": `new Promise((_, reject) => setTimeout(() => reject(new Error('oops')), 10))`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				err := w.run(`
					const never = () => console.log('should not run');
					function throwing() {
						setImmediate(never);
						throw new Error('oops');
					}
					setTimeout(never, 10000); setInterval(never, 10000); sleep(10000).then(never);
					` + throw + `;
					setTimeout(never, 10) // due in the same pass, at the earliest`)
				require.ErrorContains(t, err, "oops")
				assert.ErrorContains(t, err, "main.js:")
				assert.False(t, w.loop.Alive())
				require.NoError(t, w.Run(context.Background(), nil), "it is reported once")
				assert.Empty(t, w.out.String())
			})
		})
	}
}

func TestAnErrorOfTheScriptKeepsItsValue(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		var thrown *goja.Exception
		require.ErrorAs(t, w.run(`throw {code: 7}`), &thrown)
		assert.Equal(t, int64(7), thrown.Value().ToObject(w.VM()).Get("code").ToInteger())

		var syntax *goja.CompilerSyntaxError
		require.ErrorAs(t, w.run(`let let = 1`), &syntax)

		var uncaught *host.Uncaught
		require.ErrorAs(t, w.run(`Promise.reject(8)`), &uncaught)
		assert.Equal(t, int64(8), uncaught.Reason.ToInteger())
		assert.EqualError(t, uncaught, "unhandled promise rejection: 8")
	})
}

func TestARejectionThatCannotBeShownIsReportedAllTheSame(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		for _, reason := range []string{
			`{toString() { throw new Error('ha') }}`,
			`Object.create(null)`,
			`Object.defineProperty(new Error('x'), 'stack', {get() { throw 'ha' }})`,
		} {
			assert.ErrorContains(t, w.run(`Promise.reject(`+reason+`)`), "cannot be shown", reason)
		}
		assert.ErrorContains(t, w.run(`Promise.reject(new GoError('made here'))`), "made here")
		assert.EqualError(t, w.run(`Promise.reject()`), "unhandled promise rejection: undefined")
	})
}

func TestEveryUnhandledRejectionIsReported(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		err := w.run(`
			Promise.reject('first');
			Promise.reject('handled in time').catch(() => {});
			queueMicrotask(() => { throw 'second' });
			Promise.reject('third')`)
		assert.EqualError(t, err, "uncaught: second\n"+
			"unhandled promise rejection: first\nunhandled promise rejection: third")
	})
}

func TestAnotherScriptCanFollowOneThatFailed(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.Error(t, w.run(`var kept = 'kept'; setTimeout(() => {}, 3600000); setImmediate(() => { throw 1 })`))
		require.NoError(t, w.run(`setImmediate(() => console.log(kept))`))
		assert.Equal(t, "kept\n", w.out.String())
	})
}

func TestRecursionWithoutAnEndIsAnError(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		var overflow *goja.StackOverflowError
		require.ErrorAs(t, w.run(`setImmediate(function f() { f() })`), &overflow)
	})
}

func TestAContextThatIsDoneInterruptsAScriptThatNeverEnds(t *testing.T) {
	for name, src := range map[string]string{
		"script":    `begun(); for (;;);`,
		"timeout":   `setTimeout(() => { begun(); for (;;); }, 1)`,
		"microtask": `begun(); (function again() { Promise.resolve().then(again) })()`,
		"caught":    `begun(); for (;;) { try { for (;;); } catch (e) {} finally { } }`,
	} {
		t.Run(name, func(t *testing.T) {
			onEveryBackend(t, func(t *testing.T, w *world) {
				ctx, cancel := context.WithCancel(context.Background())
				require.NoError(t, w.VM().Set("begun", func() { go cancel() }))
				err := w.Run(ctx, host.Script("main.js", `setTimeout(() => {}, 3600000);`+src))
				require.ErrorIs(t, err, context.Canceled)
				if name != "microtask" { // a microtask may be interrupted between two functions
					assert.ErrorContains(t, err, "main.js:", "where it was")
				}
				assert.False(t, w.loop.Alive())
				require.NoError(t, w.run(`setImmediate(() => console.log('the next one runs'))`))
				assert.Equal(t, "the next one runs\n", w.out.String())
			})
		})
	}
}

func TestAContextThatIsDoneEndsAProgramThatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begun := time.Now()
		err := w.Run(ctx, host.Script("main.js", `var ticks = 0; setInterval(() => ticks++, 1001)`))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(begun))
		assert.Equal(t, int64(59), w.number(t, "ticks"))
		assert.False(t, w.loop.Alive())
	})
}

func TestAContextThatWasDoneBeforeRunsNothing(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, w.Run(ctx, host.Script("main.js", `console.log('should not run')`)), context.Canceled)
		require.NoError(t, w.run(`console.log('the next one runs')`))
		assert.Equal(t, "the next one runs\n", w.out.String())
	})
}

func TestAPanicInAGoFunctionLeavesRunAndTheRestWaits(t *testing.T) {
	for name, src := range map[string]string{
		"timeout":   `setTimeout(explode, 1); setTimeout(console.log, 1, 'the rest')`,
		"immediate": `setImmediate(explode); setImmediate(console.log, 'the rest')`,
		"microtask": `queueMicrotask(explode); setImmediate(console.log, 'the rest')`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				bang := errors.New("bang")
				require.NoError(t, w.VM().Set("explode", func(goja.FunctionCall) goja.Value { panic(bang) }))
				assert.PanicsWithValue(t, bang, func() { _ = w.run(src) })
				assert.Empty(t, w.out.String())
				require.NoError(t, w.Run(context.Background(), nil))
				assert.Equal(t, "the rest\n", w.out.String())
				assert.False(t, w.loop.Alive())
			})
		})
	}
}

func TestAnErrorOfAGoFunctionIsOneOfJavaScript(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		wrong := errors.New("wrong")
		require.NoError(t, w.VM().Set("fail", func() error { return wrong }))
		require.NoError(t, w.run(`try { fail() } catch (e) { console.log(e.message) }`))
		assert.Equal(t, "wrong\n", w.out.String())
		assert.ErrorIs(t, w.run(`setImmediate(fail)`), wrong)
	})
}

func TestWhatIsPostedAfterTheEndOfAProgramIsForTheNext(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.Post(func(*goja.Runtime) error { return errors.New("the end") }))
		require.NoError(t, w.Post(host.Script("posted.js", `console.log('posted')`)))
		require.EqualError(t, w.Run(context.Background(), nil), "the end")
		assert.Empty(t, w.out.String())
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Equal(t, "posted\n", w.out.String())
	})
}

func TestStopFromAnotherGoroutineEndsARunThatWaits(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		waits := make(chan struct{})
		require.NoError(t, w.VM().Set("waits", func() { close(waits) }))
		go func() {
			<-waits
			w.loop.Stop()
		}()
		require.NoError(t, w.run(`var t = setTimeout(() => {}, 3600000); setImmediate(waits)`))
		assert.True(t, w.loop.Alive())
		require.NoError(t, w.run(`clearTimeout(t)`))
	})
}

func TestCloseFromAnotherGoroutineEndsARunThatWaits(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		waits := make(chan struct{})
		require.NoError(t, w.VM().Set("waits", func() { close(waits) }))
		go func() {
			<-waits
			assert.NoError(t, w.loop.Close())
		}()
		assert.ErrorIs(t, w.run(`setTimeout(() => {}, 3600000); setImmediate(waits)`), ev.ErrClosed)
	})
}

func TestARunInsideARunIsRefused(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.Run(context.Background(), func(*goja.Runtime) error {
			assert.ErrorContains(t, w.run(``), "running already")
			return nil
		}))
	})
}

func TestAScriptThatWasStoppedBeforeItBeganIsForTheNextRun(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		ev.NewPrepare(w.loop, func(p *ev.Prepare) {
			p.Stop()
			w.loop.Stop()
		}).Start()
		require.NoError(t, w.run(`console.log('script')`))
		assert.Empty(t, w.out.String())
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Equal(t, "script\n", w.out.String())
	})
}

func TestAScriptDoesNotBeginInAProgramThatHasJustFailed(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.Post(func(*goja.Runtime) error { return errors.New("the end") }))
		require.EqualError(t, w.run(`console.log('should not run')`), "the end")
		require.NoError(t, w.Run(context.Background(), nil))
		assert.Empty(t, w.out.String())
	})
}

func TestAnErrorWaitsForTheRunOfItsOwnHost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		other := host.New(w.loop, host.Config{})
		_, err := other.VM().RunString(`setTimeout(() => { throw 'the end of the other' }, 10)`)
		require.NoError(t, err)
		require.NoError(t, w.run(`setTimeout(() => console.log('goes on'), 20)`))
		assert.True(t, w.loop.Alive())
		require.ErrorContains(t, other.Run(context.Background(), nil), "the end of the other")
		assert.Equal(t, "goes on\n", w.out.String())
	})
}

func TestHostsOnOneLoopDoNotTouchEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		other := host.New(w.loop, host.Config{Stdout: &w.out, Stderr: &w.errors})
		_, err := other.VM().RunString(`setTimeout(() => console.log('other'), 20)`)
		require.NoError(t, err)
		require.EqualError(t, w.run(`setTimeout(() => { Promise.reject('end') }, 10)`), "unhandled promise rejection: end")
		require.NoError(t, other.Run(context.Background(), nil))
		assert.Equal(t, "other\n", w.out.String())
	})
}

func TestNewWithoutALoopPanics(t *testing.T) {
	assert.PanicsWithValue(t, "host: New: nil loop", func() { host.New(nil, host.Config{}) })
}
