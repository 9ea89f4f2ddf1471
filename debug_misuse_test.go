package ev_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// noWatchers is a nil pointer of each kind of watcher.
var noWatchers = []ev.Watcher{
	(*ev.Async)(nil), (*ev.Queue[int])(nil), (*ev.Timer)(nil), (*ev.Periodic)(nil), (*ev.Scheduler)(nil),
	(*ev.IO)(nil), (*ev.Signal)(nil), (*ev.Child)(nil), (*ev.Stat)(nil), (*ev.Idle)(nil), (*ev.Prepare)(nil),
	(*ev.Check)(nil), (*ev.Cleanup)(nil), (*ev.Embed)(nil), (*ev.Task)(nil),
}

// shared reports whether a method belongs to the embedded watcher. For these methods
// the language itself checks for nil before the call.
func shared(method string) bool {
	_, ok := reflect.TypeFor[ev.Watcher]().MethodByName(method)
	return ok
}

// unchecked are methods that make one load, or that return an argument of the
// constructor.
var unchecked = []string{
	"Async.Send", "Async.Sent", "Signal.Signal", "Child.Pid", "Stat.Path", "Embed.Other", "Task.Context",
	"Loop.Name", "Loop.Backend", "Loop.ID",
}

// eachMethod calls all exported methods of v with zero arguments. visit gets the value
// that each panics with.
func eachMethod(v reflect.Value, visit func(name, method string, panicked any)) {
	kind, _, _ := strings.Cut(v.Type().Elem().Name(), "[")
	for i := range v.NumMethod() {
		method := v.Type().Method(i).Name
		var args []reflect.Value
		for j := range v.Method(i).Type().NumIn() {
			args = append(args, reflect.Zero(v.Method(i).Type().In(j)))
		}
		visit(kind+"."+method, method, panicOf(func() { v.Method(i).Call(args) }))
	}
}

func TestAMethodOfANilWatcherPanicsAsTheLanguageSays(t *testing.T) {
	if emulator := os.Getenv("EV_TEST_EMULATOR"); emulator != "" && runtime.GOARCH == "ppc64le" {
		t.Skip(emulator, ": a method that reflect calls may get another receiver than nil")
	}
	for _, w := range noWatchers {
		eachMethod(reflect.ValueOf(w), func(name, _ string, panicked any) {
			assert.Implements(t, (*runtime.Error)(nil), panicked, name)
		})
	}
}

func TestWhatTheLanguageChecksOfANilWatcherPanicsAtTheLineOfTheCaller(t *testing.T) {
	var timer *ev.Timer
	var async *ev.Async
	for name, call := range map[string]func(){
		"Timer.Stop": func() { timer.Stop() },
		"Timer.Feed": func() { timer.Feed(ev.Custom) },
		"Timer.Keep": func() { timer.Keep(true) },
		"Async.Send": func() { async.Send() },
	} {
		assert.Contains(t, panicsIn(call), "debug_misuse_test.go", name)
	}
}

// panicsIn returns the file in which fn panics.
func panicsIn(fn func()) (file string) {
	defer func() {
		_ = recover()
		pcs := make([]uintptr, 64)
		frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
		for more := true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			// Send is inlined: its line is the caller's.
			if !strings.HasPrefix(frame.Function, "runtime.") && !strings.Contains(frame.Function, "(*Async).Send") &&
				!strings.Contains(frame.Function, "atomic.") {
				file = filepath.Base(frame.File)
				return
			}
		}
	}()
	fn()
	return ""
}

func TestAMethodOfAZeroWatcherIsHarmlessOrSaysWhatItWas(t *testing.T) {
	for _, w := range noWatchers {
		zero := reflect.New(reflect.TypeOf(w).Elem())
		eachMethod(zero, func(name, method string, panicked any) {
			switch {
			case method == "Feed" || method == "Clear" || method == "Invoke":
				assert.Equal(t, "ev: "+method+" of a watcher that no constructor made", panicked, name)
			case shared(method) || slices.Contains(unchecked, name):
				assert.Nil(t, panicked, name)
			default:
				assert.Equal(t, "ev: "+name+": a watcher that no constructor made", panicked)
			}
		})
		assert.False(t, zero.Interface().(ev.Watcher).Active())
	}
}

func TestAMethodOfANilLoopOrOneThatNewDidNotMakeSaysSo(t *testing.T) {
	for _, test := range []struct {
		l    *ev.Loop
		what string
	}{{nil, "nil Loop"}, {new(ev.Loop), "a Loop that New did not make"}} {
		eachMethod(reflect.ValueOf(test.l), func(name, _ string, panicked any) {
			switch {
			case !slices.Contains(unchecked, name):
				assert.Equal(t, "ev: "+name+": "+test.what, panicked)
			case test.l == nil:
				assert.Implements(t, (*runtime.Error)(nil), panicked, name)
			default:
				assert.Nil(t, panicked, name)
			}
		})
		none := func() (int, error) { return 0, nil }
		assert.PanicsWithValue(t, "ev: Call: "+test.what, func() { _, _ = ev.Call(t.Context(), test.l, none) })
		assert.PanicsWithValue(t, "ev: Go: "+test.what, func() { ev.Go(test.l, none, func(int, error) {}) })
	}
}

