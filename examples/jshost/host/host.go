// Package host runs JavaScript on an ev.Loop: a goja runtime with the timers,
// promises and fetch that programs for Node.js expect, in Node's order. It is
// what goja itself leaves to its embedder.
//
// The loop does the waiting: a JavaScript timer is an ev.Timer, setImmediate is
// an ev.Async of a lower priority, and what takes long is done by ev.Go and comes
// back as a settled promise. Microtasks are goja's own job queue, which it drains
// whenever JavaScript returns to Go: after each callback.
package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/require"

	"github.com/goevlib/ev"
)

// maxDepth bounds the depth of calls, as Node does: recursion without an end is
// an error then and does not eat the machine's memory.
const maxDepth = 10_000

// Config says what a Host's programs have to do with the world. The zero value
// is good.
type Config struct {
	Stdout io.Writer    // console.log, info and debug; nil is os.Stdout
	Stderr io.Writer    // console.warn and error, and warnings; nil is os.Stderr
	Client *http.Client // what fetch asks; nil is http.DefaultClient
}

// Host is a JavaScript world on a loop. Like the loop it belongs to one
// goroutine, the one that is in Run or sets it up; only Post may be called by
// others.
type Host struct {
	loop *ev.Loop
	vm   *goja.Runtime
	Config

	program context.Context // done when the program is dropped, or the loop closed
	cancel  context.CancelFunc
	running bool
	err     error        // what ended the program
	goError *goja.Object // the class of what Go functions reject with

	timeouts   map[int64]*timeout // the active ones, by what they are as a number
	lastID     int64
	timeout    *goja.Object // the prototypes
	immediate  *goja.Object
	immediates immediates
	rejections rejections
}

