//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// fdPoller parks on a descriptor that the Go runtime's own poller watches: the
// goroutine sleeps like any other that waits for a socket, and no OS thread is
// held. The platform's file makes the descriptor (openWake) and names the two
// system calls on it (signal, drain).
//
// What one must know about the runtime's poller:
//
//	a. It is edge-triggered, and RawConn.Read discards an edge that came before
//	   it was entered. So commit runs inside the function that Read calls, which
//	   is after that.
//	b. A read deadline in the past ends Read at once, without a call of the
//	   function, and ends a Read in progress: the runtime readies the goroutine
//	   itself. That is what ready does.
//	c. The deadline of the park is set before commit, never after: it would
//	   overwrite that of a sender.
//	d. A deadline left in the past by a slow sender shows as an error of the next
//	   Read, whereupon the deadline is set anew.
//	e. Control pins the descriptor, so that a sender cannot write to a number
//	   that was closed and reused meanwhile.
type fdPoller struct {
	file  *os.File // parked on
	wakes *os.File // written to; an eventfd is both
	read  syscall.RawConn
	ring  syscall.RawConn

	armed  time.Duration // the deadline that file has; never is none
	commit func() bool   // that of the park in progress; nil once called

	tryFunc    func(fd uintptr) bool // p.try and signal, made once: a park does not allocate
	signalFunc func(fd uintptr)
}

// longPast is a deadline that has passed for whoever reads the clock.
var longPast = time.Unix(1, 0)

// unknown is an armed deadline that equals none.
const unknown = time.Duration(-1)

func openNative() (poller, error) {
	file, wakes, err := openWake()
	if err != nil {
		return nil, err
	}
	p := &fdPoller{file: file, wakes: wakes, armed: never, signalFunc: signalWake}
	p.tryFunc = p.try
	// os.NewFile keeps quiet when the runtime's poller refuses a descriptor; a
	// deadline is refused then too.
	if err = file.SetReadDeadline(time.Time{}); err != nil {
		err = fmt.Errorf("register with the runtime's poller: %w", err)
	}
	if err == nil {
		p.read, err = file.SyscallConn()
	}
	if err == nil {
		p.ring, err = wakes.SyscallConn()
	}
	if err != nil {
		_ = p.close()
		return nil, err
	}
	return p, nil
}

func (p *fdPoller) park(base time.Time, until time.Duration, commit func() bool) {
	if until >= farAway {
		until = never
	}
	if until != p.armed {
		p.arm(base, until)
	}
	p.commit = commit
	if err := p.read.Read(p.tryFunc); err != nil {
		p.armed = unknown // note d
	}
	p.commit = nil
}

func (p *fdPoller) arm(base time.Time, until time.Duration) {
	var deadline time.Time
	if until != never {
		deadline = base.Add(until)
	}
	if p.file.SetReadDeadline(deadline) == nil {
		p.armed = until
	}
}

// try is called by Read, first on entry, and again after each edge.
func (p *fdPoller) try(fd uintptr) bool {
	if commit := p.commit; commit != nil {
		p.commit = nil
		return !commit()
	}
	drainWake(fd)
	return true
}

func (p *fdPoller) write()         { _ = p.ring.Control(p.signalFunc) }
func (p *fdPoller) ready()         { _ = p.file.SetReadDeadline(longPast) }
func (p *fdPoller) canWrite() bool { return true }

func (p *fdPoller) close() error {
	err := p.file.Close()
	if p.wakes != p.file {
		err = errors.Join(err, p.wakes.Close())
	}
	if err != nil {
		return fmt.Errorf("ev: Close: %w", err)
	}
	return nil
}
