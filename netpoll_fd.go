//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"
)

// fdPoller parks on descriptors that the Go runtime's own poller watches. The
// goroutine sleeps as in a read from a socket, and holds no OS thread. The platform's
// file makes the descriptor that wakes it (openWake), makes the system calls on that
// descriptor (signalWake, tryWake), has the set of the user's descriptors (fdSet), and
// chooses which of the two to park on, and how precisely (park).
//
// Facts about the runtime's poller:
//
//	a. It is edge-triggered, and RawConn.Read discards an edge that came before
//	   Read was entered. So commit runs inside the function that Read calls, which
//	   is later.
//	b. A read deadline in the past ends Read at once, without a call of the
//	   function. It also ends a Read in progress: the runtime makes the goroutine
//	   ready itself. wakeByDeadline uses that.
//	c. The deadline of the park is set before commit, never after. Later it would
//	   overwrite a sender's.
//	d. A deadline left by a slow sender makes the next Read fail, and the deadline
//	   is set anew then. One left by wakeWithin is in the near future. At worst it
//	   causes a spurious wake-up, or replaces an earlier deadline, which is then
//	   that much late.
//	e. Control pins the descriptor. A sender cannot write to a number that was
//	   closed and reused meanwhile.
type fdPoller struct {
	base     time.Time              // the loop counts its times from here
	wake     pollFD                 // woken by wakeByFD
	wakeFile *os.File               // wakeByFD writes to it; an eventfd is both
	wakeConn syscall.RawConn        // of wakeFile
	parkedOn atomic.Pointer[pollFD] // by the park in progress; for wakeByDeadline
	set      fdSet
	timer    fineTimer

	signalFunc func(fd uintptr) // p.signal, as a value: a wake does not allocate
}

// pollFD is a descriptor to park on.
type pollFD struct {
	file  *os.File
	read  syscall.RawConn
	armed time.Duration // the deadline of file; never is none

	senderArmed atomic.Uint32 // 1: wakeWithin may have set another deadline

	// try is called after commit, before the sleep, and again after each edge. It
	// reports whether the park is over.
	try func(fd uintptr, woken bool) bool

	commit  func() bool           // of the park in progress; nil once called
	tryFunc func(fd uintptr) bool // f.tries, as a value: a park does not allocate
}

// longPast is a deadline that has passed by every clock.
var longPast = time.Unix(1, 0)

// unknown is an armed deadline that equals none.
const unknown = time.Duration(-1)

func openNative(base time.Time) (poller, error) {
	file, wakeFile, err := openWake()
	if err != nil {
		return nil, err
	}
	p := &fdPoller{base: base, wakeFile: wakeFile}
	p.signalFunc = p.signal
	err = p.wake.open(file, p.tryWake)
	if err == nil {
		p.wakeConn, err = wakeFile.SyscallConn()
	}
	if err != nil {
		_ = p.close()
		return nil, err
	}
	p.parkedOn.Store(&p.wake)
	return p, nil
}

func (f *pollFD) open(file *os.File, try func(fd uintptr, woken bool) bool) (err error) {
	f.file, f.armed, f.try, f.tryFunc = file, never, try, f.tries
	// os.NewFile does not report that the runtime's poller refused a descriptor.
	// SetReadDeadline fails then.
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("register with the runtime's poller: %w", err)
	}
	f.read, err = file.SyscallConn()
	return err
}

// sleep parks on f. It reports whether a deadline ended the park: that of f, or one
// that a sender set.
func (p *fdPoller) sleep(f *pollFD, until time.Duration, commit func() bool) (expired bool) {
	if p.parkedOn.Load() != f {
		p.parkedOn.Store(f)
	}
	if f.senderArmed.Load() != 0 {
		f.senderArmed.Store(0)
		f.armed = unknown
	}
	if until != f.armed {
		f.arm(p.base, until)
	}
	f.commit = commit
	err := f.read.Read(f.tryFunc)
	f.commit = nil
	if err != nil {
		f.armed = unknown // note d
	}
	return err != nil
}

// arm sets the deadline. If it is too far away, the runtime uses the last moment that
// it can express.
func (f *pollFD) arm(base time.Time, until time.Duration) {
	var deadline time.Time
	if until != never {
		deadline = base.Add(until)
	}
	if f.file.SetReadDeadline(deadline) == nil {
		f.armed = until
	}
}

func (f *pollFD) tries(fd uintptr) bool {
	commit := f.commit
	if commit == nil {
		return f.try(fd, true)
	}
	f.commit = nil
	return !commit() || f.try(fd, false)
}

func (p *fdPoller) wakeByFD() { _ = p.wakeConn.Control(p.signalFunc) }

// signal falls back to the deadline if the write fails: other code has closed the
// descriptor by its number.
func (p *fdPoller) signal(fd uintptr) {
	if !signalWake(fd) {
		p.wakeByDeadline()
	}
}

func (p *fdPoller) wakeByDeadline()   { _ = p.parkedOn.Load().file.SetReadDeadline(longPast) }
func (p *fdPoller) canWakeByFD() bool { return true }

func (p *fdPoller) wakeWithin(d time.Duration) {
	f := p.parkedOn.Load()
	f.senderArmed.Store(1)
	_ = f.file.SetReadDeadline(time.Now().Add(d))
}

// maxEvents is how many events are collected in one iteration at most. The kernels
// take turns, so the others come in the next iterations.
const maxEvents = 4096

func (p *fdPoller) found() bool { return len(p.set.ready) > 0 }

func (p *fdPoller) take() []readyFD {
	ready := p.set.ready
	p.set.ready = ready[:0]
	return ready
}

func (p *fdPoller) close() error {
	var first error
	if p.wakeFile != p.wake.file { // before the read end, or a late write would raise SIGPIPE
		first = p.wakeFile.Close()
	}
	err := errors.Join(p.set.close(), p.timer.close(), p.wake.file.Close())
	if err = errors.Join(first, err); err != nil {
		return fmt.Errorf("ev: Close: %w", err)
	}
	return nil
}
