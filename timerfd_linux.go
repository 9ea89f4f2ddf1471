package ev

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fineTimer is what makes timers precise. The runtime's poller waits for whole
// milliseconds, so a deadline that nothing else ends is up to one late. A
// timerfd in the set is an event as any other, and some 20 microseconds late.
// But an event waits until somebody polls, which is not before a processor is
// idle, while a deadline is seen by busy ones too. So both are armed. The
// deadline is a little earlier: a busy processor that sees it runs the loop next,
// while one that is found ready by polling joins the end of the queue.
//
// To set the timerfd is a system call. A park that is likely to end before
// it is due, or with another one due, should not pay for that: so only the near
// end of a long wait has it. Then the park has two stages. The first ends, by the
// deadline, far enough before the time for the second, and one that is
// woken never gets there.
type fineTimer struct {
	fd     int
	opened bool
	failed bool          // there are no descriptors: do without
	armed  time.Duration // when it is due, on the loop's clock
	origin int64         // the loop's base on the kernel's clock, in nanoseconds
	sets   uint64
}

const (
	nearWait = 10 * time.Millisecond // up to this, a wait has one stage
	lastWait = 2 * time.Millisecond  // how long the second is; the first is late by one at most
	lead     = 10 * time.Microsecond // of the deadline
)

// setTimer has the timerfd due at until. It reports whether it will be.
func (p *fdPoller) setTimer(until time.Duration) bool {
	t := &p.timer
	if t.armed == until {
		return true
	}
	if !t.opened && (t.failed || !p.openTimer()) {
		t.failed = true
		return false
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(t.origin + int64(until+lead))}
	t.sets++
	if unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME, &spec, nil) != nil {
		return false
	}
	t.armed = until
	return true
}

// openTimer makes the timerfd, and the set if there is none. The loop's clock is
// read before the kernel's: the timerfd is rather late than early.
func (p *fdPoller) openTimer() bool {
	t := &p.timer
	since := time.Since(p.base)
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return false
	}
	t.origin = now.Nano() - int64(since)
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return false
	}
	t.fd, t.opened = fd, true
	if p.set.isOpen() {
		err = addOwn(p.set.epfd, fd)
	} else {
		err = p.reopenSet()
	}
	if err != nil {
		_ = t.close()
	}
	return err == nil
}

func (t *fineTimer) close() error {
	if !t.opened {
		return nil
	}
	t.opened = false
	return os.NewSyscallError("close", unix.Close(t.fd))
}

func (p *fdPoller) timerSets() uint64 { return p.timer.sets }
