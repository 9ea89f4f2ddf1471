package ev

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Notifier returns a descriptor by which what is not Go can send: a thread of C
// code, a signal handler, another process. To write the 8 bytes of a uint64 of
// one, in the order of the machine, is a Send: it collapses with others, counts
// as a request collected, and is forgotten by Start if it came while the watcher
// was stopped. Only Sent does not know of it. The write is safe in a signal
// handler, and what was written to memory before it, the callback sees. A
// goroutine had better Send.
//
// It is an eventfd on Linux, and the write end of a pipe elsewhere. Each call
// returns a new descriptor, a dup, which the caller owns and closes: only the
// caller knows until when C code has it. It is close-on-exec, so give it to a
// child by exec.Cmd.ExtraFiles. It may outlive the watcher and the loop; a write
// then does nothing to an eventfd, and fails with EPIPE on a pipe, where it
// raises SIGPIPE in programs that are not Go's.
//
// Write only. The loop reads the other end, and whoever reads an eventfd takes
// the request away. The descriptor is non-blocking: EAGAIN says that it is full,
// and may be ignored, for a request is outstanding then. A program that clears
// O_NONBLOCK does so for all that have the descriptor. It waits when it is full,
// until the loop reads; the loop does not, whatever the flag.
//
// Notifier is called on the loop's goroutine. The first call makes the
// descriptor, which the loop watches while the Async is active, as it watches an
// IO's: a busy loop looks for it once per iteration, SetIOInterval holds it back,
// and with all processors busy the runtime may be 10 ms late to see it. It is
// closed with the loop, or when the Async is garbage. Should the system refuse to
// watch it, the callback comes once with Error among its Events.
//
// It fails with the system's error when there are no more descriptors
// (syscall.EMFILE), with errors.ErrUnsupported on BackendChan, and so on Windows
// and WebAssembly, and with ErrClosed on a closed loop.
func (a *Async) Notifier() (*os.File, error) {
	a.own("Notifier")
	if a.loop.isClosed() {
		return nil, ErrClosed
	}
	err := a.loop.openSet()
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("the backend %v has no descriptors: %w", a.loop.backend, err)
	}
	if err == nil && a.notifier == nil {
		err = a.makeNotifier()
	}
	var file *os.File
	if err == nil {
		file, err = a.notifier.dup()
	}
	runtime.KeepAlive(a) // or the descriptor may be closed before it is dup'd
	if err != nil {
		return nil, fmt.Errorf("ev: Async.Notifier: %w", err)
	}
	return file, nil
}

// makeNotifier makes the descriptor of which all others are dups. The platform's file
// says what that is, and how the loop watches it. It is freed with the loop, or when the
// Async is garbage.
func (a *Async) makeNotifier() error {
	n, free, err := openNotifier()
	if err != nil {
		return err
	}
	a.notifier = n
	runtime.AddCleanup(a, (*resource).release, a.loop.resources.add(free))
	if a.index != 0 {
		n.watch(a)
	}
	return nil
}
