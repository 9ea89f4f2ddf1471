package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// In these tests the system refuses descriptors, at each step.

func TestNewNamesTheCallThatTheSystemRefused(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		refuse(t, errno, unix.SYS_EVENTFD2)
		_, err := ev.New(ev.WithBackend(ev.BackendEpoll))
		assert.ErrorIs(t, err, errno)
		assert.EqualError(t, err, "ev: New: eventfd: "+errno.Error())
	}
	l, err := ev.New(ev.WithBackend(ev.BackendChan))
	require.NoError(t, err, "it needs no descriptor")
	lives(t, l)
	require.NoError(t, l.Close())
}

// Package os does not say why the runtime refused, so there is no errno to reach.
func TestNewFailsWhenTheRuntimesPollerRefusesTheDescriptor(t *testing.T) {
	if !alone(t) {
		return
	}
	before := leak.Descriptors()
	refuse(t, unix.ENOSPC, unix.SYS_EPOLL_CTL, argument{2, nextFD(t)})
	_, err := ev.New(ev.WithBackend(ev.BackendEpoll))
	assert.Equal(t, before, leak.Descriptors())
	assert.ErrorIs(t, err, os.ErrNoDeadline)
	assert.ErrorContains(t, err, "ev: New: register with the runtime's poller: ")
}

// setSteps are the calls by which a loop makes its set of descriptors. Each of them is
// refused. If number is true, the call is refused for the next descriptor's number
// only.
var setSteps = map[string]struct {
	number bool
	refuse func(t *testing.T, next uint32)
	is     error
	says   string
}{
	"epoll_create1": {false, func(t *testing.T, _ uint32) {
		refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CREATE1)
	}, unix.ENOMEM, "epoll_create1: "},
	"O_NONBLOCK": {true, func(t *testing.T, next uint32) {
		refuse(t, unix.EPERM, unix.SYS_FCNTL, argument{0, next}, argument{1, unix.F_SETFL})
	}, unix.EPERM, ""},
	"the eventfd into it": {true, func(t *testing.T, next uint32) {
		refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CTL, argument{0, next})
	}, unix.ENOMEM, "epoll_ctl: "},
	"it into the runtime's": {true, func(t *testing.T, next uint32) {
		refuse(t, unix.ENOSPC, unix.SYS_EPOLL_CTL, argument{2, next})
	}, os.ErrNoDeadline, "register with the runtime's poller: "},
}

func TestIOStartFailsAtEachStepOfMakingTheSetAndTheLoopGoesOn(t *testing.T) {
	for step, s := range setSteps {
		t.Run(step, func(t *testing.T) {
			if !alone(t) {
				return
			}
			l := newLoop(t)
			r, w := pipe(t)
			io, got := reader(t, l, r)
			before, next := leak.Descriptors(), nextFD(t)
			s.refuse(t, next)
			err := io.Start()
			assert.ErrorIs(t, err, s.is)
			assert.ErrorContains(t, err, "ev: IO.Start: "+s.says)
			assert.False(t, io.Active())
			assert.Equal(t, before, leak.Descriptors())
			lives(t, l)
			if !s.number {
				return
			}
			keep, err := unix.Dup(r) // takes the number that is refused
			require.NoError(t, err)
			defer unix.Close(keep)
			require.NoError(t, io.Start(), "it tries again")
			write(t, w, "x")
			until(t, l, func() bool { return *got == "x" })
			lives(t, l)
		})
	}
}

func TestTimersAreExactToAMillisecondWhereATimerfdIsRefused(t *testing.T) {
	steps := map[string]func(t *testing.T, next uint32){
		"timerfd_create":  func(t *testing.T, _ uint32) { refuse(t, unix.ENOMEM, unix.SYS_TIMERFD_CREATE) },
		"timerfd_settime": func(t *testing.T, _ uint32) { refuse(t, unix.EINVAL, unix.SYS_TIMERFD_SETTIME) },
		"the timerfd into the set": func(t *testing.T, next uint32) {
			refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CTL, argument{2, next})
		},
	}
	for step, s := range setSteps { // the set is opened after the timerfd
		steps[step] = func(t *testing.T, next uint32) { s.refuse(t, next+1) }
	}
	for step, refuse := range steps {
		t.Run(step, func(t *testing.T) {
			if !alone(t) {
				return
			}
			l := newLoop(t)
			before := leak.Descriptors()
			refuse(t, nextFD(t))
			for range 3 {
				lives(t, l)
			}
			if step == "timerfd_settime" {
				assert.Positive(t, l.Stats().TimerfdSets, "each park tries again")
			} else {
				assert.Equal(t, before, leak.Descriptors())
			}
		})
	}
}

