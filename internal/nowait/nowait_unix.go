//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package nowait

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxOnce is how much a system call gets: some systems refuse more than 1<<31-1 bytes.
const MaxOnce = 1 << 30

// Read reads once. A message of zero bytes is not the end: n is 0, and err is nil.
//
// It reads by package syscall, which tells the race detector that a write by an os.File happens
// before the read.
func Read(fd int, p []byte) (n int, err error) {
	err = try(fd, "read", unix.POLLIN, func(bool) (err error) {
		n, err = syscall.Read(fd, p[:min(len(p), MaxOnce)])
		return err
	})
	if n == 0 && err == nil && len(p) > 0 && !hasMessages(fd) {
		err = io.EOF
	}
	return max(n, 0), err
}

// pipeBuf is what poll promises room for, on every system.
const pipeBuf = 512

// Write writes once. It writes few bytes to a descriptor that is blocking: it would wait until it
// has written all of them.
func Write(fd int, p []byte) (n int, err error) {
	err = try(fd, "write", unix.POLLOUT, func(blocking bool) (err error) {
		most := MaxOnce
		if blocking {
			most = pipeBuf
		}
		n, err = syscall.Write(fd, p[:min(len(p), most)])
		return err
	})
	return max(n, 0), err
}

// Accept accepts a connection.
func Accept(fd int) (conn int, err error) {
	err = try(fd, "accept", unix.POLLIN, func(bool) (err error) {
		conn, err = accept(fd)
		return err
	})
	return conn, err
}

// try makes a system call unless it would wait.
func try(fd int, name string, event int16, call func(blocking bool) error) error {
	for {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		blocking := flags&unix.O_NONBLOCK == 0
		if blocking && !ready(fd, event) {
			return ErrWouldBlock
		}
		switch err := call(blocking); err {
		case unix.EAGAIN, unix.ECONNABORTED: // gone before it was accepted: there may be others
			return ErrWouldBlock
		case unix.EINTR:
		default:
			return os.NewSyscallError(name, err)
		}
	}
}

func ready(fd int, event int16) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: event}}
	for {
		n, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

func hasMessages(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind != unix.SOCK_STREAM && kind != unix.SOCK_SEQPACKET
}
