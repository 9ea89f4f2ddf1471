//go:build linux && cgo

package main

/*
#cgo pkg-config: glib-2.0
#include "source.h"
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"time"

	"github.com/goevlib/ev"
)

// host is GLib's main loop with an event loop inside. Both have the goroutine that is in run: GLib
// calls back on the thread that called it, and cgo on the goroutine that is there.
type host struct {
	main   *C.GMainLoop
	loop   *ev.Loop
	source C.guint
	handle cgo.Handle
	err    error
}

func newHost(loop *ev.Loop) (*host, error) {
	fd, err := loop.PollFD()
	if err != nil {
		return nil, err
	}
	h := &host{main: C.g_main_loop_new(nil, C.FALSE), loop: loop}
	h.handle = cgo.NewHandle(h)
	h.source = C.source_add(C.int(fd), C.uintptr_t(h.handle))
	return h, nil
}

// run is GLib's main loop. It returns when nothing keeps the event loop going any more.
func (h *host) run() error {
	if h.loop.Alive() {
		C.g_main_loop_run(h.main)
	}
	return h.err
}

// close removes the source before the loop closes its descriptor.
func (h *host) close() {
	if h.source != 0 {
		C.g_source_remove(h.source)
	}
	C.g_main_loop_unref(h.main)
	h.handle.Delete()
}

//export goReady
func goReady(handle C.uintptr_t) C.gboolean {
	h := cgo.Handle(handle).Value().(*host)
	if h.pass(); h.err == nil && h.loop.Alive() {
		return C.G_SOURCE_CONTINUE
	}
	h.source = 0
	C.g_main_loop_quit(h.main)
	return C.G_SOURCE_REMOVE
}

// pass does what the event loop has to do. A panic must not unwind through the frames of C: it is
// the error of run.
func (h *host) pass() {
	defer func() {
		if v := recover(); v != nil {
			h.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	h.err = h.loop.RunNoWait()
}

// after has GLib call fn.
func after(d time.Duration, fn func()) {
	C.timeout_add(C.guint(d.Milliseconds()), C.uintptr_t(cgo.NewHandle(fn)))
}

//export goTimeout
func goTimeout(handle C.uintptr_t) {
	h := cgo.Handle(handle)
	fn := h.Value().(func())
	h.Delete()
	fn()
}
