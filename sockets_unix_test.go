//go:build unix

package ev_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the tests do with descriptors. sockets_windows_test.go has the same for Windows.

// arrivesAtOnce says that the next iteration finds data that were written. Linux 6.1 may miss what
// another thread is looking at (docs/platforms.md), 6.12 does not.
var arrivesAtOnce = !olderLinux(6, 12)

func openSocketpair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		require.NoError(t, syscall.SetNonblock(fd, true))
	}
	return fds[0], fds[1]
}

func closeFD(fd int) error                  { return syscall.Close(fd) }
func readFD(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
func writeFD(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
func shutdownWrite(fd int) error            { return syscall.Shutdown(fd, syscall.SHUT_WR) }
func dupFD(fd int) (int, error)             { return syscall.Dup(fd) }

func devNull(t testing.TB) int {
	fd, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}
