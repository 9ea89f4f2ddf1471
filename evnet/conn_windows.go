package evnet

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/goevlib/ev/internal/descriptor"
)

const (
	descriptors   = true
	isNonblocking = false // package net waits for the completion of its calls instead
	wouldBlock    = windows.WSAEWOULDBLOCK

	// blink is how long an Accept may block that finds no connection. One that finds a
	// connection waits for the runtime to report that it is complete.
	blink = 10 * time.Millisecond
)

var (
	winsock     = windows.NewLazySystemDLL("ws2_32.dll")
	ioctlsocket = winsock.NewProc("ioctlsocket")
	wsaPoll     = winsock.NewProc("WSAPoll")
	wsaRecv     = winsock.NewProc("WSARecv")
	wsaSend     = winsock.NewProc("WSASend")
)

// winsockCall is what a call of Winsock reads and writes. It is made once for a connection.
type winsockCall struct {
	buffer   windows.WSABuf
	n, flags uint32
}

func (t *winsockCall) set(p []byte) {
	t.buffer = windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	t.n, t.flags = 0, 0
}

func (t *winsockCall) done() int {
	t.buffer.Buf = nil
	return int(t.n)
}

// reading and writing return the name of a system call, and the call for one connection. They do
// not give it an OVERLAPPED, so it does not wait on a non-blocking socket. The part of a message
// that has room comes with an error, as with package net.
func reading() (string, func(fd int, p []byte) (int, error)) {
	t := new(winsockCall)
	return "wsarecv", func(fd int, p []byte) (int, error) {
		t.set(p)
		failed, _, errno := syscall.SyscallN(wsaRecv.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&t.buffer)), 1,
			uintptr(unsafe.Pointer(&t.n)), uintptr(unsafe.Pointer(&t.flags)), 0, 0)
		return t.done(), errorOf(failed, errno)
	}
}

func writing() (string, func(fd int, p []byte) (int, error)) {
	t := new(winsockCall)
	return "wsasend", func(fd int, p []byte) (int, error) {
		t.set(p)
		failed, _, errno := syscall.SyscallN(wsaSend.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&t.buffer)), 1,
			uintptr(unsafe.Pointer(&t.n)), 0, 0, 0)
		return t.done(), errorOf(failed, errno)
	}
}

// errWouldBlock is wouldBlock as a value: an error made from a number is allocated. Package windows
// allocates it.
var errWouldBlock error = wouldBlock

func errorOf(failed uintptr, errno syscall.Errno) error {
	switch {
	case failed == 0:
		return nil
	case errno == wouldBlock:
		return errWouldBlock
	}
	return errno
}

// canWatch reports whether a loop can wait for the handle.
func canWatch(fd int) bool { return descriptor.Check(fd) == nil }

// prepare makes the socket non-blocking, which has no effect on the calls of package net. stream
// means that a write may be made in parts, and messages that an empty message is not the end.
func prepare(fd int) (stream, messages bool, err error) {
	const soType, fionbio = 0x1008, 0x8004667e // SO_TYPE, FIONBIO
	kind, err := windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soType)
	if err != nil {
		return false, false, os.NewSyscallError("getsockopt", err)
	}
	on := uint32(1)
	if failed, _, err := ioctlsocket.Call(uintptr(fd), fionbio, uintptr(unsafe.Pointer(&on))); failed != 0 {
		return false, false, os.NewSyscallError("ioctlsocket", err)
	}
	return kind == windows.SOCK_STREAM, kind != windows.SOCK_STREAM, nil
}

// pollFD is a WSAPOLLFD.
type pollFD struct {
	fd              uintptr
	events, revents int16
}

// readable reports whether a read, or an accept, would not block.
func readable(fd int) bool {
	const pollIn = 0x0300 // POLLIN
	p := pollFD{fd: uintptr(fd), events: pollIn}
	n, _, _ := wsaPoll.Call(uintptr(unsafe.Pointer(&p)), 1, 0)
	return int32(n) != 0
}
