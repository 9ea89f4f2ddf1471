//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package process

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/kqueue"
)

// Process is a kqueue that gets the exit, with the status, even if the process is reaped
// elsewhere. No goroutine waits in it, since that would take an OS thread (the runtime
// cannot poll a kqueue). Instead it is polled after each SIGCHLD.
//
// Notes on EVFILT_PROC, from kqueue(2) and, in parentheses, from the kernels, and not tried
// out, as in internal/kqueue:
//
//	a. NOTE_EXIT puts the status into data, in the form of wait(2) [FreeBSD, OpenBSD;
//	   NetBSD says "exit code"; DragonFly nothing]; (all: p_xstat or its like, with the
//	   signal). macOS does so for NOTE_EXITSTATUS, in 16 bits.
//	b. A process that has exited and was not reaped is found on FreeBSD and DragonFly,
//	   which report it at once, but not on macOS, NetBSD and OpenBSD: ESRCH
//	   (filt_procattach, proc_find). kill(2) finds it. Its status cannot be read then
//	   without reaping it.
//	c. The kevent is queued before SIGCHLD is sent (all: exit1, or proc_exit). So there is
//	   an event to take after the last SIGCHLD.
//	d. Any visible process can be watched [EVFILT_PROC: all]. If it is no child, its exit
//	   comes without a SIGCHLD, and is never looked at.
//	e. The kevent is deleted when it is taken, requested or not (all: EV_ONESHOT).
type Process struct {
	kq   int // -1: it has exited already
	quit chan struct{}
	once sync.Once
}

// Open returns a handle of a process. The error wraps ESRCH if there is none.
func Open(pid int, trace bool) (*Process, error) {
	if trace {
		return nil, fmt.Errorf("trace: %w", errors.ErrUnsupported) // no wait4 can look for a stop without reaping an exit
	}
	kq, err := kqueue.New()
	if err != nil {
		return nil, err
	}
	var exit kqueue.Event
	unix.SetKevent(&exit, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	exit.Fflags = unix.NOTE_EXIT
	if kqueue.OnDarwin {
		exit.Fflags |= 0x4000000 // NOTE_EXITSTATUS (note a)
	}
	if err = kqueue.Change(kq, exit); err != nil {
		_ = unix.Close(kq)
		kq = -1
	}
	if err != nil && (err != unix.ESRCH || !exists(pid)) { // note b
		return nil, os.NewSyscallError("kevent", err)
	}
	return &Process{kq: kq, quit: make(chan struct{})}, nil
}

// Watch begins to report the exit. If the process has exited already, it reports that before it
// returns (note b).
func (p *Process) Watch(report Report) {
	if p.kq < 0 {
		report(UnknownStatus, true)
		return
	}
	kq := p.kq
	alive := func() bool {
		var got [1]kqueue.Event
		if kqueue.Poll(kq, got[:]) == 0 {
			return true
		}
		report(syscall.WaitStatus(got[0].Data), true)
		return false
	}
	if !alive() {
		return
	}
	p.kq = -1 // the goroutine closes it
	afterEachSIGCHLD(alive, p.quit, func() { _ = unix.Close(kq) })
}

// Close ends the goroutine.
func (p *Process) Close() {
	p.once.Do(func() {
		close(p.quit)
		if p.kq >= 0 {
			_ = unix.Close(p.kq)
		}
	})
}
