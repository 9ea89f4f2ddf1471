package relay

import (
	"encoding/binary"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Set is the relays of a loop, and an eventfd that is readable while one of them is ready.
type Set struct {
	mu     sync.Mutex
	fd     int // the eventfd; -1 when it is closed
	ready  []*Relay
	taking []*Relay // the loop's
}

// NewSet makes a Set without relays.
func NewSet() (*Set, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &Set{fd: fd}, nil
}

// FD returns the eventfd.
func (s *Set) FD() int { return s.fd }

// Ready returns the relays that have become ready since the last call, and resets the
// eventfd. The result is valid until the next call.
func (s *Set) Ready() []*Relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	var count [8]byte
	_, _ = unix.Read(s.fd, count[:])
	s.ready, s.taking = s.taking[:0], s.ready
	for _, r := range s.taking {
		r.ready = false
	}
	return s.taking
}

// Close closes the eventfd. Relays that are still open go on, to no effect.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.fd)
	s.fd = -1
}

// report makes the relay ready, and writes the eventfd if it is the first.
func (s *Set) report(r *Relay, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.broken = r.broken || broken
	if r.ready || r.closed {
		return
	}
	r.ready = true
	s.ready = append(s.ready, r)
	if len(s.ready) == 1 && s.fd >= 0 {
		signalEventfd(s.fd)
	}
}

func signalEventfd(fd int) {
	word := binary.NativeEndian.AppendUint64(nil, 1)
	for {
		if _, err := unix.Write(fd, word); err != unix.EINTR {
			return
		}
	}
}

// Relay waits for one file. It has a descriptor of its own, because the runtime's poller must
// not lose the file: the user may close the other descriptor at any time.
type Relay struct {
	set  *Set
	fd   int // the user's
	file *os.File

	// Guarded by set.mu.
	ready  bool // it is in set.ready
	broken bool
	closed bool
}

// Relay starts a relay for the file of fd. It costs a goroutine and a descriptor, until Close.
func (s *Set) Relay(fd int) (*Relay, error) {
	file, conn, err := dup(fd)
	if err != nil {
		return nil, err
	}
	r := &Relay{set: s, fd: fd, file: file}
	go r.run(conn)
	return r, nil
}

// dup has the runtime's poller watch the file, by a descriptor of its own. os.NewFile adds a
// descriptor to the poller if it is non-blocking, which is a flag that all descriptors of a
// file share. None of these files ever blocks.
func dup(fd int) (file *os.File, conn syscall.RawConn, err error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK == 0 {
		err = unix.SetNonblock(own, true)
		defer unix.FcntlInt(uintptr(own), unix.F_SETFL, flags)
	}
	if err != nil {
		_ = unix.Close(own)
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	file = os.NewFile(uintptr(own), "ev-relay")
	if err = file.SetReadDeadline(time.Time{}); err == nil { // else the poller has refused it
		conn, err = file.SyscallConn()
	}
	if err != nil {
		_ = file.Close()
	}
	return file, conn, err
}

// run waits for the file until that is closed. The runtime calls the function once at first,
// and after each edge.
func (r *Relay) run(conn syscall.RawConn) {
	_ = conn.Read(func(uintptr) bool {
		r.set.report(r, false)
		return false
	})
	r.set.report(r, true) // has no effect on a closed one
}

// FD returns the user's descriptor.
func (r *Relay) FD() int { return r.fd }

// Broken reports whether the runtime's poller has refused to wait.
func (r *Relay) Broken() bool {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	return r.broken
}

// Holds reports whether the user's descriptor still refers to the file of the relay. Where
// kcmp is not permitted, it reports whether the descriptor is open.
func (r *Relay) Holds() bool {
	same := false
	conn, err := r.file.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Control(func(own uintptr) {
		pid := uintptr(os.Getpid())
		const kcmpFile = 0
		order, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, own, uintptr(r.fd), 0)
		switch errno {
		case 0:
			same = order == 0
		case unix.EBADF:
		default:
			_, err := unix.FcntlInt(uintptr(r.fd), unix.F_GETFD, 0)
			same = err == nil
		}
	})
	return err == nil && same
}

// Close ends the wait and closes the relay's own descriptor. The relay is not ready again.
func (r *Relay) Close() {
	r.set.mu.Lock()
	r.closed = true
	r.set.mu.Unlock()
	_ = r.file.Close() // waits for run's function, which takes the lock
}
