package ev

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fineTimer makes timers precise. The runtime's poller waits for whole milliseconds,
// and a park that only a deadline ends is up to one millisecond late. A timerfd in the
// set is an event like any other, and about 20 microseconds late. But an event waits
// until a processor is idle and polls, while busy processors see a deadline too. So
// both are armed. The deadline is a little earlier, because a busy processor that sees
// it runs the loop next; a loop that was found by polling joins the end of the queue.
//
// This lead makes each timer later in an idle process. A busy processor sees a deadline
// only when it changes goroutines, and the less often that is, the longer the lead must be.
// Which of the two has ended the last parks tells the processes apart: the timerfd, if
// processors are idle, and deadlines alone, if all are busy.
//
// Setting the timerfd costs a system call. A park that is likely to end earlier, or to
// need another time, should not pay for it. So a long wait has two stages, and only the
// second sets the timerfd. A deadline ends the first stage shortly before the time. A
// park that is woken before that never reaches the second.
type fineTimer struct {
	fd     int
	opened bool
	failed bool          // no timerfd could be opened: do without
	armed  time.Duration // the time it is set to, on the loop's clock
	origin int64         // the loop's base on the kernel's clock, in nanoseconds
	sets   uint64
	busy   uint8 // how many parks in a row a deadline has ended, up to busyParks
}

const (
	nearWait = 10 * time.Millisecond // a wait up to this has one stage
	lastWait = 2 * time.Millisecond  // the length of the second stage; the first is at most one millisecond late

	idleLead  = 10 * time.Microsecond  // of the deadline over the timerfd
	busyLead  = 100 * time.Microsecond // after busyParks
	busyParks = 4
)

func (t *fineTimer) lead() time.Duration {
	if t.busy == busyParks {
		return busyLead
	}
	return idleLead
}

// ended notes what has ended a park that was due.
func (t *fineTimer) ended(byDeadline bool) {
	if !byDeadline {
		t.busy = 0
	} else if t.busy < busyParks {
		t.busy++
	}
}

// setTimer sets the timerfd to until, and the lead. It reports whether the timerfd is set.
func (p *fdPoller) setTimer(until, lead time.Duration) bool {
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

// openTimer makes the timerfd, and the set if there is none. It reads the loop's clock
// before the kernel's, which can make the timerfd late, but never early.
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
