//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a kqueue that is told of the exit, with the status, whoever reaps.
// Nothing waits in it, since that would take an OS thread (the runtime cannot
// poll a kqueue): it is looked into after each SIGCHLD.
//
// macOS and OpenBSD do not let a process be watched that has exited already. Its
// status is not to be had then without reaping it.
type process struct {
	kq   int // -1: it has exited already
	quit chan struct{}
	once sync.Once
}

func openProcess(pid int, trace bool) (*process, error) {
	if trace {
		return nil, fmt.Errorf("trace: %w", errors.ErrUnsupported) // no wait4 can look for a stop without reaping an exit
	}
	kq, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	var exit unix.Kevent_t
	unix.SetKevent(&exit, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	exit.Fflags = unix.NOTE_EXIT
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		exit.Fflags |= 0x4000000 // NOTE_EXITSTATUS, which the others imply
	}
	if _, err = unix.Kevent(kq, []unix.Kevent_t{exit}, nil, nil); err != nil {
		_ = unix.Close(kq)
		kq = -1
	}
	if err != nil && (err != unix.ESRCH || !exists(pid)) {
		return nil, os.NewSyscallError("kevent", err)
	}
	return &process{kq: kq, quit: make(chan struct{})}, nil
}

func (p *process) watch(report func(status syscall.WaitStatus, exit bool)) {
	if p.kq < 0 {
		report(unknownStatus, true)
		return
	}
	kq := p.kq
	p.kq = -1 // the goroutine's now, which closes it
	afterEachSIGCHLD(func() bool {
		var got [1]unix.Kevent_t
		n, err := unix.Kevent(kq, nil, got[:], new(unix.Timespec))
		if n <= 0 || err != nil {
			return true
		}
		report(syscall.WaitStatus(got[0].Data), true)
		return false
	}, p.quit, func() { _ = unix.Close(kq) })
}

func (p *process) close() {
	p.once.Do(func() {
		close(p.quit)
		if p.kq >= 0 {
			_ = unix.Close(p.kq)
		}
	})
}
