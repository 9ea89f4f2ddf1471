//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package evnet

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	descriptors   = true
	isNonblocking = true // a net.Conn
	wouldBlock    = syscall.EAGAIN

	// blink is how long an Accept may block that finds no connection.
	blink = 100 * time.Microsecond
)

// reading and writing return the name of a system call, and the call for one connection.
func reading() (string, func(fd int, p []byte) (int, error)) {
	return "read", func(fd int, p []byte) (int, error) {
		n, err := syscall.Read(fd, p)
		return max(n, 0), err
	}
}

func writing() (string, func(fd int, p []byte) (int, error)) {
	return "write", func(fd int, p []byte) (int, error) {
		n, err := syscall.Write(fd, p)
		return max(n, 0), err
	}
}

// canWatch reports whether a loop can wait for the descriptor.
func canWatch(int) bool { return true }

// prepare makes fd non-blocking. stream means that a write may be made in parts, and messages that
// an empty message is not the end.
func prepare(fd int) (stream, messages bool, err error) {
	kind, notSocket := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	stream = notSocket != nil || kind == unix.SOCK_STREAM
	messages = notSocket == nil && (kind == unix.SOCK_DGRAM || kind == unix.SOCK_RAW)
	return stream, messages, os.NewSyscallError("setnonblock", unix.SetNonblock(fd, true))
}

// readable reports whether a read, or an accept, would not block.
func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}
