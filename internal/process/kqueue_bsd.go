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
//	   NetBSD says "exit code"; DragonFly nothing] (filt_proc, knote_proc_exit). macOS
//	   does so for NOTE_EXITSTATUS, in 16 bits (filt_procevent).
//	b. A process that exits, or has exited and was not reaped, is found on FreeBSD and
//	   DragonFly, which report it at once, but not on macOS, NetBSD and OpenBSD: ESRCH
//	   (filt_procattach). kill(2) finds it on all. Its status cannot be read then without
//	   reaping it. On FreeBSD and OpenBSD this can be a moment before it can be reaped.
//	c. The kevent is queued before SIGCHLD is sent (exit1; proc_exit on macOS, reaper on
//	   OpenBSD). So there is an event to take after the last SIGCHLD.
//	d. Other processes than children can be watched. Their exits come without a SIGCHLD,
//	   and are found after one of a child, or never. macOS refuses a process that is no
//	   child and that this one may not kill, by EACCES; NetBSD and older OpenBSD, also by
//	   EACCES, a process of another user or with a set-user-ID program, even if it is a
//	   child; DragonFly one of another jail (filt_procattach).
//	e. The kevent is deleted when it is taken, requested or not (all: EV_ONESHOT).
type Process struct {
	mu     sync.Mutex
	kq     int  // -1: closed
	exited bool // before Open, and no event will come
	quit   chan struct{}
	once   sync.Once
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
	p := &Process{kq: kq, quit: make(chan struct{})}
	err = kqueue.AddExit(kq, pid)
	if err == nil {
		return p, nil
	}
	p.Close()
	switch {
	case err == unix.ESRCH && exists(pid): // note b
		p.exited = true
		return p, nil
	case err == unix.EACCES && kqueue.OnDarwin: // note d
		err = unix.ECHILD
	}
	return nil, os.NewSyscallError("kevent", err)
}

// Watch begins to report the exit. If the process has exited already, it reports that before it
// returns (note b).
func (p *Process) Watch(report Report) {
	if p.exited {
		report(UnknownStatus, true)
		return
	}
	look := func() bool { return p.look(report) }
	if !look() {
		p.Close()
		return
	}
	afterEachSIGCHLD(look, p.quit, p.Close)
}

// look reports the exit if it has come. It returns false if none will come later.
func (p *Process) look(report Report) bool {
	var got [1]kqueue.Event
	p.mu.Lock()
	open, n := p.kq >= 0, 0
	if open {
		n = kqueue.Poll(p.kq, got[:])
	}
	p.mu.Unlock()
	if n > 0 {
		report(syscall.WaitStatus(kqueue.Status(&got[0])), true)
	}
	return open && n == 0
}

// Close ends the goroutine, and closes the kqueue.
func (p *Process) Close() {
	p.once.Do(func() {
		close(p.quit)
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = kqueue.Close(p.kq)
		p.kq = -1
	})
}
