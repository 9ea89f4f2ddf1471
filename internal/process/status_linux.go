package process

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// exitStatus returns false while the process lives.
func exitStatus(kind, id int) (status syscall.WaitStatus, ok bool) {
	status, ok, err := waitid(kind, id, unix.WEXITED|unix.WNOWAIT)
	switch {
	case err == nil:
		return status, ok
	case kind != unix.P_PIDFD:
		return UnknownStatus, true
	}
	return statusOfReaped(id)
}

// stops reports stops and continues. It takes them (no WNOWAIT), because waitid returns a
// state that is left again and again. Without WEXITED it cannot take an exit.
func stops(kind, id int, report Report) {
	for {
		status, ok, err := waitid(kind, id, unix.WSTOPPED|unix.WCONTINUED)
		if !ok || err != nil {
			return
		}
		report(status, false)
	}
}

// waitid never waits. It returns false if there is nothing new.
func waitid(kind, id, options int) (status syscall.WaitStatus, ok bool, err error) {
	var info unix.Siginfo
	for {
		err = unix.Waitid(kind, id, &info, options|unix.WNOHANG, nil)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || info.Signo == 0 {
		return 0, false, err
	}
	return waitStatus(info.Code, (*siginfoChild)(unsafe.Pointer(&info)).status), true, nil
}

// siginfoChild is the kernel's siginfo_t as SIGCHLD fills it.
type siginfoChild struct {
	_      [3]int32                             // signal, error and code, in an order that varies
	_      [unsafe.Sizeof(uintptr(0)) / 8]int32 // 64-bit systems align the union
	_      int32                                // pid
	_      uint32                               // uid
	status int32
}

// waitStatus converts the result of waitid to that of wait4. The codes are CLD_EXITED and so
// on.
func waitStatus(code, status int32) syscall.WaitStatus {
	s := syscall.WaitStatus(status)
	switch code {
	case 1: // exited
		return s & 0xff << 8
	case 2: // killed
		return s
	case 3: // dumped
		return s | 0x80
	case 4, 5: // trapped, stopped
		return s<<8 | 0x7f
	case 6: // continued
		return 0xffff
	}
	return UnknownStatus
}

// pidfdInfo is the first version of the kernel's struct pidfd_info.
type pidfdInfo struct {
	mask     uint64
	_        uint64
	_        [11]uint32
	exitCode int32
}

const (
	pidfdGetInfo  = 0xc040ff0b // PIDFD_GET_INFO
	pidfdInfoExit = 1 << 3     // PIDFD_INFO_EXIT
)

// statusOfReaped returns false if the reaper has not finished: the second edge will come.
func statusOfReaped(pidfd int) (status syscall.WaitStatus, ok bool) {
	info, err := getInfo(pidfd)
	if err == unix.ESRCH { // note d
		info, err = getInfo(pidfd)
	}
	switch {
	case err != 0:
		return UnknownStatus, true
	case info.mask&pidfdInfoExit == 0:
		return 0, false
	}
	return syscall.WaitStatus(info.exitCode), true
}

func getInfo(pidfd int) (pidfdInfo, syscall.Errno) {
	info := pidfdInfo{mask: pidfdInfoExit}
	_, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(pidfd), pidfdGetInfo, uintptr(unsafe.Pointer(&info)))
	return info, err
}
