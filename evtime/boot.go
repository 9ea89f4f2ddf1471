package evtime

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/goevlib/ev"
)

// BootTimer calls back once, when a span of time has passed that counts the time during which the
// machine was suspended. An ev.Timer stands still meanwhile. A span that ends during a suspend is
// over when the machine resumes; a BootTimer does not wake the machine. Use it for leases and
// tokens that expire elsewhere while this machine sleeps.
//
// Linux has such a clock with a timer (CLOCK_BOOTTIME). On other systems, and with BackendChan,
// Arm returns an error that wraps errors.ErrUnsupported. An ev.Periodic with an interval of 0 is
// an alternative there, if the wall clock is right.
//
// A BootTimer that is active is an ev.IO, which gets the constructor's options, and has a
// descriptor, which is closed by Stop, by the end of the span and with the loop.
type BootTimer struct {
	loop *ev.Loop
	opts []ev.Option
	fn   func(*BootTimer)
	keep bool
	file *os.File // of the timer, while the BootTimer is active
	io   *ev.IO
	end  *ev.Cleanup
	due  time.Duration // on the clock
}

// NewBootTimer makes a BootTimer, which is inactive. It panics if l or fn is nil.
func NewBootTimer(l *ev.Loop, fn func(*BootTimer), opts ...ev.Option) *BootTimer {
	check("NewBootTimer", l, fn == nil, opts)
	return &BootTimer{loop: l, fn: fn, opts: opts, keep: true}
}

// Arm makes the timer call back when d has passed, counted from the present. It replaces an
// earlier wait. If d is zero or negative, the call is made in one of the next iterations. Arm
// returns
//
//   - an error that wraps errors.ErrUnsupported if the system has no such clock, or the loop no
//     descriptors;
//   - ev.ErrClosed on a closed loop;
//   - the error of the system if there is no descriptor left (syscall.EMFILE).
func (b *BootTimer) Arm(d time.Duration) error {
	b.Stop()
	if err := b.arm(max(d, 1)); err == ev.ErrClosed {
		return err
	} else if err != nil {
		b.Stop()
		return fmt.Errorf("evtime: BootTimer.Arm: %w", err)
	}
	return nil
}

func (b *BootTimer) arm(d time.Duration) error {
	if b.loop.Backend() == ev.BackendChan {
		return fmt.Errorf("BackendChan has no descriptors: %w", errors.ErrUnsupported)
	}
	now, err := sinceBoot()
	if err != nil {
		return err
	}
	b.due = now + min(d, 1<<62-now)
	file, err := openBootTimer(b.due)
	if err != nil {
		return err
	}
	b.file = file
	b.io = ev.NewConnIO(b.loop, file, ev.Read, func(*ev.IO, ev.Events) { b.expire() }, b.opts...)
	b.io.Keep(b.keep)
	if err := b.io.Start(); err != nil {
		b.shut()
		return err
	}
	b.end = ev.NewCleanup(b.loop, func(*ev.Cleanup) { b.Stop() })
	b.end.Keep(false)
	b.end.Start()
	return nil
}

// Stop makes the timer inactive. No call begins after it returns.
func (b *BootTimer) Stop() {
	if b.io != nil {
		b.io.Stop()
	}
	if b.end != nil {
		b.end.Stop()
	}
	b.shut()
}

func (b *BootTimer) shut() {
	if b.file != nil {
		_ = b.file.Close()
	}
	b.file, b.io, b.end = nil, nil, nil
}

// Active reports whether a call is to come.
func (b *BootTimer) Active() bool { return b.file != nil }

// Remaining returns the time until the call, suspended time included. It returns 0 if the timer is
// inactive or the time has passed.
func (b *BootTimer) Remaining() time.Duration {
	now, err := sinceBoot()
	if err != nil || !b.Active() {
		return 0
	}
	return max(b.due-now, 0)
}

// Keep sets whether this timer, while active, keeps Run going. The default is true.
func (b *BootTimer) Keep(alive bool) {
	b.keep = alive
	if b.io != nil {
		b.io.Keep(alive)
	}
}

// expire is called when the descriptor is ready. A readiness may be spurious.
func (b *BootTimer) expire() {
	if now, err := sinceBoot(); err == nil && now < b.due {
		return
	}
	b.Stop()
	b.fn(b)
}

// errNoBootTimer is the error of systems without one.
func errNoBootTimer() error {
	return fmt.Errorf("%s has no timer that counts suspended time: %w", runtime.GOOS, errors.ErrUnsupported)
}