func TestNilAndZeroArgumentsOfTasksAreNamed(t *testing.T) {
	l, other := newLoop(t), newLoop(t)
	foreign := ev.NewTask(other, func(*ev.Task) error { return nil })
	const none, another = ": nil task, or one that no constructor made", ": the task is of another loop"
	ev.Spawn(l, func(task *ev.Task) error {
		c, m := ev.NewCond(l), ev.NewMailbox[int](l, 0)
		for want, call := range map[string]func(){
			"Task.Join" + none:                                           func() { _ = task.Join(nil) },
			"Task.Join" + another:                                        func() { _ = task.Join(foreign) },
			"Cond.Wait" + none:                                           func() { _ = c.Wait(nil) },
			"Cond.Wait" + another:                                        func() { _ = c.Wait(foreign) },
			"Mailbox.Receive" + none:                                     func() { _, _ = m.Receive(new(ev.Task)) },
			"Mailbox.Receive" + another:                                  func() { _, _ = m.Receive(foreign) },
			"Await: nil task":                                            func() { _, _ = ev.Await(nil, func(context.Context) (int, error) { return 0, nil }) },
			"Await: nil function":                                        func() { _, _ = ev.Await[int](task, nil) },
			"NewGroup" + none:                                            func() { ev.NewGroup(nil) },
			"NewCond: nil loop":                                          func() { ev.NewCond(nil) },
			"NewMailbox: nil loop":                                       func() { ev.NewMailbox[int](nil, 0) },
			"Cond.Wait: a Cond that NewCond did not make":                func() { _ = new(ev.Cond).Wait(task) },
			"Cond.Signal: a Cond that NewCond did not make":              func() { new(ev.Cond).Signal() },
			"Cond.Broadcast: a Cond that NewCond did not make":           func() { new(ev.Cond).Broadcast() },
			"Mailbox.Send: a Mailbox that NewMailbox did not make":       func() { _ = new(ev.Mailbox[int]).Send(1) },
			"Mailbox.Receive: a Mailbox that NewMailbox did not make":    func() { _, _ = new(ev.Mailbox[int]).Receive(task) },
			"Mailbox.TryReceive: a Mailbox that NewMailbox did not make": func() { new(ev.Mailbox[int]).TryReceive() },
			"Group.Go: a Group that NewGroup did not make":               func() { new(ev.Group).Go(func(*ev.Task) error { return nil }) },
			"Group.Wait: a Group that NewGroup did not make":             func() { _ = new(ev.Group).Wait() },
		} {
			assert.PanicsWithValue(t, "ev: "+want, call)
		}
		assert.Equal(t, 0, new(ev.Mailbox[int]).Len())
		new(ev.Mailbox[int]).Close()
		return nil
	})
	run(t, l)
}

// EV_DEBUG=1.

func TestDebuggingShowsWhereBothGoroutinesAre(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t, ev.WithName("mine"))
	timer := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("flush"))
	start(t, l)
	held, release := make(chan struct{}), make(chan struct{})
	require.NoError(t, l.Post(func() { holdUp(held, release) }))
	receive(t, held)
	defer close(release)

	message := fmt.Sprint(panicOf(func() { trespass(timer) }))
	first, stacks, _ := strings.Cut(message, "\n")
	assert.Regexp(t, `^ev: Timer\.Start: called by goroutine \d+, but goroutine \d+ runs the loop "mine" \(watcher "flush"\)$`, first)
	caller, owner, _ := strings.Cut(stacks, "the loop is run by")
	assert.Contains(t, caller, "ev_test.trespass(")
	assert.NotContains(t, caller, "holdUp")
	assert.Contains(t, owner, "ev_test.holdUp(")
	assert.Contains(t, owner, "(*Loop).Run(")
	assert.NotContains(t, owner, "trespass")
}

func holdUp(held chan<- struct{}, release <-chan struct{}) {
	close(held)
	<-release
}

func trespass(timer *ev.Timer) { timer.Start() }

func TestDebuggingSeesEveryMethodOfEveryKindFromOutside(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l, other := newLoop(t), newLoop(t)
	made := oneOfEach(l, other)
	start(t, l)
	open := append([]string{"Queue.Send"}, unchecked...)
	for _, w := range made {
		eachMethod(reflect.ValueOf(w), func(name, method string, panicked any) {
			switch {
			case name == "Queue.SendWait": // its context is nil
				assert.Implements(t, (*runtime.Error)(nil), panicked)
				return
			case slices.Contains(open, name) || method == "Loop" || method == "Name":
				assert.Nil(t, panicked, name)
				return
			}
			assert.Contains(t, panicked, "ev: "+name+": called by goroutine ")
		})
	}
}

// oneOfEach makes a watcher of each kind.
func oneOfEach(l, other *ev.Loop) []ev.Watcher {
	return []ev.Watcher{
		ev.NewAsync(l, func(*ev.Async) {}),
		ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {}),
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {}),
		ev.NewPeriodic(l, 0, 0, func(*ev.Periodic) {}),
		ev.NewScheduler(l, func(*ev.Scheduler, time.Time) time.Time { return time.Time{} }, func(*ev.Scheduler) {}),
		ev.NewIO(l, 0, ev.Read, func(*ev.IO, ev.Events) {}),
		ev.NewSignal(l, os.Interrupt, func(*ev.Signal) {}),
		ev.NewChild(l, 1, func(*ev.Child) {}),
		ev.NewStat(l, "/", 0, func(*ev.Stat) {}),
		ev.NewIdle(l, func(*ev.Idle) {}),
		ev.NewPrepare(l, func(*ev.Prepare) {}),
		ev.NewCheck(l, func(*ev.Check) {}),
		ev.NewCleanup(l, func(*ev.Cleanup) {}),
		ev.NewEmbed(l, other, nil),
		ev.NewTask(l, func(*ev.Task) error { return nil }),
	}
}
