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

// Multi is a CURLM: a set of transfers on one loop, with the connections that
// are kept for later transfers. It keeps Run going while a transfer is in
// progress.
type Multi struct {
	loop      *ev.Loop
	multi     *C.CURLM   // nil after Close
	handle    cgo.Handle // of the Multi itself: libcurl's pointer to it
	timer     *ev.Timer
	sockets   map[C.curl_socket_t]*ev.IO
	transfers map[*C.CURL]*Transfer
	cleanup   *ev.Cleanup
	broken    error // why libcurl cannot go on
}

// globalInit must be called before any other function of libcurl.
var globalInit = sync.OnceValue(func() error {
	if code := C.curl_global_init(C.CURL_GLOBAL_DEFAULT); code != C.CURLE_OK {
		return Code(code)
	}
	return nil
})

// Version returns the version of the linked libcurl, such as "7.88.1".
func Version() string {
	return C.GoString(C.curl_version_info(C.CURLVERSION_NOW).version)
}

// NewMulti makes a Multi. It must be called on the loop's goroutine, or before
// the loop runs. The loop's Close closes the Multi. The error wraps
// errors.ErrUnsupported if the loop's backend has no descriptors. It is
// ev.ErrClosed on a closed loop. A Multi costs as much as curl_multi_init: with
// 7.88, a pair of descriptors.
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

// Active returns the number of transfers whose end libcurl has not reported
// yet. It must be called on the loop's goroutine.
func (m *Multi) Active() int { return len(m.transfers) }

// act lets libcurl do all work that needs no waiting. It is the only place
// where transfers make progress. All three mappings meet here.
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

// collect is the third mapping: it fetches libcurl's results after each action,
// and posts the callbacks to the loop.
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

// Close cancels all transfers and frees everything: connections, descriptors,
// memory. No callback of a transfer begins after it. Further calls have no
// effect. It must be called on the loop's goroutine, or on any goroutine when
// the loop does not run any more.
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
