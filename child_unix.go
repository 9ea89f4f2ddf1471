//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/signals"
)

// The platform's files define what Child needs of a system:
//
//	openProcess(pid, trace)  a handle, *process, or why there is none
//	process.watch(report)    report the changes from now on, and an exit that
//	                         was before; called once, if at all
//	process.close()          cease to; any number of times, and without waiting
//	                         for the loop, which may be waiting for it

// unknownStatus is the status of an end that someone else's wait took away.
const unknownStatus = ^syscall.WaitStatus(0)

// afterEachSIGCHLD calls look now, and again after each SIGCHLD, until it reports
// false or quit is closed; then done. The system sends one signal for any number
// of children, os/signal keeps one for any number of those, and both do so after
// the state has changed: nothing is missed.
func afterEachSIGCHLD(look func() bool, quit <-chan struct{}, done func()) {
	received := make(chan os.Signal, 1)
	signals.Notify(received, syscall.SIGCHLD)
	go func() {
		defer done()
		defer signals.Stop(received, syscall.SIGCHLD)
		for look() {
			select {
			case <-received:
			case <-quit:
				return
			}
		}
	}()
}

// exists reports whether there is a process with this number, zombies included.
func exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }
