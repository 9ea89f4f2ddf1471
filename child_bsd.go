//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a kqueue that is told of the exit, with the status, whoever reaps.
// Nothing waits in it, since that would take an OS thread (the runtime cannot
// poll a kqueue): it is looked into after each SIGCHLD.
//
// What one must know about EVFILT_PROC, from kqueue(2) and, in parentheses, from
// the kernels, as in netpoll_bsd.go; it was not tried out either:
//
//	a. NOTE_EXIT puts the status into data, in the form of wait(2) [FreeBSD,
//	   OpenBSD; NetBSD says "exit code"; DragonFly nothing]; (all: p_xstat or its
//	   like, with the signal). macOS does so for NOTE_EXITSTATUS, in 16 bits.
//	b. A process that has exited and was not reaped is found on FreeBSD and
//	   DragonFly, which report it at once, but not on macOS, NetBSD and OpenBSD:
//	   ESRCH (filt_procattach, proc_find). kill(2) finds it. Its status is not to
//	   be had then without reaping it.
//	c. The kevent is queued before SIGCHLD is sent (all: exit1, or proc_exit). So
//	   there is something to see after the last SIGCHLD.
//	d. Any process may be watched that one can see [EVFILT_PROC: all]. The exit of
//	   one that is no child comes without a SIGCHLD, and so is never looked at.
//	e. The kevent is deleted when it is taken, asked for or not (all: EV_ONESHOT).
type process struct {
	kq   int // -1: it has exited already
	quit chan struct{}
	once sync.Once
}

func openProcess(pid int, trace bool) (*process, error) {
	if trace {
		return nil, fmt.Errorf("trace: %w", errors.ErrUnsupported) // no wait4 can look for a stop without reaping an exit
	}
	kq, err := newKqueue()
	if err != nil {
		return nil, err
	}
	var exit kevent
	unix.SetKevent(&exit, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	exit.Fflags = unix.NOTE_EXIT
	if onDarwin {
		exit.Fflags |= 0x4000000 // NOTE_EXITSTATUS (note a)
	}
	if err = register(kq, exit); err != nil {
		_ = unix.Close(kq)
		kq = -1
	}
	if err != nil && (err != unix.ESRCH || !exists(pid)) { // note b
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
		var got [1]kevent
		if pollEvents(kq, got[:]) == 0 {
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
