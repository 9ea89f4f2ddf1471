package ev_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestDebuggingFindsEveryRunOnASecondGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t)
	start(t, l)
	for name, runIt := range runModes {
		err := runIt(l, context.Background())
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "ev: "+name+": ")
	}
}

// ownedMethods are the methods that belong to the loop's goroutine.
func ownedMethods(l *ev.Loop, a *ev.Async, w *ev.Timer) map[string]func() {
	return map[string]func(){
		"Async.Active":            func() { a.Active() },
		"Async.Clear":             func() { a.Clear() },
		"Async.Data":              func() { a.Data() },
		"Async.Events":            func() { a.Events() },
		"Async.Feed":              func() { a.Feed(ev.Custom) },
		"Async.Invoke":            func() { a.Invoke(ev.Custom) },
		"Async.Keep":              func() { a.Keep(true) },
		"Async.Pending":           func() { a.Pending() },
		"Async.Priority":          func() { a.Priority() },
		"Async.SetCallback":       func() { a.SetCallback(func(*ev.Async) {}) },
		"Async.SetData":           func() { a.SetData(nil) },
		"Async.SetPriority":       func() { _ = a.SetPriority(0) },
		"Async.Start":             func() { a.Start() },
		"Async.Stop":              func() { a.Stop() },
		"Timer.Arm":               func() { w.Arm(0) },
		"Timer.Remaining":         func() { w.Remaining() },
		"Timer.Repeat":            func() { w.Repeat() },
		"Timer.Reset":             func() { w.Reset() },
		"Timer.Set":               func() { _ = w.Set(0, 0) },
		"Timer.SetCallback":       func() { w.SetCallback(func(*ev.Timer) {}) },
		"Timer.SetRepeat":         func() { _ = w.SetRepeat(0) },
		"Timer.Start":             func() { w.Start() },
		"Timer.Stop":              func() { w.Stop() },
		"Loop.Active":             func() { l.Active() },
		"Loop.Alive":              func() { l.Alive() },
		"Loop.Data":               func() { l.Data() },
		"Loop.Depth":              func() { l.Depth() },
		"Loop.FeedSignal":         func() { l.FeedSignal(nil) },
		"Loop.Invoke":             func() { l.Invoke() },
		"Loop.Iteration":          func() { l.Iteration() },
		"Loop.Now":                func() { l.Now() },
		"Loop.Pending":            func() { l.Pending() },
		"Loop.Ref":                func() { l.Ref() },
		"Loop.Resume":             func() { l.Resume() },
		"Loop.SetData":            func() { l.SetData(nil) },
		"Loop.SetIOInterval":      func() { _ = l.SetIOInterval(0) },
		"Loop.SetInvoke":          func() { l.SetInvoke(nil) },
		"Loop.SetTimeoutInterval": func() { _ = l.SetTimeoutInterval(0) },
		"Loop.Suspend":            func() { l.Suspend() },
		"Loop.Unref":              func() { l.Unref() },
		"Loop.Update":             func() { l.Update() },
		"Loop.Verify":             func() { _ = l.Verify() },
		"Go":                      func() { ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) {}) },
	}
}

func TestDebuggingPanicsWithTheMethodCalledOnAForeignGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t, ev.WithName("mine"))
	a := ev.NewAsync(l, func(*ev.Async) {})
	w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
	start(t, l)
	for name, method := range ownedMethods(l, a, w) {
		assert.Regexp(t, `^ev: `+name+`: called by goroutine \d+, but goroutine \d+ runs the loop "mine"\n`,
			panicOf(method))
	}
}

func TestDebuggingDoesNotMindTheLoopsOwnGoroutine(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {})
		callAll := func() {
			for name, method := range ownedMethods(l, a, w) {
				assert.Nil(t, panicOf(method), name)
			}
			a.Stop()
			w.Stop()
		}
		callAll() // no goroutine runs the loop: it belongs to the goroutine that sets it up
		start(t, l)
		onLoop(t, l, callAll)
		onLoop(t, l, func() {
			dueNow(l, func(*ev.Timer) { callAll() })
			assert.NoError(t, l.RunOnce(context.Background()))
		})
	})
}

func TestDebuggingAllowsMethodsThatAreSafeForConcurrentUse(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	ended := goRun(l)
	untilParked(t, l, 0)
	a.Send()
	a.Sent()
	l.Stats()
	assert.NoError(t, l.Post(func() {}))
	onLoop(t, l, func() {})
	l.Stop()
	assert.NoError(t, receive(t, ended))
	l.StopAll()
	assert.NoError(t, l.Close())
}
