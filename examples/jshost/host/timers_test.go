package host_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/internal/leak"
)

func TestADelayIsReadAsNodeReadsIt(t *testing.T) {
	for delay, want := range map[string]time.Duration{
		``: 1, `undefined`: 1, `null`: 1, `-1`: 1, `0`: 1, `0.9`: 1, `NaN`: 1, `'x'`: 1, `false`: 1, `{}`: 1, `-Infinity`: 1,
		`1`: 1, `1.999`: 1, `2`: 2, `'20'`: 20, `[30]`: 30, `{valueOf: () => 40}`: 40,
		`2147483647`: 2147483647, `2147483648`: 1, `Infinity`: 1,
	} {
		t.Run(delay, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				begun := time.Now()
				require.NoError(t, w.run(`setTimeout(() => {}, `+delay+`)`))
				assert.Equal(t, want*time.Millisecond, time.Since(begun))
				require.NoError(t, w.run(`const i = setInterval(() => clearInterval(i), `+delay+`)`))
				assert.Equal(t, 2*want*time.Millisecond, time.Since(begun))
			})
		})
	}
}

func TestADelayThatIsTooLongIsSaid(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`setTimeout(() => {}, 2147483648); setTimeout(() => {}, 2147483647)`))
		assert.Equal(t, "TimeoutOverflowWarning: 2147483648 does not fit into a 32-bit signed integer. "+
			"Timeout duration was set to 1.\n", w.errors.String())
	})
}

func TestADelayThatCannotBeReadIsAnErrorAndSetsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			for (const delay of [Symbol('s'), {valueOf() { throw new TypeError('mine') }}])
				try { setTimeout(() => console.log('should not run'), delay) }
				catch (e) { console.log(e.name) }`))
		assert.Equal(t, "TypeError\nTypeError\n", w.out.String())
	})
}

func TestADelayCountsFromTheCallHoweverLongTheScriptHasRun(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("block", func() { time.Sleep(time.Second) }))
		begun := time.Now()
		require.NoError(t, w.run(`block(); setTimeout(() => {}, 500)`))
		assert.Equal(t, 1500*time.Millisecond, time.Since(begun))
	})
}

func TestAnIntervalWaitsAnewAfterItsCallback(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		begun := time.Now()
		var at []time.Duration
		require.NoError(t, w.VM().Set("tick", func() {
			at = append(at, time.Since(begun)/time.Millisecond)
			if len(at) == 2 {
				time.Sleep(250 * time.Millisecond)
			}
		}))
		require.NoError(t, w.run(`let n = 0; const t = setInterval(() => { tick(); if (++n === 5) clearInterval(t) }, 100)`))
		assert.Equal(t, []time.Duration{100, 200, 550, 650, 750}, at)
	})
}

func TestTheMethodsOfATimeoutWantOne(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			const t = setTimeout(() => {}, 1), i = setImmediate(() => {});
			for (const [object, name] of [[t, 'unref'], [t, 'refresh'], [i, 'unref'], [i, 'hasRef']])
				for (const self of [undefined, null, 1, {}, t === object ? i : t])
					try { object[name].call(self); console.log('should have thrown', name, self) }
					catch (e) { if (!(e instanceof TypeError)) console.log(e) }`))
		assert.Empty(t, w.out.String())
	})
}

func TestJunkIsNoImmediate(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			const t = setTimeout(console.log, 1, 'timeout');
			for (const junk of [undefined, null, 1, 'x', {}, () => 0, t]) clearImmediate(junk);
			const over = setImmediate(() => {});
			setImmediate((i) => { clearImmediate(over); clearImmediate(over); over.unref().ref(); clearTimeout(over) });`))
		assert.Equal(t, "timeout\n", w.out.String())
	})
}

func TestAnUnrefedImmediateWaitsForSomethingElse(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`setImmediate(() => console.log('weak')).unref()`))
		assert.Empty(t, w.out.String())
		require.NoError(t, w.run(`setTimeout(() => {}, 1)`))
		assert.Equal(t, "weak\n", w.out.String())
	})
}

func TestTimersHaveNoGoroutines(t *testing.T) {
	const count = 10_000
	onEveryBackend(t, func(t *testing.T, w *world) {
		few := leak.Look()
		few.Goroutines += count / 100
		require.NoError(t, w.VM().Set("look", func() { assert.NoError(t, leak.Since(few, time.Second)) }))
		require.NoError(t, w.VM().Set("count", count))
		require.NoError(t, w.run(`
			const timers = [];
			for (let i = 0; i < count; i++) timers.push(setTimeout(() => {}, 3600000), setInterval(() => {}, 3600000));
			for (let i = 0; i < count; i++) setInterval(() => {}, 1 + i % 10).unref();
			setTimeout(() => { look(); timers.forEach(clearTimeout) }, 20)`))
		assert.Equal(t, count, w.loop.Active()-hidden(w), "the unrefed ones, which are active still")
	})
}

// hidden returns the number of the host's own watchers.
func hidden(*world) int { return 2 } // setImmediate, Cleanup
