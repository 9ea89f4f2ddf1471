// Package host runs JavaScript on an ev.Loop: a goja runtime with the timers,
// promises and fetch that programs for Node.js expect, in Node's order. goja
// itself leaves these to the program that embeds it.
//
// A JavaScript timer is an ev.Timer, setImmediate is an ev.Async of a lower
// priority, and ev.Go does long work and settles its promise on the loop.
// Microtasks are goja's own job queue, which it drains whenever JavaScript
// returns to Go: after each callback.
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

// maxDepth bounds the depth of calls, as Node does. Endless recursion is then
// an error and does not exhaust the machine's memory.
const maxDepth = 10_000

// Config has the outputs and the HTTP client of a Host's programs. The zero
// value is ready to use.
type Config struct {
	Stdout io.Writer    // console.log, info and debug; nil is os.Stdout
	Stderr io.Writer    // console.warn and error, and warnings; nil is os.Stderr
	Client *http.Client // used by fetch; nil is http.DefaultClient
}

// Host is a JavaScript runtime on a loop. Like the loop it belongs to one
// goroutine: the goroutine in Run or, before Run, the goroutine that sets it
// up. Only Post is safe for concurrent use.
type Host struct {
	loop *ev.Loop
	vm   *goja.Runtime
	Config

	program context.Context // done when the program is dropped, or the loop closed
	cancel  context.CancelFunc
	running bool
	err     error        // the error that ended the program
	goError *goja.Object // the class of the errors with which Go functions reject

	timeouts   map[int64]*timeout // the active ones, by their numbers
	lastID     int64
	timeout    *goja.Object // the prototypes
	immediate  *goja.Object
	immediates immediates
	rejections rejections
}

// New makes a host with a runtime of its own. Any number of hosts and other
// watchers may share a loop. Each Run of the loop runs them all. A program that
// fails in the Run of another host stops that Run, and the error is returned by
// the next Run of its own host. New panics if loop is nil.
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
	// The end of the loop cancels requests in progress.
	ev.NewCleanup(loop, func(*ev.Cleanup) { h.cancel() }, ev.Name("host")).Start()
	h.globals()
	return h
}

// globals fills the global object. An error would be a mistake in this package.
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

// global makes fn a global function with the given name. Otherwise its name
// would be that of the Go function.
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

// VM returns the runtime, for setting globals and for reading results. It must
// be called on the loop's goroutine. Make calls into JavaScript in Run and
// Post, which handle exceptions.
func (h *Host) VM() *goja.Runtime { return h.vm }

// Script returns a function for Run that runs src. name is for stack traces,
// and require looks for modules beside that file. If the source does not parse,
// Run returns the error.
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

// Run calls begin on the loop, then runs the loop until nothing keeps it going:
// no timer, immediate, promise of [Host.Promise], post, or other watcher. If
// begin is nil, Run goes on with the present program. Run returns
//
//   - nil when nothing keeps the loop going, or after [ev.Loop.Stop]: another Run
//     continues where this one stopped, and calls its own begin first;
//   - the error of begin, the exception of a callback (a *[goja.Exception]), or an
//     *[Uncaught]. As in Node, the program ends: its timers, immediates and
//     promises are dropped;
//   - ctx.Err(), or an error that wraps it and names the line at which the program
//     was interrupted. When ctx is done, even an endless script is stopped, unless
//     it is inside a Go function. The program is dropped too;
//   - [ev.ErrClosed] when the loop is closed. Close waits for a callback in
//     progress and does not interrupt it: cancel ctx before.
//
// A panic of a Go function that JavaScript called leaves Run as a panic. The
// rest of the program waits for another Run. Run returns an error if the host
// is in Run already.
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
		over = true // if begin was not called, the next Run must not call it
		h.drop()
	}
	if h.err != nil {
		err, h.err = h.err, nil
	}
	return err
}

// interruptWhenDone interrupts the runtime when ctx is done. The function that
// it returns undoes that, so that a late interrupt does not hit the next Run.
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

// Post makes the Run in progress, or the next one, call fn on the loop. It is
// safe for concurrent use. Use it from Go code that needs the runtime. An error
// of fn, or an unhandled rejection, ends the program as an exception does. Post
// returns [ev.ErrClosed] after the loop's Close, which drops functions that
// have not begun.
func (h *Host) Post(fn func(vm *goja.Runtime) error) error {
	if fn == nil {
		panic("host: Post: nil function")
	}
	return h.loop.Post(func() {
		if h.err != nil { // a callback of this pass has ended the program
			_ = h.Post(fn) // ErrClosed: dropped, as promised
			return
		}
		h.enter(func() error { return fn(h.vm) })
	})
}

// All calls into JavaScript go through enter. When fn has returned, the
// microtasks have run too. A rejection that is unhandled then will not be
// handled.
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

// fail ends the program when JavaScript has returned. It keeps all errors, the
// first one first.
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

// drop drops the program. None of its callbacks is called any more.
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

// Uncaught is returned by Run if a promise was rejected without a handler, or a
// microtask threw.
type Uncaught struct {
	What   string     // a description
	Reason goja.Value // the exception or the reason of the rejection; use it on the loop's goroutine only
	text   string
	cause  error
}

func (e *Uncaught) Error() string { return e.What + ": " + e.text }

// Unwrap returns the error of the Go function that was the reason, if there is
// one.
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

// goCause returns the error from which a GoError was made, if reason is a
// GoError.
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

// describe returns an Error with its stack, and any other value as String does.
// It may call JavaScript, and throw.
func describe(reason goja.Value) string {
	if o, ok := reason.(*goja.Object); ok && o.ClassName() == "Error" {
		if stack := o.Get("stack"); stack != nil && !goja.IsUndefined(stack) {
			return strings.TrimSpace(stack.String())
		}
	}
	return reason.String()
}
