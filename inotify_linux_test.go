package ev_test

import (
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { kernelTells = func() bool { return inotifyFails() == nil } }

// inotifyFails returns an error if this user gets no inotify descriptor, or no watch for
// one. Stats poll then.
var inotifyFails = sync.OnceValue(func() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	defer unix.Close(fd)
	_, err = unix.InotifyAddWatch(fd, "/", unix.IN_CREATE)
	return os.NewSyscallError("inotify_add_watch", err)
})

func needsInotify(t *testing.T) {
	t.Helper()
	if err := inotifyFails(); err != nil {
		t.Skip("no inotify: ", err)
	}
}
