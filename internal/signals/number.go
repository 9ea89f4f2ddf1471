// Package signals receives signals for several users in one process, by os/signal. It knows
// nothing of loops.
package signals

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// maxSignal is os/signal's: the last real-time signal of Linux.
const maxSignal = 64

// Number returns the number of sig. It returns an error that states the reason for a signal
// that os/signal never delivers. The error wraps syscall.EINVAL on Unix if there is no such
// signal, and errors.ErrUnsupported elsewhere if the system never sends it.
func Number(sig os.Signal) (syscall.Signal, error) {
	n, ok := sig.(syscall.Signal)
	switch {
	case sig == nil:
		return 0, errors.New("nil signal")
	case !ok:
		return 0, fmt.Errorf("signal %v is a %T, not a syscall.Signal", sig, sig)
	case n <= 0 || n > maxSignal:
		return 0, fmt.Errorf("signal %d: %w", int(n), errNoSignal)
	}
	if why := undelivered(n); why != nil {
		name := strings.TrimPrefix(n.String(), "signal ") // without a name it is "signal 33"
		return 0, fmt.Errorf("signal %s %w", name, why)
	}
	return n, nil
}
