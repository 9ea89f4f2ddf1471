package host

import (
	"reflect"

	"github.com/dop251/goja"

	"github.com/goevlib/ev"
)

// immediate is the object that setImmediate returns.
type immediate struct {
	host   *Host
	object *goja.Object
	fn     goja.Callable
	args   []goja.Value
	weak   bool // unref was called
	over   bool // called, or cleared
}

var immediateType = reflect.TypeFor[*immediate]()

// immediates are the waiting callbacks of setImmediate, behind one watcher. Its
// priority is below that of timers and of calls from other goroutines. If one
// of their callbacks feeds it, it runs in the same pass, after all of them and
// before a timer of the next iteration: Node's check phase.
type immediates struct {
	host    *Host
	watcher *ev.Async
	queue   []*immediate
	strong  int // immediates that keep Run going
	batch   bool
}

func (q *immediates) init(h *Host) {
	q.host = h
	q.watcher = ev.NewAsync(h.loop, q.run, ev.Priority(-1), ev.Name("setImmediate"))
	q.watcher.Keep(false)
	q.watcher.Start()
}

func (q *immediates) add(i *immediate) {
	q.queue = append(q.queue, i)
	q.count(i, +1)
	if q.batch {
		return // for the next iteration: run takes care of it
	}
	q.watcher.Feed(ev.Custom)
}

// count adds n to the number of immediates that keep Run going, if i does.
func (q *immediates) count(i *immediate, n int) {
	if i.weak {
		return
	}
	q.strong += n
	q.watcher.Keep(q.strong > 0)
}

// run makes the callbacks that were requested before it began. If no other work
// is left, the callbacks that do not keep Run going are not made.
func (q *immediates) run(*ev.Async) {
	q.batch = true
	defer func() { // also if a Go function panics, so that the others are not lost
		q.batch = false
		if len(q.queue) > 0 {
			q.watcher.Send()
		}
	}()
	for n := len(q.queue); n > 0 && len(q.queue) > 0 && q.host.loop.Alive(); n-- {
		i := q.queue[0]
		q.queue[0] = nil
		q.queue = q.queue[1:]
		if i.over {
			continue
		}
		q.finish(i)
		q.host.call(i.fn, i.object, i.args)
	}
}

// finish marks an immediate as called or cleared. It stays in the queue until
// run removes it.
func (q *immediates) finish(i *immediate) {
	if !i.over {
		i.over = true
		q.count(i, -1)
	}
}

func (q *immediates) drop() {
	for _, i := range q.queue {
		q.finish(i)
	}
	q.queue = nil
	q.watcher.Clear()
}

func (h *Host) enableImmediates() {
	h.immediate = h.vm.NewObject()
	for name, method := range map[string]func(*immediate) any{
		"ref":    func(i *immediate) any { h.immediates.keep(i, true); return i.object },
		"unref":  func(i *immediate) any { h.immediates.keep(i, false); return i.object },
		"hasRef": func(i *immediate) any { return !i.weak },
	} {
		must(h.immediate.Set(name, func(call goja.FunctionCall) goja.Value {
			i, ok := exported[*immediate](call.This, immediateType)
			if !ok || i.host != h {
				panic(h.vm.NewTypeError("Illegal invocation: this is not an Immediate"))
			}
			return h.vm.ToValue(method(i))
		}))
	}
	h.global("setImmediate", h.setImmediate)
	h.global("clearImmediate", h.clearImmediate)
}

func (q *immediates) keep(i *immediate, alive bool) {
	if i.over {
		i.weak = !alive
		return
	}
	q.count(i, -1)
	i.weak = !alive
	q.count(i, +1)
}

func (h *Host) setImmediate(call goja.FunctionCall) goja.Value {
	i := &immediate{host: h, fn: h.callback(call), args: argsAfter(call, 1)}
	i.object = h.vm.ToValue(i).(*goja.Object)
	must(i.object.SetPrototype(h.immediate))
	h.immediates.add(i)
	return i.object
}

// clearImmediate ignores values that are not immediates, and immediates that
// are over.
func (h *Host) clearImmediate(call goja.FunctionCall) goja.Value {
	if i, ok := exported[*immediate](call.Argument(0), immediateType); ok && i.host == h {
		h.immediates.finish(i)
	}
	return nil
}
