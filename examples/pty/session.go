//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

const stdin = 0

// session is a command on a pseudo-terminal, and what it is connected to. All of
// it belongs to the loop's goroutine.
type session struct {
	loop    *ev.Loop
	command *exec.Cmd
	master  *ev.IO
	input   *ev.IO
	child   *ev.Child

	buf    [32 << 10]byte
	unsent []byte // input that the terminal has not taken yet
	last   byte   // of the input
	ended  bool   // the input
	code   int
	err    error
}

func newSession(loop *ev.Loop, master int, command *exec.Cmd) *session {
	s := &session{loop: loop, command: command, last: '\n'}
	s.master = ev.NewIO(loop, master, ev.Read, s.masterReady, ev.Name("master"))
	s.input = ev.NewIO(loop, stdin, ev.Read, s.inputReady, ev.Name("stdin"))
	s.child = ev.NewChild(loop, command.Process.Pid, s.exited)
	return s
}

func (s *session) start() error {
	if err := s.master.Start(); err != nil {
		return err
	}
	if err := s.child.Start(); err != nil {
		return err
	}
	resized := ev.NewSignal(s.loop, unix.SIGWINCH, func(*ev.Signal) { copySize(s.master.FD(), stdin) })
	if err := resized.Start(); err != nil {
		return err
	}
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		pass := func(w *ev.Signal) { _ = s.command.Process.Signal(w.Signal()) }
		if err := ev.NewSignal(s.loop, sig, pass).Start(); err != nil {
			return err
		}
	}
	// Terminals, pipes and sockets are waited for; a file, and /dev/null, is
	// always ready; a standard input that is closed is one that has ended.
	if err := s.input.Start(); errors.Is(err, unix.EBADF) {
		s.endOfInput()
	} else if err != nil {
		return err
	}
	return nil
}

func (s *session) masterReady(_ *ev.IO, events ev.Events) {
	if events&ev.Write != 0 {
		s.send()
	}
	if events&ev.Read != 0 {
		s.receive()
	}
}

// receive passes output on. It reports whether there may be more. Standard output
// is left blocking, since it is shared with others: when it does not take more,
// neither do we.
func (s *session) receive() bool {
	n, err := unix.Read(s.master.FD(), s.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return err == unix.EINTR
	case err != nil || n == 0: // EIO: nobody has the terminal open any more
		s.input.Stop()
		s.master.Stop()
		return false
	}
	if _, err := os.Stdout.Write(s.buf[:n]); err != nil {
		s.fail(err)
		return false
	}
	return true
}

// inputReady reads no more than the terminal has taken. Standard input is left
// blocking too; a read of what is ready does not block.
func (s *session) inputReady(*ev.IO, ev.Events) {
	n, err := unix.Read(stdin, s.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil || n == 0: // EIO: it is a terminal that was hung up
		s.endOfInput()
	default:
		s.last = s.buf[n-1]
		s.unsent = append(s.unsent, s.buf[:n]...)
		s.send()
	}
}

// endOfInput says it in the way of terminals: a Ctrl-D at the beginning of a line,
// or one that makes the line go without its end, and another one.
func (s *session) endOfInput() {
	const ctrlD = 4
	s.input.Stop()
	if s.last != '\n' {
		s.unsent = append(s.unsent, ctrlD)
	}
	s.ended = true
	s.unsent = append(s.unsent, ctrlD)
	s.send()
}

// send gives input to the terminal, and has the loop say when it takes more.
func (s *session) send() {
	n, err := unix.Write(s.master.FD(), s.unsent)
	s.unsent = s.unsent[max(n, 0):]
	if err == unix.EIO { // nobody has the terminal open any more
		s.ended, s.unsent, err = true, nil, nil
		s.input.Stop()
	}
	switch {
	case err != nil && err != unix.EAGAIN && err != unix.EINTR:
		s.fail(os.NewSyscallError("write", err))
	case len(s.unsent) > 0:
		s.wait(ev.Read | ev.Write)
		s.input.Stop()
	default:
		s.unsent = nil
		s.wait(ev.Read)
		if !s.ended {
			s.fail(s.input.Start()) // no effect if it is active
		}
	}
}

func (s *session) wait(events ev.Events) { s.fail(s.master.SetEvents(events)) }

// exited reaps the command and ends the session.
func (s *session) exited(*ev.Child) {
	_ = s.command.Wait() // does not block; an exit code other than 0 is an error to it
	status := s.command.ProcessState.Sys().(syscall.WaitStatus)
	if s.code = status.ExitStatus(); status.Signaled() {
		s.code = 128 + int(status.Signal())
	}
	// All that the command has written can be read now. What it has left behind
	// may write for ever; that is not waited for.
	const most = 1 << 20 / len(s.buf)
	for i := 0; i < most && s.master.Active() && s.receive(); i++ {
	}
	s.loop.Stop()
}

// fail ends the session, if err is an error.
func (s *session) fail(err error) {
	if err != nil && s.err == nil {
		s.err = err
		s.loop.Stop()
	}
}
