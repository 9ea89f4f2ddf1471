package curl

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"runtime/cgo"
	"strings"
	"time"
	"unsafe"
)

// Request has a URL and the callbacks for its response.
type Request struct {
	URL     string        // http or https
	Timeout time.Duration // for the whole transfer; 0: none. Rounded up to whole milliseconds

	// Body is called with each part of the response's body, in order. It must not
	// keep part. If it is nil, the body is discarded.
	Body func(part []byte)

	// Done is called once, after the last Body, unless the transfer is cancelled or
	// the Multi or its loop is closed first. A status such as 404 is not an error. An
	// error names the URL and wraps libcurl's Code or, if all transfers of the Multi
	// had to end, the reason for that.
	Done func(Result, error)
}

// Result describes a transfer that has ended, successfully or not.
type Result struct {
	Status   int   // of the response; 0 if none came
	Size     int64 // of the part of the body that was received
	Connects int   // new connections made; 0 when one was used again
}

// Transfer is a CURL: one request in progress. The loop makes the request's
// callbacks, each on its own and never from inside a method of this package.
// They may start and cancel transfers and close the Multi. The loop handles a
// panic in one, and the other callbacks are still made.
type Transfer struct {
	multi   *Multi
	request Request
	easy    *C.CURL    // nil after libcurl has finished with it
	handle  cgo.Handle // of the Transfer itself: libcurl's pointer to it
	detail  *C.char    // libcurl's text for the error, in C's memory
	body    []byte     // received and not delivered
	spare   []byte     // delivered, to be filled again
	result  Result
	err     error
	over    bool // cancelled, or Done was called
}

// Start begins a transfer. No callback comes before it returns. It returns an
// error for a request that cannot be tried. Done gets errors about the URL.
// Start must be called on the loop's goroutine, or before the loop runs.
func (m *Multi) Start(r Request) (*Transfer, error) {
	if err := m.check(r); err != nil {
		return nil, err
	}
	t := &Transfer{multi: m, request: r, easy: C.curl_easy_init()}
	if t.easy == nil {
		return nil, fmt.Errorf("%s: curl: curl_easy_init failed", r.URL)
	}
	t.handle = cgo.NewHandle(t)
	t.detail = (*C.char)(C.calloc(1, C.CURL_ERROR_SIZE))
	m.transfers[t.easy] = t
	if err := t.begin(); err != nil {
		t.Cancel()
		return nil, fmt.Errorf("%s: %w", r.URL, err)
	}
	return t, nil
}

func (m *Multi) check(r Request) error {
	switch {
	case m.multi == nil:
		return ErrClosed
	case m.broken != nil:
		return m.broken
	case r.Done == nil:
		return fmt.Errorf("curl: %q: Done is nil", r.URL)
	case strings.ContainsRune(r.URL, 0):
		return fmt.Errorf("curl: %q: a zero byte in the URL", r.URL)
	case r.Timeout < 0:
		return fmt.Errorf("curl: %q: negative timeout %v", r.URL, r.Timeout)
	case r.Timeout > math.MaxInt32*time.Millisecond:
		return fmt.Errorf("curl: %q: timeout %v is more than libcurl can count", r.URL, r.Timeout)
	}
	return nil
}

// begin hands the request to libcurl, which then sets a timer of 0.
func (t *Transfer) begin() error {
	url := C.CString(t.request.URL)
	defer C.free(unsafe.Pointer(url))
	ms := C.long((t.request.Timeout + time.Millisecond - 1) / time.Millisecond)
	if code := C.evcurl_set_request(t.easy, C.uintptr_t(t.handle), url, ms, t.detail); code != C.CURLE_OK {
		return Code(code)
	}
	if code := C.curl_multi_add_handle(t.multi.multi, t.easy); code != C.CURLM_OK {
		return MultiCode(code)
	}
	return nil
}

// Cancel ends the transfer without further callbacks. Data that was received
// and not delivered is dropped. The connection is closed if a response was on
// its way. Cancel has no effect on a transfer that has ended. It must be called
// on the loop's goroutine.
func (t *Transfer) Cancel() {
	t.over = true
	t.body, t.spare = nil, nil
	t.release()
}

// receive keeps a part of the body. Before deliver runs, that is at most the
// data that libcurl reads in one action for this transfer, a megabyte or two.
func (t *Transfer) receive(part []byte) {
	t.result.Size += int64(len(part))
	if t.request.Body == nil || t.over || len(part) == 0 {
		return
	}
	if len(t.body) == 0 {
		t.post(t.deliver)
	}
	t.body = append(t.body, part...)
}

func (t *Transfer) deliver() {
	if t.silent() {
		return
	}
	part := t.body
	t.body, t.spare = t.spare, nil
	t.request.Body(part)
	if !t.over {
		t.spare = part[:0]
	}
}

// silent reports whether no more callbacks may be made. A transfer that libcurl
// has finished with is not in the Multi's list any more, and may have
// undelivered data when the Multi is closed.
func (t *Transfer) silent() bool { return t.over || t.multi.multi == nil }

// end releases a transfer that libcurl has finished with. It posts to the loop
// after the last part of the body was posted, which keeps their order.
func (t *Transfer) end(err error) {
	t.err = err
	t.result.Status = int(C.evcurl_info(t.easy, C.CURLINFO_RESPONSE_CODE))
	t.result.Connects = int(C.evcurl_info(t.easy, C.CURLINFO_NUM_CONNECTS))
	t.release()
	t.post(func() {
		if !t.silent() {
			t.over = true
			t.request.Done(t.result, t.err)
		}
	})
}

// post makes the loop call fn. A closed loop refuses, and calls nothing.
func (t *Transfer) post(fn func()) { _ = t.multi.loop.Post(fn) }

// failure returns the error for one of libcurl's codes, nil for success.
func (t *Transfer) failure(code C.CURLcode) error {
	if code == C.CURLE_OK {
		return nil
	}
	detail := C.GoString(t.detail)
	if detail == "" {
		return fmt.Errorf("%s: %w", t.request.URL, Code(code))
	}
	return fmt.Errorf("%s: %w: %s", t.request.URL, Code(code), detail)
}

// release frees libcurl's memory of the transfer. libcurl may call back until
// that is done, so the handle is deleted last.
func (t *Transfer) release() {
	if t.easy == nil {
		return
	}
	delete(t.multi.transfers, t.easy)
	C.curl_multi_remove_handle(t.multi.multi, t.easy)
	C.curl_easy_cleanup(t.easy)
	t.easy = nil
	C.free(unsafe.Pointer(t.detail))
	t.handle.Delete()
}
