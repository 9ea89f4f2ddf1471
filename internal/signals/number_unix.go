//go:build unix

package signals

import (
	"errors"
	"runtime"
	"syscall"
)

// errNoSignal is the error of sigaction.
var errNoSignal error = syscall.EINVAL

// undelivered returns the reason why os/signal never delivers a signal, or nil if it
// delivers it. For a signal that it never delivers, signal.Notify does nothing and reports
// nothing.
//
// The facts are from the runtime's sigtable and sigenable (Go 1.26). On Linux a test tries
// each signal.
//
//	a. A signal whose entry lacks _SigNotify keeps its handler, or has none: a process
//	   that receives it dies or ignores it.
//	b. SIGPROF has _SigNotify, but sigenable and the handler make an exception.
//	c. The synchronous signals (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS and
//	   similar) lack _SigNotify, but always have a handler, which delivers them if a
//	   process has sent them.
//	d. The tables end at _NSIG: signals after it have no entry.
func undelivered(n syscall.Signal) error {
	switch n {
	case syscall.SIGKILL, syscall.SIGSTOP:
		return errors.New("cannot be caught")
	case syscall.SIGURG:
		return errors.New("belongs to the Go runtime, which preempts goroutines with it")
	case syscall.SIGPROF: // note b
		return errors.New("belongs to the Go runtime, which profiles with it")
	}
	switch reserved, last := signalsOf(runtime.GOOS); {
	case n > last: // note d
		return errors.New("is not delivered by the Go runtime on " + runtime.GOOS)
	case n >= reserved.from && n <= reserved.to: // note a
		return errors.New("belongs to the C library's threads, and is not delivered by the Go runtime")
	}
	return nil
}

type signalRange struct{ from, to syscall.Signal }

// signalsOf returns the signals that a system's C libraries reserve for themselves, and the
// last signal of the runtime's table.
func signalsOf(system string) (reserved signalRange, last syscall.Signal) {
	switch system {
	case "linux", "android": // glibc: SIGCANCEL, SIGSETXID; musl: SIGTIMER, SIGCANCEL, SIGSYNCCALL
		return signalRange{32, 34}, maxSignal
	case "darwin", "ios":
		return signalRange{}, 31
	case "openbsd": // SIGTHR
		return signalRange{32, 32}, 32
	case "dragonfly", "freebsd", "netbsd":
		return signalRange{}, 32
	case "aix": // SIGWAITING
		return signalRange{39, 39}, maxSignal
	case "illumos", "solaris": // SIGCANCEL
		return signalRange{36, 36}, maxSignal
	}
	return signalRange{}, maxSignal
}
