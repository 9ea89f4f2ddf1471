package descriptor

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

const soType = 0x1008 // SO_TYPE

// Check returns an error unless handle is a socket: syscall.EBADF if it is not open, and
// errors.ErrUnsupported if it is something else.
func Check(handle int) error {
	_, err := windows.GetsockoptInt(windows.Handle(handle), windows.SOL_SOCKET, soType)
	switch {
	case err == nil:
		return nil
	case err != windows.WSAENOTSOCK && err != windows.WSANOTINITIALISED: // no socket was made yet
		return os.NewSyscallError("getsockopt", err)
	}
	if _, err := windows.GetFileType(windows.Handle(handle)); err == windows.ERROR_INVALID_HANDLE {
		return os.NewSyscallError("getsockopt", syscall.EBADF)
	}
	return fmt.Errorf("not a socket: Windows has no readiness of files, pipes and consoles; use them on a goroutine (see Await and Go): %w",
		errors.ErrUnsupported)
}

// Dup returns errors.ErrUnsupported.
func Dup(*os.File, string) (*os.File, error) { return nil, errors.ErrUnsupported }

// Drain returns false.
func Drain(int) bool { return false }
