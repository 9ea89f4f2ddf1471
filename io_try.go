package ev

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/goevlib/ev/internal/nowait"
)

// This file is reading, writing and accepting in the callback of an IO, without waiting.

// ErrWouldBlock is returned by IO.TryRead, IO.TryWrite and IO.TryAccept if there is nothing to do
// now: return from the callback, and the loop calls again when there is.
var ErrWouldBlock = nowait.ErrWouldBlock

// TryRead reads into p with one system call that does not wait. Package net would suspend the
// goroutine, and with it the loop, until data comes, or fail if a read deadline has passed.
// TryRead depends on no deadline. It must be called on the loop's goroutine. The watcher may be
// active or not.
//
//	n, err := w.TryRead(buf)
//	switch {
//	case err == ev.ErrWouldBlock:
//		// nothing to read after all
//	case err != nil: // io.EOF at the end
//		w.Stop()
//	default:
//		use(buf[:n])
//	}
//
// # Errors
//
//   - ErrWouldBlock if there is nothing to read;
//   - io.EOF at the end of a stream (not for a message of zero bytes);
//   - an error that wraps os.ErrClosed if the connection of NewConnIO is closed;
//   - errors.ErrUnsupported where a loop watches no descriptors;
//   - the error of the system, such as syscall.ECONNRESET.
//
// # Blocking descriptors
//
// The system call is preceded by a look at the descriptor's flags. If it is blocking, as standard
// input mostly is, poll(2) is called first. Then, if another process takes the input in between,
// TryRead waits for more. TryWrite writes at most 512 bytes to such a descriptor.
//
// # Windows
//
// The descriptor must be a socket. TryRead makes it non-blocking; package net does not notice.
// TryAccept returns errors.ErrUnsupported.
//
// # Cost
//
// The two system calls, and no allocation.
func (w *IO) TryRead(p []byte) (n int, err error) {
	w.own("TryRead")
	n, err = w.try(nowait.Read, p)
	return n, w.tryError("TryRead", err)
}

// TryWrite writes p, or a part of it, with one system call that does not wait. If n is less than
// len(p) and err is nil, the descriptor takes no more for now, or is blocking. It returns
// ErrWouldBlock if it takes nothing: keep the rest, and watch for Write until it is written. It is
// otherwise like TryRead.
func (w *IO) TryWrite(p []byte) (n int, err error) {
	w.own("TryWrite")
	n, err = w.try(nowait.Write, p)
	return n, w.tryError("TryWrite", err)
}

// TryAccept accepts a connection of a listener that is watched for Read. It does not wait, and is
// otherwise like TryRead. The caller owns the connection.
func (w *IO) TryAccept() (net.Conn, error) {
	w.own("TryAccept")
	fd, err := w.try(func(fd int, _ []byte) (int, error) { return nowait.Accept(fd) }, nil)
	if err != nil {
		return nil, w.tryError("TryAccept", err)
	}
	file := os.NewFile(uintptr(fd), "accepted")
	defer file.Close() // FileConn makes a duplicate
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, w.tryError("TryAccept", err)
	}
	return conn, nil
}

func (w *IO) tryError(method string, err error) error {
	if err == nil || err == ErrWouldBlock || err == io.EOF {
		return err
	}
	return fmt.Errorf("ev: IO.%s: %w", method, err)
}

// attempt is a call of try for a connection. A function made for each would be allocated.
type attempt struct {
	op   func(fd int, p []byte) (int, error)
	p    []byte
	n    int
	err  error
	call func(fd uintptr)
}

// try calls op with the descriptor, which stays open meanwhile if it is that of a connection.
func (w *IO) try(op func(fd int, p []byte) (int, error), p []byte) (int, error) {
	if w.conn == nil {
		if w.fd < 0 {
			return 0, errors.New("negative descriptor")
		}
		return op(w.fd, p)
	}
	spare := &w.loop.files.attempt
	a := *spare
	*spare = nil // a connection's Control may be the user's, and call another try
	if a == nil {
		a = new(attempt)
		a.call = func(fd uintptr) { a.n, a.err = a.op(int(fd), a.p) }
	}
	a.op, a.p = op, p
	gone := w.conn.Control(a.call)
	n, err := a.n, a.err
	a.op, a.p, a.n, a.err = nil, nil, 0, nil
	*spare = a
	if gone != nil {
		return 0, fmt.Errorf("%w: %w", os.ErrClosed, gone)
	}
	return n, err
}
