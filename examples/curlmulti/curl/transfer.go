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

// Request says what to get, and whom to tell.
type Request struct {
	URL     string        // http or https
	Timeout time.Duration // for all of the transfer; 0: none. libcurl counts milliseconds: a part counts as one

	// Body is given the body of the response, in parts, in order. It must not keep
	// part. nil: the body is thrown away.
	Body func(part []byte)

	// Done is called once, after the last Body, unless the transfer is cancelled or
	// the Multi or its loop closed first. A status such as 404 is no error. An error
	// names the URL and wraps libcurl's Code or, when all transfers of the Multi had
	// to end, the reason for that.
	Done func(Result, error)
}

// Result is what is known at the end of a transfer, a failed one as well.
type Result struct {
	Status   int   // of the response; 0 if none came
	Size     int64 // of the body, as far as it came
	Connects int   // new connections made; 0 when one was used again
}

// Transfer is one request under way; a CURL. Callbacks of the request come from
// the loop, each on its own and never from inside a method of this package: they
// may start and cancel transfers and close the Multi. A panic in one is the
// loop's to treat, and takes no other callback with it.
type Transfer struct {
	multi   *Multi
	request Request
	easy    *C.CURL    // nil when libcurl has done with it
	handle  cgo.Handle // of the Transfer itself: what libcurl knows of it
	detail  *C.char    // libcurl's words for what went wrong, in C's memory
	body    []byte     // came, and was not delivered
	spare   []byte     // was delivered, to be filled again
	result  Result
	err     error
	over    bool // cancelled, or Done was called
}

// Start begins a transfer. It does not call back before it returns. It fails for
// a request that cannot be tried; what is wrong with the URL, Done is told. Loop
// goroutine, or before it runs.
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

// begin hands the request to libcurl, which asks for a timer of 0 now.
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

// Cancel ends the transfer without further callbacks; what has come and was not
// delivered is dropped. The connection is closed if a response was on its way. It
// has no effect on a transfer that has ended. Loop goroutine.
func (t *Transfer) Cancel() {
	t.over = true
	t.body, t.spare = nil, nil
	t.release()
}

// receive keeps a part of the body. There is no more of it than libcurl reads in
// one action for this transfer, a megabyte or two, before deliver has its turn.
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

// silent reports whether there is no callback any more. What libcurl has done with
// is not the Multi's to cancel, and may not have been delivered when that closes.
func (t *Transfer) silent() bool { return t.over || t.multi.multi == nil }

// end lets go of what libcurl has done with. That the loop is told after the
// last part of the body was is what keeps their order.
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

// post has the loop call fn. It refuses when it is closed: then it calls nothing.
func (t *Transfer) post(fn func()) { _ = t.multi.loop.Post(fn) }

// failure is the error for one of libcurl's codes, nil for none.
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

// release frees what libcurl has of the transfer. libcurl may call back until it
// is done, so the handle goes last.
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
