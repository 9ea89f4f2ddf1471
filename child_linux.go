package ev

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// process is a pidfd, on which a goroutine waits in the runtime's poller. The
// loop could wait for it itself where its backend has descriptors; but one way
// for all backends is half the code, and a goroutine that reads the status as
// soon as there is one does so before more of those who reap.
//
// What one must know about pidfds:
//
//	a. They are readable from the exit on, and there is another edge when the
//	   process is reaped (Linux 6.9).
//	b. Stops and continues are no events for them. SIGCHLD tells of those.
//	c. PIDFD_GET_INFO has the status of a process that was reaped (Linux 6.15),
//	   from the moment of edge 2 at the latest. waitid says ECHILD a little
//	   before that, as soon as the reaper has chosen the process.
//	d. PIDFD_GET_INFO looks for the status first and for the process then. When
//	   the reaper is done between, it finds neither and says ESRCH: a second
//	   one has the status, if the system keeps it.
type process struct {
	pid   int
	trace bool
	file  *os.File // nil where pidfds are refused: then SIGCHLD tells of all
	conn  syscall.RawConn
	quit  chan struct{}
	once  sync.Once
}

func openProcess(pid int, trace bool) (*process, error) {
	p := &process{pid: pid, trace: trace, quit: make(chan struct{})}
	if err := p.openFile(); err != nil {
		return nil, err
	}
	if err := p.isChild(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// openFile leaves file nil on Linux before 5.4, where a seccomp filter knows
// nothing newer, and where the runtime's poller refuses the pidfd: then nobody
// would ever be woken by it. (A pidfd with SIGCHLD would not do: edge 2 has none.)
func (p *process) openFile() error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err == unix.ENOSYS || err == unix.EPERM {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	if _, _, err := waitid(unix.P_PIDFD, fd, unix.WEXITED|unix.WNOWAIT); err == unix.EINVAL {
		return unix.Close(fd)
	}
	file, conn, err := pollable(fd)
	if err != nil {
		return file.Close()
	}
	p.file, p.conn = file, conn
	return nil
}

// pollable gives a descriptor to the runtime's poller. The file is the caller's to
// close even if there is an error.
func pollable(fd int) (*os.File, syscall.RawConn, error) {
	nonblock := unix.SetNonblock(fd, true) // or os.NewFile would not have it polled
	file := os.NewFile(uintptr(fd), "pidfd")
	// os.NewFile keeps quiet when the poller refuses a descriptor; a deadline is
	// refused then too.
	if err := errors.Join(nonblock, file.SetReadDeadline(time.Time{})); err != nil {
		return file, nil, err
	}
	conn, err := file.SyscallConn()
	return file, conn, err
}

func (p *process) isChild() (err error) {
	p.do(func(kind, id int) { _, _, err = waitid(kind, id, unix.WEXITED|unix.WNOWAIT) })
	if err == unix.ECHILD && !exists(p.pid) {
		err = unix.ESRCH
	}
	return os.NewSyscallError("waitid", err)
}

// do calls fn with what waitid knows the process by, and reports false, without
// a call, when the process is closed.
func (p *process) do(fn func(kind, id int)) bool {
	if p.file == nil {
		fn(unix.P_PID, p.pid)
		return true
	}
	return p.conn.Control(func(fd uintptr) { fn(unix.P_PIDFD, int(fd)) }) == nil
}

func (p *process) watch(report func(status syscall.WaitStatus, exit bool)) {
	exited := func(kind, id int) bool {
		status, ok := exitStatus(kind, id)
		if ok {
			report(status, true)
		}
		return ok
	}
	// Before anybody else can reap it, if it has exited already.
	ended := false
	p.do(func(kind, id int) { ended = exited(kind, id) })
	if ended {
		p.close()
		return
	}
	if p.file != nil {
		go func() {
			defer p.close()
			_ = p.conn.Read(func(fd uintptr) bool { return exited(unix.P_PIDFD, int(fd)) })
		}()
	}
	if p.file == nil || p.trace {
		afterEachSIGCHLD(func() bool {
			ended := false
			open := p.do(func(kind, id int) {
				if p.trace {
					stops(kind, id, report)
				}
				if p.file == nil {
					ended = exited(kind, id)
				}
			})
			return open && !ended
		}, p.quit, p.close)
	}
}

func (p *process) close() {
	p.once.Do(func() {
		close(p.quit)
		if p.file != nil {
			// The goroutine that reads may be the one that closes.
			_ = p.file.Close()
		}
	})
}

// exitStatus reports false while the process lives.
func exitStatus(kind, id int) (status syscall.WaitStatus, ok bool) {
	status, ok, err := waitid(kind, id, unix.WEXITED|unix.WNOWAIT)
	switch {
	case err == nil:
		return status, ok
	case kind != unix.P_PIDFD:
		return unknownStatus, true
	}
	return statusOfReaped(id)
}

// stops reports stops and continues. It takes them (no WNOWAIT), since a state
// that is left is told again and again. Without WEXITED it cannot take an exit.
func stops(kind, id int, report func(status syscall.WaitStatus, exit bool)) {
	for {
		status, ok, err := waitid(kind, id, unix.WSTOPPED|unix.WCONTINUED)
		if !ok || err != nil {
			return
		}
		report(status, false)
	}
}

// waitid never waits. It reports false when there is nothing new.
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

// waitStatus makes of waitid's answer what wait4 would have said. The codes are
// CLD_EXITED and its likes.
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
	return unknownStatus
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

// statusOfReaped reports false when the reaper is not done: edge 2 will come.
func statusOfReaped(pidfd int) (status syscall.WaitStatus, ok bool) {
	info, err := getInfo(pidfd)
	if err == unix.ESRCH { // note d
		info, err = getInfo(pidfd)
	}
	switch {
	case err != 0:
		return unknownStatus, true
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
