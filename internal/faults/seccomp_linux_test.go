package faults

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// argument is a condition on one argument of a system call: its lower 32 bits.
type argument struct {
	index int
	value uint32
}

// refuse makes the kernel refuse a system call with these arguments, from now on and in
// the whole process. It cannot be undone. If two filters match, the later one counts.
func refuse(t *testing.T, errno unix.Errno, call uintptr, args ...argument) {
	t.Helper()
	const nr, arguments = 0, 16 // offsets in the kernel's struct seccomp_data
	filter := equals(nil, nr, uint32(call))
	for _, a := range args {
		filter = equals(filter, uint32(arguments+8*a.index), a.value)
	}
	filter = append(filter, answer(unix.SECCOMP_RET_ERRNO|uint32(errno)), answer(unix.SECCOMP_RET_ALLOW))
	for i := 1; i < len(filter)-2; i += 2 {
		filter[i].Jf = uint8(len(filter) - 2 - i) // to the last
	}
	install(t, filter)
}

func equals(filter []unix.SockFilter, offset, value uint32) []unix.SockFilter {
	return append(filter,
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value})
}

func answer(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// install adds the filter to all threads, also to later ones.
func install(t *testing.T, filter []unix.SockFilter) {
	t.Helper()
	runtime.LockOSThread() // a filter requires no_new_privs: both belong to the thread
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno == unix.ENOSYS {
		t.Skip("the kernel has no seccomp filters: ", errno)
	}
	require.Zero(t, errno, "%v", errno)
	require.Zero(t, thread, "this thread has another filter")
}

// nextFD returns the number that the next descriptor will get.
func nextFD(t *testing.T) uint32 {
	t.Helper()
	fd, err := unix.Dup(0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	return uint32(fd)
}
