package ev

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/goevlib/ev/internal/descriptor"
)

// Notifier returns a descriptor by which code that is not Go can send: a thread of C
// code, a signal handler, another process. Writing a native-endian uint64 of value 1 is
// equivalent to Send: the write collapses with other requests, counts as a request
// collected, and is forgotten by Start if it came while the watcher was stopped. Sent
// does not report it. The write is safe in a signal handler. Memory that was written
// before it is visible to the callback. Goroutines should call Send.
//
// Notifier must be called on the loop's goroutine.
//
// # The descriptor
//
// It is an eventfd on Linux, and the write end of a pipe elsewhere. Each call returns a
// new descriptor, a dup, which the caller owns and must close: only the caller knows how
// long C code uses it. It is close-on-exec; exec.Cmd.ExtraFiles passes it to a child. It
// may outlive the watcher and the loop. Then a write to an eventfd has no effect, and a
// write to a pipe fails with EPIPE, and raises SIGPIPE in programs that are not Go's.
//
// The descriptor must not be read: the loop reads the other end, and a read of an eventfd
// takes the request away. It is non-blocking. EAGAIN means that it is full, and may be
// ignored, because a request is outstanding then. If a program clears O_NONBLOCK, it does
// so for all copies of the descriptor. A write then waits while the descriptor is full,
// until the loop reads. The loop does not wait, with or without the flag.
//
// # Cost
//
// The first call makes the descriptor. The loop watches it while the Async is active, as
// it watches that of an IO: a busy loop looks at it once per iteration, SetIOInterval
// delays it, and while all processors are busy the runtime may see it 10 ms late. It is
// closed with the loop, or when the Async is garbage.
//
// # Errors
//
// Notifier returns the system's error when there are no more descriptors
// (syscall.EMFILE), errors.ErrUnsupported on BackendChan and BackendAFD, that is on
// Windows and WebAssembly, and ErrClosed on a closed loop. If the system refuses to
// watch the descriptor, the callback is called once, with Error among its Events.
func (a *Async) Notifier() (*os.File, error) {
	a.own("Notifier")
	if a.loop.isClosed() {
		return nil, ErrClosed
	}
	var err error
	if a.loop.poller.canWakeByFD() {
		err = a.loop.openSet()
	} else {
		err = fmt.Errorf("the backend %v cannot be woken by a descriptor: %w", a.loop.backend, errors.ErrUnsupported)
	}
	if err == nil && a.notifier == nil {
		err = a.makeNotifier()
	}
	var file *os.File
	if err == nil {
		file, err = descriptor.Dup(a.notifier.writeEnd, "ev-notifier")
	}
	runtime.KeepAlive(a) // or the descriptor may be closed before it is dup'd
	if err != nil {
		return nil, fmt.Errorf("ev: Async.Notifier: %w", err)
	}
	return file, nil
}

// notifier is the loop's part of a Notifier.
type notifier struct {
	writeEnd *os.File // the caller's descriptors are dups of this
	fd       int      // the loop reads this; an eventfd is both
	stop     func()   // of watchFD; nil while the loop does not watch
}

// makeNotifier makes the notifier, which is freed with the loop, or when the Async is
// garbage.
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

// openNotifier also returns a function that closes the files. It does not refer to the
// notifier, and so not to the loop.
func openNotifier() (n *notifier, free func(), err error) {
	readEnd, writeEnd, err := openWake()
	if err != nil {
		return nil, nil, err
	}
	free = func() {
		_ = readEnd.Close()
		_ = writeEnd.Close() // an eventfd is closed already
	}
	n = &notifier{writeEnd: writeEnd}
	conn, err := readEnd.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { n.fd = int(fd) })
	}
	if err != nil {
		free()
		return nil, nil, err
	}
	return n, free, nil
}

// watch is called by Start. Requests written before are forgotten.
func (n *notifier) watch(a *Async) {
	descriptor.Drain(n.fd)
	stop, err := a.loop.watchFD(n.fd, Read, func(got Events) { n.ready(a, got) })
	if err != nil {
		n.ready(a, Error)
		return
	}
	n.stop = stop
}

func (n *notifier) unwatch() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

// ready makes the Async pending at once. Send would do so one iteration later, because
// the requests of this one are collected. The event may be older than the last Start:
// then there is nothing to read.
func (n *notifier) ready(a *Async, got Events) {
	switch {
	case got == Error:
		n.stop = nil
		a.Feed(AsyncEvent | Error)
	case descriptor.Drain(n.fd):
		a.loop.collected++
		a.loop.pending.mark(&a.watcher, AsyncEvent)
	}
}
