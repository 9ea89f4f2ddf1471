package host

import (
	"context"

	"github.com/dop251/goja"

	"github.com/goevlib/ev"
)

// Promise returns a promise of the result of work. Use it for Go functions that
// take long. Promise must be called on the loop's goroutine. work runs on a
// goroutine of its own and must not touch the runtime. Its value is converted
// by [goja.Runtime.ToValue] on the loop. Its error, or a panic, rejects the
// promise. The context is done when the program is dropped or the loop closed.
// The result is dropped then. A promise that is not settled keeps Run going.
func (h *Host) Promise(work func(context.Context) (any, error)) goja.Value {
	if work == nil {
		panic("host: Promise: nil function")
	}
	return h.promise(h.program, work)
}

// promise is Promise with a context derived from the program's.
func (h *Host) promise(ctx context.Context, work func(context.Context) (any, error)) goja.Value {
	p, resolve, reject := h.vm.NewPromise()
	program := h.program
	ev.Go(h.loop, func() (any, error) { return work(ctx) }, func(v any, err error) {
		if program.Err() != nil {
			return
		}
		h.enter(func() error {
			if err != nil {
				return reject(h.vm.NewGoError(err))
			}
			return resolve(v)
		})
	})
	return h.vm.ToValue(p)
}

// rejections are the promises that were rejected without a handler, in order.
// Promises that got a handler since then are not in unhandled any more.
type rejections struct {
	order     []*goja.Promise
	unhandled map[*goja.Promise]struct{}
}

func (r *rejections) track(p *goja.Promise, operation goja.PromiseRejectionOperation) {
	if operation == goja.PromiseRejectionHandle {
		delete(r.unhandled, p)
		return
	}
	if r.unhandled == nil {
		r.unhandled = map[*goja.Promise]struct{}{}
	}
	r.order = append(r.order, p)
	r.unhandled[p] = struct{}{}
}

// take returns the unhandled promises and forgets them.
func (r *rejections) take() (unhandled []*goja.Promise) {
	for _, p := range r.order {
		if _, ok := r.unhandled[p]; ok {
			unhandled = append(unhandled, p)
		}
	}
	*r = rejections{}
	return unhandled
}
