//go:build unix

package ev

import "syscall"

// errNoSignal is what sigaction answers.
var errNoSignal error = syscall.EINVAL

var uncatchable = map[syscall.Signal]string{
	syscall.SIGKILL: "cannot be caught",
	syscall.SIGSTOP: "cannot be caught",
	syscall.SIGURG:  "belongs to the Go runtime, which preempts goroutines with it",
}
