//go:build darwin || netbsd || openbsd

package nowait

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// accept has no flags on macOS, and golang.org/x/sys has no accept4 of NetBSD and OpenBSD. The
// lock keeps a fork from passing the descriptor on.
func accept(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	conn, _, err := unix.Accept(fd)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(conn)
	if err := unix.SetNonblock(conn, true); err != nil {
		_ = unix.Close(conn)
		return -1, err
	}
	return conn, nil
}
