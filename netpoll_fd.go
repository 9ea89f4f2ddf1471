//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/atomic"
	"golang.org/x/sys/unix"
)

// fdPoller parks on descriptors that the Go runtime's own poller watches: the
// goroutine sleeps like any other that waits for a socket, and no OS thread is
// held. The platform's file makes the descriptor to wake it by (openWake), has the
// system calls on that (signalWake, tryWake) and the set of the user's descriptors
// (fdSet), and says which of the two to park on, and how precisely (park).
//
// What one must know about the runtime's poller:
//
//	a. It is edge-triggered, and RawConn.Read discards an edge that came before
//	   it was entered. So commit runs inside the function that Read calls, which
//	   is after that.
//	b. A read deadline in the past ends Read at once, without a call of the
//	   function, and ends a Read in progress: the runtime readies the goroutine
//	   itself. That is what wakeByDeadline does.
//	c. The deadline of the park is set before commit, never after: it would
//	   overwrite that of a sender.
//	d. A deadline left by a slow sender shows as an error of the next Read,
//	   whereupon the deadline is set anew. One left by wakeWithin is in the near
//	   future, and so makes at worst a park that is spurious, or a deadline that
//	   was nearer still that much late.
//	e. Control pins the descriptor, so that a sender cannot write to a number
//	   that was closed and reused meanwhile.
type fdPoller struct {
	base     time.Time              // what the loop's times count from
	wake     pollFD                 // what write wakes
	wakeFile *os.File               // what is written to; an eventfd is both
	wakeConn syscall.RawConn        // of wakeFile
	parkedOn atomic.Pointer[pollFD] // where the park in progress is, for wakeByDeadline
	set      fdSet
	timer    fineTimer

	signalFunc func(fd uintptr) // p.signal, as a value: a wake does not allocate
}

// pollFD is a descriptor to park on.
type pollFD struct {
	file  *os.File
	read  syscall.RawConn
	armed time.Duration // the deadline that file has; never is none

	senderArmed atomic.Uint32 // 1: it may have another, set by wakeWithin

	// try is called when commit was, and the sleep can begin, and again after
	// each edge. It reports whether the park is over.
	try func(fd uintptr, woken bool) bool

	commit  func() bool           // that of the park in progress; nil once called
	tryFunc func(fd uintptr) bool // f.tries, as a value: a park does not allocate
}

// longPast is a deadline that has passed for whoever reads the clock.
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
	// os.NewFile keeps quiet when the runtime's poller refuses a descriptor; a
	// deadline is refused then too.
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("register with the runtime's poller: %w", err)
	}
	f.read, err = file.SyscallConn()
	return err
}

// sleep parks on b. It reports whether that was ended by a deadline: b's, or the
// one that wakeByDeadline set.
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

// arm sets the deadline. The runtime reduces one that is too far away to the last
// moment that it can express.
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

// signal wakes by the runtime alone when the descriptor is not what it was: somebody
// has closed it behind our back.
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

func (p *fdPoller) take() []readyFD {
	ready := p.set.ready
	p.set.ready = ready[:0]
	return ready
}

func (p *fdPoller) close() error {
	var first error
	if p.wakeFile != p.wake.file { // before the reading end, or a late write would raise SIGPIPE
		first = p.wakeFile.Close()
	}
	err := errors.Join(p.set.close(), p.timer.close(), p.wake.file.Close())
	if err = errors.Join(first, err); err != nil {
		return fmt.Errorf("ev: Close: %w", err)
	}
	return nil
}

// checkFD reports whether fd is open.
func checkFD(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return os.NewSyscallError("fcntl", err)
}
