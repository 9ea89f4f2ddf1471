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

// session is a command on a pseudo-terminal, with its input and output. All of
// it belongs to the loop's goroutine.
type session struct {
	loop    *ev.Loop
	command *exec.Cmd
	master  *ev.IO
	input   *ev.IO
	child   *ev.Child

	buf    [32 << 10]byte
	unsent []byte // input that the terminal has not taken yet
	last   byte   // last byte of the input
	ended  bool   // the input has ended
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
	// The loop waits for terminals, pipes and sockets. Files and /dev/null are always
	// ready. A closed standard input is treated as one that has ended.
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

// receive passes output on. It reports whether there may be more. Standard
// output stays blocking, because other processes share it. When it takes no
// more data, receive blocks.
func (s *session) receive() bool {
	n, err := unix.Read(s.master.FD(), s.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return err == unix.EINTR
	case err != nil || n == 0: // EIO: no process has the terminal open any more
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

// inputReady reads only when the terminal has taken all earlier input. Standard
// input stays blocking too. A read of ready data does not block.
func (s *session) inputReady(*ev.IO, ev.Events) {
	n, err := unix.Read(stdin, s.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil || n == 0: // EIO: the input is a terminal that was hung up
		s.endOfInput()
	default:
		s.last = s.buf[n-1]
		s.unsent = append(s.unsent, s.buf[:n]...)
		s.send()
	}
}

// endOfInput sends the end of a terminal's input: a Ctrl-D at the beginning of
// a line or, after an incomplete line, one Ctrl-D that sends the line and
// another one.
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

// send writes input to the terminal, and watches for the moment when it takes
// more.
func (s *session) send() {
	n, err := unix.Write(s.master.FD(), s.unsent)
	s.unsent = s.unsent[max(n, 0):]
	if err == unix.EIO { // no process has the terminal open any more
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
	_ = s.command.Wait() // does not block; it returns an error for an exit code other than 0
	status := s.command.ProcessState.Sys().(syscall.WaitStatus)
	if s.code = status.ExitStatus(); status.Signaled() {
		s.code = 128 + int(status.Signal())
	}
	// All output of the command can be read now. Processes that it has left behind
	// may write for ever. Their output is not waited for.
	const most = 1 << 20 / len(s.buf)
	for i := 0; i < most && s.master.Active() && s.receive(); i++ {
	}
	s.loop.Stop()
}

// fail ends the session if err is not nil.
func (s *session) fail(err error) {
	if err != nil && s.err == nil {
		s.err = err
		s.loop.Stop()
	}
}
