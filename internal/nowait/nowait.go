// Package nowait reads, writes and accepts by one system call that does not wait, whether or not
// the descriptor is non-blocking. A descriptor that is blocking, such as a terminal that a shell
// uses too, is polled before. If another process takes what the poll has found, the call waits:
// only a non-blocking descriptor rules that out.
//
// The platform's files define:
//
//	Read(fd, p) (n, err)    io.EOF at the end
//	Write(fd, p) (n, err)   may write a part
//	Accept(fd) (fd, err)    non-blocking and close-on-exec
//	MaxOnce                 how much one call gets, unless the platform is unsupported
//
// Errors but ErrWouldBlock and io.EOF are of type *os.SyscallError, or errors.ErrUnsupported.
package nowait

import "errors"

// ErrWouldBlock is the error of a call that would have to wait.
var ErrWouldBlock = errors.New("ev: the operation would block")
