package ev_test

import (
	"runtime"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

// later makes JavaScript call fn, from its own event loop.
func later(fn func()) {
	var f js.Func
	f = js.FuncOf(func(js.Value, []js.Value) any {
		f.Release()
		fn()
		return nil
	})
	js.Global().Call("setTimeout", f, 0)
}

func TestJavaScriptRunsBesideALoopThatNeverParks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ev.NewIdle(l, func(*ev.Idle) {}).Start()
		for range 3 {
			later(l.Stop)
			run(t, l)
		}
	})
}

// A wait for JavaScript in a function that JavaScript calls would be a deadlock.
func TestJavaScriptMayCallRunNoWait(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ticks := 0
		ev.NewIdle(l, func(*ev.Idle) { ticks++ }).Start()
		iterations := make(chan int, 1)
		later(func() {
			n := 0
			for began := time.Now(); time.Since(began) < 200*time.Millisecond; n++ {
				assert.NoError(t, l.RunNoWait())
			}
			iterations <- n
		})
		assert.Equal(t, receive(t, iterations), ticks)
	})
}

// A turn of JavaScript must not depend on goroutines that do not wait.
func TestALoopThatNeverParksRunsBesideAGoroutineThatSpins(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		iterations := 0
		ev.NewIdle(l, func(*ev.Idle) {
			if iterations++; iterations == 3 {
				l.Stop()
			}
		}).Start()
		ended := false
		go func() {
			for !ended {
				runtime.Gosched()
			}
		}()
		run(t, l)
		ended = true
	})
}
