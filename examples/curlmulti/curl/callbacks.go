package curl

// #include "shim.h"
import "C"

import (
	"runtime/cgo"
	"time"
	"unsafe"

	"github.com/goevlib/ev"
)

// libcurl calls these three inside one of its functions that the loop's
// goroutine has called. They must not call libcurl (CURLM_RECURSIVE_API_CALL).
// They change watchers and keep received data. The user's callbacks, which may
// call anything and panic, run later: see Transfer.

// aborted makes libcurl give up. The reason is in Multi.broken.
const aborted C.int = -1

//export evcurlSocket
func evcurlSocket(handle C.uintptr_t, fd C.curl_socket_t, what C.int) C.int {
	m := cgo.Handle(handle).Value().(*Multi)
	if err := m.watch(fd, what); err != nil {
		m.broken = err
		return aborted
	}
	return 0
}

//export evcurlTimer
func evcurlTimer(handle C.uintptr_t, ms C.long) C.int {
	cgo.Handle(handle).Value().(*Multi).arm(ms)
	return 0
}

//export evcurlBody
func evcurlBody(handle C.uintptr_t, part *C.char, size C.size_t) C.size_t {
	t := cgo.Handle(handle).Value().(*Transfer)
	t.receive(unsafe.Slice((*byte)(unsafe.Pointer(part)), size))
	return size
}

// watch is the first mapping: libcurl's interest in a socket is an ev.IO.
// libcurl removes its interest before it closes a socket, so a number that is
// used again gets a new watcher.
func (m *Multi) watch(fd C.curl_socket_t, what C.int) error {
	w := m.sockets[fd]
	switch {
	case what == C.CURL_POLL_REMOVE:
		if w != nil {
			w.Stop()
			delete(m.sockets, fd)
		}
		return nil
	case w != nil:
		return w.SetEvents(interest(what))
	}
	w = ev.NewIO(m.loop, int(fd), interest(what), m.ready, ev.Name("curl socket"))
	if err := w.Start(); err != nil {
		return err
	}
	m.sockets[fd] = w
	return nil
}

func interest(what C.int) ev.Events {
	switch what {
	case C.CURL_POLL_IN:
		return ev.Read
	case C.CURL_POLL_OUT:
		return ev.Write
	case C.CURL_POLL_INOUT:
		return ev.Read | ev.Write
	}
	return ev.None
}

func (m *Multi) ready(w *ev.IO, got ev.Events) {
	var events C.int
	if got&ev.Read != 0 {
		events |= C.CURL_CSELECT_IN
	}
	if got&ev.Write != 0 {
		events |= C.CURL_CSELECT_OUT
	}
	if got&ev.Error != 0 {
		events |= C.CURL_CSELECT_ERR
	}
	m.act(C.curl_socket_t(w.FD()), events)
}

// arm is the second mapping: libcurl's next deadline is an ev.Timer. libcurl counts from the
// present, as Arm does. Zero means soon, but not from inside this callback: the timer is due in the
// next iteration.
func (m *Multi) arm(ms C.long) {
	if ms < 0 {
		m.timer.Stop()
		return
	}
	m.timer.Arm(time.Duration(ms) * time.Millisecond)
}

func (m *Multi) due(*ev.Timer) { m.act(C.CURL_SOCKET_TIMEOUT, 0) }
