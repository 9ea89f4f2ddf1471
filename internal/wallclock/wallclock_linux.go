// Package wallclock reports that the wall clock was set. It knows nothing of loops. It is
// supported on Linux only.
package wallclock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watch is a timer of the kernel's that is due in the far future. The kernel cancels it
// whenever the wall clock is set, which makes it readable.
type Watch struct{ fd int }

// Ahead is how far in the future the timer is due. When it is due, which is harmless, it is
// armed again.
const Ahead = 1_000_000 * time.Second

// New makes a Watch.
func New() (*Watch, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	w := &Watch{fd}
	if err := w.arm(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// FD returns the descriptor. It is readable after the wall clock was set.
func (w *Watch) FD() int { return w.fd }

// Reset makes the descriptor unreadable, until the clock is set again.
func (w *Watch) Reset() {
	var expirations [8]byte
	_, _ = unix.Read(w.fd, expirations[:]) // ECANCELED: it is not readable any more
	_ = w.arm()
}

// arm arms the timer. ECANCELED means that it is armed and that the clock was set since this
// was last reported.
func (w *Watch) arm() error {
	due := unix.NsecToTimespec(time.Now().Add(Ahead).UnixNano())
	err := unix.TimerfdSettime(w.fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET,
		&unix.ItimerSpec{Value: due}, nil)
	if err == unix.ECANCELED {
		return nil
	}
	return os.NewSyscallError("timerfd_settime", err)
}

// Close closes the descriptor.
func (w *Watch) Close() { _ = unix.Close(w.fd) }
