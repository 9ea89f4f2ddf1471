//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/signals"
)

// UnknownStatus is the status of a process that a wait elsewhere has reaped before.
const UnknownStatus = ^syscall.WaitStatus(0)

// afterEachSIGCHLD calls look now, and again after each SIGCHLD, until look returns false or
// quit is closed. Then it calls done. The system sends one signal for any number of
// children, and os/signal keeps one for any number of those. Both do so after the state
// has changed: nothing is missed.
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
