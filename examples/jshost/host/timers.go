package host

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"

	"github.com/goevlib/ev"
)

// maxDelay is the longest wait of setTimeout, in milliseconds. With a longer
// delay Node and the browsers wait one millisecond.
const maxDelay = math.MaxInt32

// timeout is the object that setTimeout and setInterval return. It is active
// while it is in Host.timeouts.
type timeout struct {
	host    *Host
	id      int64
	watcher *ev.Timer
	delay   time.Duration
	object  *goja.Object
	fn      goja.Callable
	args    []goja.Value
	weak    bool // unref was called
	cleared bool
}

var timeoutType = reflect.TypeFor[*timeout]()

func (h *Host) enableTimers() {
	h.timeout = h.vm.NewObject()
	for name, method := range map[string]func(*timeout) any{
		"ref":     func(t *timeout) any { t.keep(true); return t.object },
		"unref":   func(t *timeout) any { t.keep(false); return t.object },
		"hasRef":  func(t *timeout) any { return !t.weak },
		"refresh": func(t *timeout) any { t.refresh(); return t.object },
		"close":   func(t *timeout) any { t.clear(); return t.object },
	} {
		must(h.timeout.Set(name, h.timeoutMethod(method)))
	}
	must(h.timeout.SetSymbol(goja.SymToPrimitive, h.timeoutMethod(func(t *timeout) any { return t.id })))

	h.global("setTimeout", func(call goja.FunctionCall) goja.Value { return h.schedule(call, false) })
	h.global("setInterval", func(call goja.FunctionCall) goja.Value { return h.schedule(call, true) })
	h.global("clearTimeout", h.clearTimeout)
	h.global("clearInterval", h.clearTimeout) // the same function, as in Node
}

func (h *Host) timeoutMethod(fn func(*timeout) any) func(goja.FunctionCall) goja.Value {
	return func(call goja.FunctionCall) goja.Value {
		t, ok := exported[*timeout](call.This, timeoutType)
		if !ok {
			panic(h.vm.NewTypeError("Illegal invocation: this is not a Timeout"))
		}
		return h.vm.ToValue(fn(t))
	}
}

// exported returns the T from which an object was made. It checks the type
// first, because exporting other values may copy them.
func exported[T any](v goja.Value, typ reflect.Type) (t T, ok bool) {
	if o, isObject := v.(*goja.Object); isObject && o.ExportType() == typ {
		t, ok = o.Export().(T)
	}
	return t, ok
}

func (h *Host) schedule(call goja.FunctionCall, repeat bool) goja.Value {
	fn := h.callback(call)
	delay := h.delay(call.Argument(1))
	h.lastID++
	t := &timeout{host: h, id: h.lastID, delay: delay, fn: fn, args: argsAfter(call, 2)}
	interval := time.Duration(0)
	if repeat {
		interval = delay
	}
	t.watcher = ev.NewTimer(h.loop, delay, interval, t.fire)
	t.object = h.vm.ToValue(t).(*goja.Object)
	must(t.object.SetPrototype(h.timeout))
	t.start()
	return t.object
}

// callback returns the first argument of setTimeout and similar functions.
func (h *Host) callback(call goja.FunctionCall) goja.Callable {
	fn, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(h.vm.NewTypeError(`The "callback" argument must be of type function. Received %s`,
			call.Argument(0).String()))
	}
	return fn
}

// argsAfter copies the arguments from the nth on, because their slice is the
// runtime's stack.
func argsAfter(call goja.FunctionCall, n int) []goja.Value {
	if len(call.Arguments) <= n {
		return nil
	}
	return slices.Clone(call.Arguments[n:])
}

// delay converts a number of milliseconds as Node does: to a whole number, at
// least one.
func (h *Host) delay(v goja.Value) time.Duration {
	ms := v.ToFloat()
	if ms > maxDelay {
		fmt.Fprintf(h.Stderr, "TimeoutOverflowWarning: %s does not fit into a 32-bit signed integer. Timeout duration was set to 1.\n", v)
		ms = 1
	}
	if !(ms >= 1) { // also true for NaN
		ms = 1
	}
	return time.Duration(ms) * time.Millisecond
}

// start counts from the present, because the script may have computed for long
// since the loop last read the clock.
func (t *timeout) start() {
	t.host.loop.Update()
	t.watcher.Start()
	t.host.timeouts[t.id] = t
}

func (t *timeout) fire(w *ev.Timer) {
	if !w.Active() { // before the call, which may call refresh
		delete(t.host.timeouts, t.id)
	}
	t.host.call(t.fn, t.object, t.args)
	if w.Active() && w.Repeat() > 0 { // Node's rule: an interval starts again after its callback, behind timers set in it
		t.host.loop.Update()
		w.Reset()
	}
}

func (t *timeout) clear() {
	t.cleared = true
	t.watcher.Stop()
	delete(t.host.timeouts, t.id)
}

// refresh starts the timer again, even after the callback, any number of times.
func (t *timeout) refresh() {
	if t.cleared {
		return
	}
	t.watcher.Stop()
	must(t.watcher.Set(t.delay, t.watcher.Repeat()))
	t.start()
}

func (t *timeout) keep(alive bool) {
	t.weak = !alive
	t.watcher.Keep(alive)
}

// clearTimeout takes an object that setTimeout or setInterval returned, or its
// number as a number or string. As in Node, it ignores other values and timers
// that are over.
func (h *Host) clearTimeout(call goja.FunctionCall) goja.Value {
	if t := h.timeoutOf(call.Argument(0)); t != nil {
		t.clear()
	}
	return nil
}

func (h *Host) timeoutOf(v goja.Value) *timeout {
	if _, isObject := v.(*goja.Object); isObject {
		if t, ok := exported[*timeout](v, timeoutType); ok && t.host == h {
			return t
		}
		return nil
	}
	switch id := v.Export().(type) {
	case int64:
		return h.timeouts[id]
	case string:
		n, err := strconv.ParseInt(id, 10, 64)
		if err == nil {
			return h.timeouts[n]
		}
	}
	return nil
}
