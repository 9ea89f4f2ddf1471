//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/goevlib/ev"
)

// stream is a pipe or a socket pair. Its bytes count up, so the reader finds missing
// bytes. Now and then new descriptors, often with the old numbers, take the place of
// the old.
type stream struct {
	room     *room
	open     func() (in, out *os.File, err error)
	readable *ev.IO
	writable *ev.IO
	read     int // used on the loop's goroutine

	mu      sync.Mutex
	written int      // guarded by mu
	in      *os.File // written under mu
	out     *os.File // used on the loop's goroutine
}

func newStreams(r *room) (*kind, error) {
	if r.loop.Backend() == ev.BackendChan {
		return nil, nil
	}
	pipe := func() (in, out *os.File, err error) { out, in, err = os.Pipe(); return }
	streams := [...]*stream{{room: r, open: pipe}, {room: r, open: socketPair}}
	for _, s := range streams {
		if err := s.begin(); err != nil {
			return nil, err
		}
	}
	return &kind{
		name:   "IO",
		load:   func(p *pusher) { streams[p.rng.IntN(len(streams))].write(p) },
		turn:   func() { streams[r.rng.IntN(len(streams))].turn() },
		settle: func() error { return errors.Join(streams[0].owed(), streams[1].owed()) },
		free: func() {
			for _, s := range streams {
				s.end()
			}
		},
	}, nil
}

func socketPair() (in, out *os.File, err error) {
	syscall.ForkLock.RLock() // processes must not inherit them
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, nil, os.NewSyscallError("fcntl", err)
		}
	}
	return os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out"), nil
}

// begin opens the stream and watches it: the read end always, the write end until it is
// writable.
func (s *stream) begin() (err error) {
	if s.in, s.out, err = s.open(); err != nil {
		return err
	}
	s.read, s.written = 0, 0
	s.readable = ev.NewConnIO(s.room.loop, s.out, ev.Read, s.drain)
	s.writable = ev.NewConnIO(s.room.loop, s.in, ev.Write, func(w *ev.IO, _ ev.Events) { w.Stop() })
	return errors.Join(s.readable.Start(), s.writable.Start())
}

func (s *stream) end() {
	s.in.Close()
	s.out.Close()
}

// once makes one non-blocking system call.
func once(f *os.File, call func(fd int, b []byte) (int, error), b []byte) (n int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errno error
	err = conn.Control(func(fd uintptr) { n, errno = call(int(fd), b) })
	if err = errors.Join(err, errno); errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return 0, nil
	}
	return max(n, 0), err
}

func (s *stream) write(p *pusher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, 1+p.rng.IntN(256))
	for i := range b {
		b[i] = byte(s.written + i)
	}
	n, err := once(s.in, syscall.Write, b)
	if err != nil {
		s.room.fault("write: %w", err)
	}
	s.written += n
}

func (s *stream) drain(_ *ev.IO, events ev.Events) {
	var b [1024]byte
	n, err := once(s.out, syscall.Read, b[:])
	if err != nil || events != ev.Read {
		s.room.fault("IO: %v, and the read said %v", events, err)
	}
	for i := range n {
		if b[i] != byte(s.read+i) {
			s.room.fault("IO: byte %d is %d", s.read+i, b[i])
			break
		}
	}
	s.read += n
}

func (s *stream) turn() {
	switch s.room.rng.IntN(4) {
	case 0:
		s.room.refused(s.renew())
	case 1:
		s.readable.Stop()
	case 2:
		s.room.refused(s.writable.Start())
	default:
		s.room.refused(s.readable.Start())
	}
}

func (s *stream) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readable.Stop()
	s.writable.Stop()
	s.end()
	return s.begin()
}

func (s *stream) owed() error {
	s.room.refused(s.readable.Start())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != s.written {
		return fmt.Errorf("%d bytes were written, and %d read", s.written, s.read)
	}
	return nil
}