func TestAPeriodicFiresWhereTheClockCannotBeWatched(t *testing.T) {
	const onSet = unix.TFD_TIMER_ABSTIME | unix.TFD_TIMER_CANCEL_ON_SET
	for step, refuse := range map[string]func(t *testing.T){
		"timerfd_create":  func(t *testing.T) { refuse(t, unix.EMFILE, unix.SYS_TIMERFD_CREATE) },
		"timerfd_settime": func(t *testing.T) { refuse(t, unix.ENOMEM, unix.SYS_TIMERFD_SETTIME, argument{1, onSet}) },
		"epoll_create1":   func(t *testing.T) { refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CREATE1) },
	} {
		t.Run(step, func(t *testing.T) {
			if !alone(t) {
				return
			}
			l := newLoop(t)
			refuse(t)
			before, fired := leak.Descriptors(), 0
			p := ev.NewPeriodic(l, 0, 5*time.Millisecond, func(p *ev.Periodic) {
				if fired++; fired == 5 {
					p.Stop()
				}
			})
			p.Start()
			assert.Equal(t, before, leak.Descriptors(), "what was made for it is freed")
			run(t, l)
			assert.Equal(t, 5, fired)
			lives(t, l)
		})
	}
}

func TestAStatPollsWhereInotifyIsRefused(t *testing.T) {
	for step, call := range map[string]struct {
		number uintptr
		errno  unix.Errno
	}{
		"inotify_init1":     {unix.SYS_INOTIFY_INIT1, unix.EMFILE}, // of fs.inotify.max_user_instances
		"inotify_add_watch": {unix.SYS_INOTIFY_ADD_WATCH, unix.ENOSPC},
		"epoll_create1":     {unix.SYS_EPOLL_CREATE1, unix.ENOMEM},
	} {
		t.Run(step, func(t *testing.T) {
			if !alone(t) {
				return
			}
			l := newLoop(t)
			refuse(t, call.errno, call.number)
			path := filepath.Join(t.TempDir(), "file")
			changes := 0
			s := ev.NewStat(l, path, 1, func(*ev.Stat) { changes++ })
			require.NoError(t, s.Start())
			for want := range 3 {
				require.NoError(t, os.WriteFile(path, make([]byte, want+1), 0o600))
				until(t, l, func() bool { return changes > want && s.Current().Size() == int64(want+1) })
			}
			s.Stop()
			lives(t, l)
		})
	}
}

// stopped starts a process that waits, and a goroutine that reaps it.
func stopped(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func TestAChildIsRefusedIfItsDescriptorCannotBeOpened(t *testing.T) {
	if !alone(t) {
		return
	}
	l, cmd := newLoop(t), stopped(t)
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		refuse(t, errno, unix.SYS_PIDFD_OPEN)
		c := ev.NewChild(l, cmd.Process.Pid, func(*ev.Child) {})
		err := c.Start()
		assert.ErrorIs(t, err, errno)
		assert.ErrorContains(t, err, "pidfd_open: ")
		assert.False(t, c.Active())
	}
	lives(t, l)
}

// Filters of containers may not know newer system calls.
func TestAChildsExitIsReportedWhereAFilterForbidsPidfds(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(errno.Error(), func(t *testing.T) {
			if !alone(t) {
				return
			}
			l, cmd := newLoop(t), stopped(t)
			refuse(t, errno, unix.SYS_PIDFD_OPEN)
			var got []syscall.WaitStatus
			c := ev.NewChild(l, cmd.Process.Pid, func(c *ev.Child) {
				got = append(got, c.Status())
				c.Stop()
			})
			require.NoError(t, c.Start())
			require.NoError(t, syscall.Kill(cmd.Process.Pid, syscall.SIGTERM))
			run(t, l)
			require.Len(t, got, 1)
			assert.Equal(t, syscall.SIGTERM, got[0].Signal())
			lives(t, l)
		})
	}
}

func TestANotifierIsRefusedWithTheSystemsError(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLoop(t)
	a := ev.NewAsync(l, func(*ev.Async) {})
	before := leak.Descriptors()
	refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CREATE1)
	_, err := a.Notifier()
	assert.ErrorIs(t, err, unix.ENOMEM)
	assert.EqualError(t, err, "ev: Async.Notifier: epoll_create1: "+unix.ENOMEM.Error())
	assert.Equal(t, before, leak.Descriptors())
	lives(t, l)
}
