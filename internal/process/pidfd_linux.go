package process

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a pidfd, on which a goroutine waits in the runtime's poller. An event loop whose
// backend has descriptors could wait for it itself. But one way for all backends is half the
// code, and a goroutine that reads the status at once is earlier than most waits elsewhere,
// which take the status.
//
// Notes on pidfds:
//
//	a. They are readable from the exit on. There is another edge when the process is
//	   reaped (Linux 6.9).
//	b. Stops and continues are no events for them. SIGCHLD reports those.
//	c. PIDFD_GET_INFO has the status of a reaped process (Linux 6.15), from the second
//	   edge on at the latest. waitid returns ECHILD a little earlier, as soon as the
//	   reaper has chosen the process.
//	d. PIDFD_GET_INFO looks for the status first, and then for the process. If the reaper
//	   finishes between the two, it finds neither and returns ESRCH. A second call has
//	   the status, if the system keeps it.
type Process struct {
	pid   int
	trace bool
	file  *os.File // nil where pidfds are refused: then SIGCHLD reports everything
	conn  syscall.RawConn
	quit  chan struct{}
	once  sync.Once
}

// Open returns a handle of a child process. The error wraps ESRCH if there is no such
// process, or ECHILD if it is no child of this one.
func Open(pid int, trace bool) (*Process, error) {
	p := &Process{pid: pid, trace: trace, quit: make(chan struct{})}
	if err := p.openFile(); err != nil {
		return nil, err
	}
	if err := p.isChild(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openFile leaves file nil where a pidfd would be of no use: on Linux before 5.4, under a
// seccomp filter that knows nothing newer, and if the runtime's poller refuses the pidfd,
// which would then wake no goroutine. (A pidfd with SIGCHLD would not do: the second edge
// comes without a signal.)
func (p *Process) openFile() error {
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

// pollable adds a descriptor to the runtime's poller. The caller must close the file, even
// if there is an error.
func pollable(fd int) (*os.File, syscall.RawConn, error) {
	nonblock := unix.SetNonblock(fd, true) // otherwise os.NewFile would not add it
	file := os.NewFile(uintptr(fd), "pidfd")
	// os.NewFile returns no error if the poller refuses a descriptor. A deadline is refused
	// then, too.
	if err := errors.Join(nonblock, file.SetReadDeadline(time.Time{})); err != nil {
		return file, nil, err
	}
	conn, err := file.SyscallConn()
	return file, conn, err
}

func (p *Process) isChild() (err error) {
	p.do(func(kind, id int) { _, _, err = waitid(kind, id, unix.WEXITED|unix.WNOWAIT) })
	if err == unix.ECHILD && !exists(p.pid) {
		err = unix.ESRCH
	}
	return os.NewSyscallError("waitid", err)
}

// do calls fn with the arguments by which waitid finds the process. If p is closed, it
// returns false without a call.
func (p *Process) do(fn func(kind, id int)) bool {
	if p.file == nil {
		fn(unix.P_PID, p.pid)
		return true
	}
	return p.conn.Control(func(fd uintptr) { fn(unix.P_PIDFD, int(fd)) }) == nil
}

// Watch begins to report changes. If the process has exited, it reports that before it
// returns.
func (p *Process) Watch(report Report) {
	exited := func(kind, id int) bool {
		status, ok := exitStatus(kind, id)
		if ok {
			report(status, true)
		}
		return ok
	}
	// If it has exited already, at once: another wait could reap it.
	ended := false
	p.do(func(kind, id int) { ended = exited(kind, id) })
	if ended {
		p.Close()
		return
	}
	if p.file != nil {
		go func() {
			defer p.Close()
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
		}, p.quit, p.Close)
	}
}

// Close ends the goroutines.
func (p *Process) Close() {
	p.once.Do(func() {
		close(p.quit)
		if p.file != nil {
			_ = p.file.Close() // the goroutine that reads may be the caller
		}
	})
}
