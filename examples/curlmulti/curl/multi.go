// Package curl runs HTTP transfers of libcurl on an event loop. libcurl's
// multi_socket interface says which sockets it waits for and until when; here
// these are watchers of the loop, and there is no goroutine and no thread per
// transfer.
//
// All of it belongs to the loop: methods are called on its goroutine, or before
// it runs, and so are the callbacks. That goroutine may be on another thread at
// each call of libcurl. libcurl does not mind: its handles may be used by any
// thread, by one at a time, and what it has per thread (errno, OpenSSL's queue of
// errors) it reads in the call that wrote it. A library that does mind needs
// runtime.LockOSThread around Loop.Run; the price is a thread that is held, and
// two switches of thread per wake-up.
//
// # Not promised
//
// A host given by its name is looked up by a thread of libcurl's, unless libcurl
// was built with c-ares; one by its address is not. There is no back-pressure: a
// body is delivered as it comes. Redirects are not followed. Proxies of the
// environment are not used.
package curl

// #cgo LDFLAGS: -lcurl
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sync"

	"github.com/goevlib/ev"
)

// Multi is a set of transfers on one loop, and the connections that they leave
// for the next ones; a CURLM. It keeps Run going while a transfer is under way,
// and no longer.
type Multi struct {
	loop      *ev.Loop
	multi     *C.CURLM   // nil after Close
	handle    cgo.Handle // of the Multi itself: what libcurl knows of it
	timer     *ev.Timer
	sockets   map[C.curl_socket_t]*ev.IO
	transfers map[*C.CURL]*Transfer
	cleanup   *ev.Cleanup
	broken    error // why libcurl cannot go on
}

// globalInit comes before everything else of libcurl.
var globalInit = sync.OnceValue(func() error {
	if code := C.curl_global_init(C.CURL_GLOBAL_DEFAULT); code != C.CURLE_OK {
		return Code(code)
	}
	return nil
})

// Version is that of the libcurl that is linked, such as "7.88.1".
func Version() string {
	return C.GoString(C.curl_version_info(C.CURLVERSION_NOW).version)
}

// NewMulti makes a Multi, on the loop's goroutine or before it runs. The loop's
// Close closes it. The error wraps errors.ErrUnsupported when the loop's backend
// has no descriptors; it is ev.ErrClosed on a closed loop. It takes what
// curl_multi_init does: with 7.88, a pair of descriptors.
func NewMulti(loop *ev.Loop) (*Multi, error) {
	m := &Multi{
		loop:      loop,
		sockets:   make(map[C.curl_socket_t]*ev.IO),
		transfers: make(map[*C.CURL]*Transfer),
	}
	m.timer = ev.NewTimer(loop, 0, 0, m.due, ev.Name("curl timer"))
	m.cleanup = ev.NewCleanup(loop, func(*ev.Cleanup) { m.Close() }, ev.Name("curl cleanup"))
	if loop.Backend() == ev.BackendChan {
		return nil, fmt.Errorf("curl: sockets on %v: %w", loop.Backend(), errors.ErrUnsupported)
	}
	if err := globalInit(); err != nil {
		return nil, err
	}
	if m.cleanup.Start(); !m.cleanup.Active() {
		return nil, ev.ErrClosed
	}
	m.multi = C.curl_multi_init()
	if m.multi == nil {
		m.cleanup.Stop()
		return nil, errors.New("curl: curl_multi_init failed")
	}
	m.handle = cgo.NewHandle(m)
	if code := C.evcurl_set_callbacks(m.multi, C.uintptr_t(m.handle)); code != C.CURLM_OK {
		m.Close()
		return nil, MultiCode(code)
	}
	return m, nil
}

// Active is the number of transfers that are under way: those whose end libcurl
// has not told yet. Loop goroutine.
func (m *Multi) Active() int { return len(m.transfers) }

// act has libcurl do what it can without waiting. It is the only place where
// transfers go on; all three mappings meet here.
func (m *Multi) act(fd C.curl_socket_t, events C.int) {
	code := C.evcurl_action(m.multi, fd, events)
	if m.broken == nil && code != C.CURLM_OK {
		m.broken = MultiCode(code)
	}
	m.collect()
	if m.broken != nil {
		for _, t := range m.transfers {
			t.end(fmt.Errorf("%s: %w", t.request.URL, m.broken))
		}
		m.unwatch() // libcurl has given up its own bookkeeping
	}
}

// collect is the third mapping: what libcurl has to tell is asked for after each
// action, and becomes calls that the loop makes.
func (m *Multi) collect() {
	for {
		end := C.evcurl_next_end(m.multi)
		if end.easy == nil {
			return
		}
		t := m.transfers[end.easy]
		t.end(t.failure(end.code))
	}
}

// Close cancels what is under way and frees everything: connections, descriptors,
// memory. No callback of a transfer begins after it. Further calls have no effect.
// Loop goroutine; any, when the loop is not run any more.
func (m *Multi) Close() {
	if m.multi == nil {
		return
	}
	for _, t := range m.transfers {
		t.Cancel()
	}
	C.curl_multi_cleanup(m.multi) // calls back: connections are closed
	m.multi = nil
	m.unwatch()
	m.cleanup.Stop()
	m.handle.Delete()
}

func (m *Multi) unwatch() {
	for _, w := range m.sockets {
		w.Stop()
	}
	clear(m.sockets)
	m.timer.Stop()
}
