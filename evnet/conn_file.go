//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package evnet

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/goevlib/ev/internal/nowait"
	"github.com/goevlib/ev/internal/taskconn"
)

// file reads and writes a descriptor. It tries first, and waits only if that fails: to wait
// before each read would cost an iteration for nothing. But when a read has got less than it asked
// for, the stream was empty after it, and to try would cost a system call for nothing.
type file struct {
	c        *conn
	stream   bool // a write may be made in parts
	messages bool // an empty one is not the end
	empty    bool // the last read has emptied the stream
	in, out  attempt
}

// attempt is a system call. Its function is made once, so that an operation does not allocate.
type attempt struct {
	p    []byte
	n    int
	err  error
	call func(fd uintptr)
}

func (a *attempt) init(name string, call func(int, []byte) (int, error)) {
	a.call = func(fd uintptr) {
		for {
			a.n, a.err = call(int(fd), a.p)
			if a.err != syscall.EINTR {
				break
			}
		}
		if a.err != nil && a.err != wouldBlock {
			a.err = os.NewSyscallError(name, a.err)
		}
	}
}

func (a *attempt) try(raw syscall.RawConn, p []byte) (int, error) {
	a.p = p
	err := raw.Control(a.call)
	a.p = nil
	if err != nil {
		return 0, net.ErrClosed
	}
	return a.n, a.err
}

func (c *conn) initFile() error {
	f := &file{c: c}
	f.in.init(reading())
	f.out.init(writing())
	if _, ok := c.c.(*net.TCPConn); ok && isNonblocking {
		f.stream = true
	} else if err := f.inspect(); err != nil {
		return err
	}
	c.in, c.out = f, f
	return nil
}

// inspect looks at the kind of the descriptor and makes it non-blocking.
func (f *file) inspect() error {
	var err error
	if f.c.raw.Control(func(fd uintptr) { f.stream, f.messages, err = prepare(int(fd)) }) != nil {
		return net.ErrClosed
	}
	return err
}

func (f *file) read(p []byte) (int, error) {
	if f.stream && len(p) > nowait.MaxOnce {
		p = p[:nowait.MaxOnce]
	}
	for {
		if f.empty {
			if err := f.c.at.Wait(taskconn.In, nil); err != nil {
				return 0, err
			}
		}
		n, err := f.in.try(f.c.raw, p)
		f.empty = err == wouldBlock || err == nil && f.stream && n < len(p)
		if err == wouldBlock {
			continue
		}
		if n == 0 && err == nil && !f.messages {
			err, f.empty = io.EOF, false
		}
		return n, err
	}
}

func (f *file) write(p []byte) (int, error) {
	for done := 0; ; {
		part := p[done:]
		if f.stream && len(part) > nowait.MaxOnce {
			part = part[:nowait.MaxOnce]
		}
		n, err := f.out.try(f.c.raw, part)
		done += n
		switch {
		case err == wouldBlock:
			if err := f.c.at.Wait(taskconn.Out, nil); err != nil {
				return done, err
			}
		case err != nil || done == len(p):
			return done, err
		case n == 0:
			return done, io.ErrUnexpectedEOF
		}
	}
}
