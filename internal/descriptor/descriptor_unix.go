//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

// Package descriptor checks, duplicates and drains file descriptors.
package descriptor

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Check returns an error if fd is not open.
func Check(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return os.NewSyscallError("fcntl", err)
}

// Dup returns a file with a new descriptor for the file of f, close-on-exec. Another
// goroutine may close f meanwhile.
func Dup(f *os.File, name string) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	gone := conn.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	if gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Drain reads all that was written to fd in words of 8 bytes, and reports whether there
// was anything. It polls before each read, and so does not block, even if another
// process has made the file blocking.
//
// It reads by package syscall, which tells the race detector that a write by an os.File
// happens before the read.
func Drain(fd int) (found bool) {
	var buf [512]byte // whole words: each is taken once
	for readable(fd) {
		n, err := syscall.Read(fd, buf[:])
		if err == syscall.EINTR {
			continue
		}
		found = found || n > 0
		if n < len(buf) {
			break
		}
	}
	return found
}

func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}
