package nowait

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// MaxOnce is how much a call gets. Windows takes all of a send, whatever its size, as long as less
// than SO_SNDBUF waits to be sent, and keeps it in the kernel's memory.
const MaxOnce = 1 << 20

var ioctlsocket = windows.NewLazySystemDLL("ws2_32.dll").NewProc("ioctlsocket")

// Read receives once from a socket, which it makes non-blocking. That has no effect on package
// net, whose calls are overlapped.
func Read(fd int, p []byte) (int, error) {
	var n, flags uint32
	buffer := windows.WSABuf{Len: uint32(min(len(p), MaxOnce)), Buf: unsafe.SliceData(p)}
	err := try(fd, "wsarecv", func() error {
		return windows.WSARecv(windows.Handle(fd), &buffer, 1, &n, &flags, nil, nil)
	})
	if n == 0 && err == nil && len(p) > 0 && isStream(fd) {
		err = io.EOF
	}
	return int(n), err
}

// Write sends once on a socket; see Read.
func Write(fd int, p []byte) (int, error) {
	var n uint32
	buffer := windows.WSABuf{Len: uint32(min(len(p), MaxOnce)), Buf: unsafe.SliceData(p)}
	err := try(fd, "wsasend", func() error {
		return windows.WSASend(windows.Handle(fd), &buffer, 1, &n, 0, nil, nil)
	})
	return int(n), err
}

func try(fd int, name string, call func() error) error {
	const fionbio = 0x8004667e
	on := uint32(1)
	if failed, _, err := ioctlsocket.Call(uintptr(fd), fionbio, uintptr(unsafe.Pointer(&on))); failed != 0 {
		return os.NewSyscallError("ioctlsocket", err)
	}
	if err := call(); err != windows.WSAEWOULDBLOCK {
		return os.NewSyscallError(name, err)
	}
	return ErrWouldBlock
}

func isStream(fd int) bool {
	const soType = 0x1008
	kind, err := windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soType)
	return err == nil && kind == windows.SOCK_STREAM
}

// Accept returns errors.ErrUnsupported: package net takes no descriptors there.
func Accept(int) (int, error) { return -1, errors.ErrUnsupported }