// New makes a host with a runtime of its own. Any number of them, and other
// watchers, may share a loop: whoever runs it runs them all. A program that fails
// in another's Run stops that, and its error waits for the Run of its own host.
// New panics when loop is nil.
func New(loop *ev.Loop, c Config) *Host {
	if loop == nil {
		panic("host: New: nil loop")
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	h := &Host{loop: loop, vm: goja.New(), Config: c, timeouts: map[int64]*timeout{}}
	h.program, h.cancel = context.WithCancel(context.Background())
	h.vm.SetMaxCallStackSize(maxDepth)
	h.vm.SetPromiseRejectionTracker(h.rejections.track)
	h.goError = h.vm.Get("GoError").ToObject(h.vm)
	h.immediates.init(h)
	// Requests that are under way end with the loop, not at their leisure.
	ev.NewCleanup(loop, func(*ev.Cleanup) { h.cancel() }, ev.Name("host")).Start()
	h.globals()
	return h
}

// globals fills the global object. That can only fail by a mistake in here.
func (h *Host) globals() {
	registry := new(require.Registry)
	registry.Enable(h.vm)
	h.enableConsole(registry)
	h.enableTimers()
	h.enableImmediates()
	native := h.vm.NewObject()
	must(native.Set("report", h.report))
	must(native.Set("request", h.request))
	prelude, err := h.vm.RunScript("prelude.js", preludeSource)
	must(err)
	enable, _ := goja.AssertFunction(prelude)
	_, err = enable(nil, native)
	must(err)
}

// global makes fn a global function. Its name would be fn's in Go otherwise.
func (h *Host) global(name string, fn func(goja.FunctionCall) goja.Value) {
	f := h.vm.ToValue(fn).(*goja.Object)
	must(f.DefineDataProperty("name", h.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	must(h.vm.Set(name, f))
}

//go:embed prelude.js
var preludeSource string

func must(err error) {
	if err != nil {
		panic("host: " + err.Error())
	}
}

// VM returns the runtime, for setting globals and for looking at results. It is
// for the loop's goroutine. Calls into JavaScript belong into Run and Post, which
// look after what is thrown.
func (h *Host) VM() *goja.Runtime { return h.vm }

// Script returns what Run needs to run src; name is for stack traces, and what
// require looks for modules beside. The error of a source that does not parse is
// Run's.
func Script(name, src string) func(*goja.Runtime) error {
	return func(vm *goja.Runtime) error {
		program, err := goja.Compile(name, src, false)
		if err != nil {
			return err
		}
		_, err = vm.RunProgram(program)
		return err
	}
}

// Run calls begin on the loop, then runs the loop until nothing keeps it: no
// timer, immediate, promise of [Host.Promise], post, nor another watcher. A nil begin goes
// on with what is there. Run returns
//
//   - nil when nothing keeps the loop, or after [ev.Loop.Stop]: another Run goes
//     on where this one stopped, with begin if need be;
//   - what begin returned or a callback threw (a *[goja.Exception]), or an
//     *[Uncaught]. As in Node that is the end of the program: its timers,
//     immediates and promises are dropped;
//   - ctx.Err(), or an error that wraps it and says in which line the program was
//     interrupted, if it was in one: when ctx is done even a script that never
//     returns is stopped, unless it is inside a Go function. The program is
//     dropped too;
//   - [ev.ErrClosed] when the loop is closed. Close waits for a callback in
//     progress and does not interrupt it: cancel ctx before.
//
// A panic of a Go function that JavaScript called leaves Run as a panic; the rest
// of the program waits for another Run. Run fails when the host is in Run already.
func (h *Host) Run(ctx context.Context, begin func(vm *goja.Runtime) error) error {
	if h.running {
		return errors.New("host: Run: the host is running already")
	}
	h.running = true
	defer func() { h.running = false }()
	defer h.interruptWhenDone(ctx)()

	over := false
	if begin != nil {
		if err := h.loop.Post(func() {
			if !over && h.err == nil {
				h.enter(func() error { return begin(h.vm) })
			}
		}); err != nil {
			return err
		}
	}
	err := h.loop.Run(ctx)
	if err != nil {
		over = true // a begin that was not called would be called by the next Run
		h.drop()
	}
	if h.err != nil {
		err, h.err = h.err, nil
	}
	return err
}

// interruptWhenDone has the runtime stop wherever it is when ctx is done. What it
// returns undoes that, so that an interrupt which comes too late does not hit the
// next Run.
func (h *Host) interruptWhenDone(ctx context.Context) (undo func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		h.vm.Interrupt(ctx.Err())
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			h.vm.ClearInterrupt()
		}
	}
}

// Post has fn run on the loop by the Run in progress or the next one. Any
// goroutine may call it. It is for Go code that wants something of the runtime:
// fn's error, or what it leaves unhandled, ends the program as an exception does.
// It returns [ev.ErrClosed] after the loop's Close, which drops what has not begun.
func (h *Host) Post(fn func(vm *goja.Runtime) error) error {
	if fn == nil {
		panic("host: Post: nil function")
	}
	return h.loop.Post(func() {
		if h.err != nil { // a callback of this very pass has ended the program
			_ = h.Post(fn) // ErrClosed: dropped, as promised
			return
		}
		h.enter(func() error { return fn(h.vm) })
	})
}

// enter is the one way into JavaScript. When fn is back, so are the microtasks:
// what is unhandled then will not be handled.
func (h *Host) enter(fn func() error) {
	if err := fn(); err != nil {
		h.fail(err)
	}
	for _, p := range h.rejections.take() {
		h.fail(h.uncaught("unhandled promise rejection", p.Result()))
	}
	if h.err != nil {
		h.drop()
		h.loop.Stop()
	}
}

// call makes a callback.
func (h *Host) call(fn goja.Callable, this goja.Value, args []goja.Value) {
	h.enter(func() error {
		_, err := fn(this, args...)
		return err
	})
}

// fail ends the program, once JavaScript has returned. The first error comes
// first; none is lost.
func (h *Host) fail(err error) {
	if h.err != nil {
		err = errors.Join(h.err, err)
	}
	h.err = err
}

// report is fail for the prelude.
func (h *Host) report(call goja.FunctionCall) goja.Value {
	h.fail(h.uncaught("uncaught", call.Argument(0)))
	return nil
}

// drop forgets the program: nothing of it is called any more.
func (h *Host) drop() {
	h.cancel()
	h.program, h.cancel = context.WithCancel(context.Background())
	for _, t := range h.timeouts {
		t.watcher.Stop()
	}
	clear(h.timeouts)
	h.immediates.drop()
	h.rejections.take()
}

// Uncaught is the error of a Run whose program let go of one: a promise was
// rejected and nobody minded, or a microtask threw.
type Uncaught struct {
	What   string     // happened
	Reason goja.Value // what was thrown or the promise rejected with; for the loop's goroutine
	text   string
	cause  error
}

func (e *Uncaught) Error() string { return e.What + ": " + e.text }

// Unwrap returns the error of the Go function that was the reason, if one was.
func (e *Uncaught) Unwrap() error { return e.cause }

func (h *Host) uncaught(what string, reason goja.Value) *Uncaught {
	e := &Uncaught{What: what, Reason: reason}
	if thrown := h.vm.Try(func() {
		e.text = describe(reason)
		e.cause = h.goCause(reason)
	}); thrown != nil {
		e.text = fmt.Sprintf("something that cannot be shown (%v)", thrown)
	}
	return e
}

// goCause returns the error that a GoError was made of, if reason is one.
func (h *Host) goCause(reason goja.Value) error {
	if !h.vm.InstanceOf(reason, h.goError) {
		return nil
	}
	value := reason.(*goja.Object).Get("value")
	if value == nil { // the script made it
		return nil
	}
	err, _ := value.Export().(error)
	return err
}

// describe shows an Error with its stack, anything else as String does. It may
// call JavaScript, and throw.
func describe(reason goja.Value) string {
	if o, ok := reason.(*goja.Object); ok && o.ClassName() == "Error" {
		if stack := o.Get("stack"); stack != nil && !goja.IsUndefined(stack) {
			return strings.TrimSpace(stack.String())
		}
	}
	return reason.String()
}
