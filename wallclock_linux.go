package ev

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchClock has the loop notice at once that the wall clock was set, also while
// it is parked: by a timer of the kernel's that is due in the far future, and
// cancelled, which makes it readable, whenever the clock is set. stop frees it.
func (l *Loop) watchClock() (stop func(), err error) {
	if l.backend == BackendChan {
		return nil, errors.ErrUnsupported
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	if err = armClockWatch(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	stop, err = l.ownFD(fd, func() { _ = unix.Close(fd) }, func(lost bool) { l.clockSet(fd, lost) })
	l.reread = true // it may have been set just before
	return stop, err
}

// clockWatch is how far in the future the timer is due. When it is, which is
// harmless, it is armed again.
const clockWatch = 1_000_000 * time.Second

// armClockWatch arms the timer. ECANCELED means armed, too: and that the clock
// was set since this was told last.
func armClockWatch(fd int) error {
	due := unix.NsecToTimespec(time.Now().Add(clockWatch).UnixNano())
	err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET,
		&unix.ItimerSpec{Value: due}, nil)
	if err == unix.ECANCELED {
		return nil
	}
	return os.NewSyscallError("timerfd_settime", err)
}

// clockSet is called when the timer is readable, or not watched any more.
func (l *Loop) clockSet(fd int, lost bool) {
	if lost {
		l.periodics.unwatch()
		l.periodics.unwatch = nil // from now on, parks are short
		return
	}
	var expirations [8]byte
	_, _ = unix.Read(fd, expirations[:]) // ECANCELED: it is not readable any more
	_ = armClockWatch(fd)
	l.reread = true
	l.update()
}
