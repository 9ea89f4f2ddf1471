//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A kqueue cannot be parked on: the runtime asks for READ and WRITE together,
// and a kqueue descriptor accepts READ only. A pipe does what an eventfd does
// elsewhere.

var backends = []Backend{BackendKqueue, BackendChan}

// openWake makes a pipe, both ends close-on-exec and non-blocking. macOS has no
// pipe2, hence the fork lock: no child may be started between the calls.
func openWake() (file, wakes *os.File, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	if err = unix.Pipe(p[:]); err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	for _, fd := range p {
		if err = unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(p[0])
			_ = unix.Close(p[1])
			return nil, nil, os.NewSyscallError("fcntl", err)
		}
	}
	return os.NewFile(uintptr(p[0]), "ev-wake"), os.NewFile(uintptr(p[1]), "ev-wake"), nil
}

var one = []byte{1}

// signalWake writes a byte. A full pipe (EAGAIN) means that a wake is on its
// way already.
func signalWake(fd uintptr) {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return
		}
	}
}

// drainWake empties the pipe, so that it never fills up.
func drainWake(fd uintptr) {
	var buf [64]byte
	for {
		n, err := unix.Read(int(fd), buf[:])
		if err != unix.EINTR && n < len(buf) {
			return
		}
	}
}

// fdSet is not there on these systems yet: see the platform table.
type fdSet struct{ bed }

func (s *fdSet) isOpen() bool { return false }
func (s *fdSet) close() error { return nil }

func (p *fdPoller) openSet() error                        { return errors.ErrUnsupported }
func (p *fdPoller) reopenSet() error                      { return errors.ErrUnsupported }
func (p *fdPoller) watch(int, uint32, bool, Events) error { return errors.ErrUnsupported }
func (p *fdPoller) poll()                                 {}
func (p *fdPoller) take() []readyFD                       { return nil }
