//go:build !unix

package signals

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

var errNoSignal = errors.New("no such signal")

// undelivered refuses all signals but two on Windows, and all on js and wasip1: os/signal sends
// no others. It would accept them, or panic on js and wasip1.
func undelivered(n syscall.Signal) error {
	switch {
	case n == syscall.SIGKILL:
		return errors.New("cannot be caught")
	case runtime.GOOS == "windows" && (n == syscall.SIGINT || n == syscall.SIGTERM):
		return nil
	}
	return fmt.Errorf("is not sent on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
