package faults

import (
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// unpolled are the ways in which the runtime's poller refuses a pidfd with this number.
var unpolled = map[string]func(t *testing.T, pidfd uint32){
	"no room for a watch":   intoEpoll(unix.ENOSPC), // of fs.epoll.max_user_watches
	"no memory for a watch": intoEpoll(unix.ENOMEM),
	"a watch is forbidden":  intoEpoll(unix.EPERM), // as for a file that cannot be polled
	"O_NONBLOCK is forbidden": func(t *testing.T, pidfd uint32) {
		refuse(t, unix.EPERM, unix.SYS_FCNTL, argument{0, pidfd}, argument{1, unix.F_SETFL})
	},
}

func intoEpoll(errno unix.Errno) func(t *testing.T, pidfd uint32) {
	return func(t *testing.T, pidfd uint32) {
		refuse(t, errno, unix.SYS_EPOLL_CTL, argument{1, unix.EPOLL_CTL_ADD}, argument{2, pidfd})
	}
}

// eachUnpolled runs the test with a process, after the next pidfd was refused.
func eachUnpolled(t *testing.T, test func(t *testing.T, l *ev.Loop, cmd *exec.Cmd)) {
	for why, refusePidfd := range unpolled {
		t.Run(why, func(t *testing.T) {
			if !alone(t) {
				return
			}
			l, cmd := newLoop(t), stopped(t)
			lives(t, l)
			refusePidfd(t, nextFD(t))
			test(t, l, cmd)
			lives(t, l)
		})
	}
}

// statuses makes a Child that stops after the exit, and keeps its statuses.
func statuses(l *ev.Loop, cmd *exec.Cmd, opts ...ev.Option) (c *ev.Child, told *[]syscall.WaitStatus) {
	told = new([]syscall.WaitStatus)
	return ev.NewChild(l, cmd.Process.Pid, func(c *ev.Child) {
		*told = append(*told, c.Status())
		if c.Status().Exited() || c.Status().Signaled() {
			c.Stop()
		}
	}, opts...), told
}

func TestAChildsExitIsReportedWhereThePollerRefusesItsPidfd(t *testing.T) {
	eachUnpolled(t, func(t *testing.T, l *ev.Loop, cmd *exec.Cmd) {
		before := leak.Descriptors()
		c, told := statuses(l, cmd)
		require.NoError(t, c.Start())
		assert.Equal(t, before, leak.Descriptors(), "the pidfd is of no use")
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		run(t, l)
		require.Len(t, *told, 1)
		assert.Equal(t, syscall.SIGTERM, (*told)[0].Signal())
	})
}

func TestAChildIsTracedWhereThePollerRefusesItsPidfd(t *testing.T) {
	eachUnpolled(t, func(t *testing.T, l *ev.Loop, cmd *exec.Cmd) {
		c, told := statuses(l, cmd, ev.Trace(true))
		require.NoError(t, c.Start())
		for i, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGTERM} {
			require.NoError(t, cmd.Process.Signal(sig))
			until(t, l, func() bool { return len(*told) == i+1 })
		}
		assert.Equal(t, syscall.SIGSTOP, (*told)[0].StopSignal())
		assert.True(t, (*told)[1].Continued())
		assert.Equal(t, syscall.SIGTERM, (*told)[2].Signal())
		assert.False(t, c.Active())
	})
}

func TestOnlyTheChildWhosePidfdIsRefusedNeedsSIGCHLD(t *testing.T) {
	eachUnpolled(t, func(t *testing.T, l *ev.Loop, cmd *exec.Cmd) {
		refused, toldRefused := statuses(l, cmd)
		require.NoError(t, refused.Start())
		_, _ = pipe(t) // takes the number that is refused
		other := stopped(t)
		polled, toldPolled := statuses(l, other)
		before := len(leak.Descriptors())
		require.NoError(t, polled.Start())
		assert.Len(t, leak.Descriptors(), before+1)
		require.NoError(t, other.Process.Signal(syscall.SIGINT))
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		run(t, l)
		assert.Equal(t, syscall.SIGINT, (*toldPolled)[0].Signal())
		assert.Equal(t, syscall.SIGTERM, (*toldRefused)[0].Signal())
	})
}

func TestAChildIsRefusedWhereNeitherItsPidfdNorItsNumberServes(t *testing.T) {
	eachUnpolled(t, func(t *testing.T, l *ev.Loop, cmd *exec.Cmd) {
		refuse(t, unix.EPERM, unix.SYS_WAITID, argument{0, unix.P_PID})
		before := leak.Descriptors()
		c, _ := statuses(l, cmd)
		err := c.Start()
		assert.ErrorIs(t, err, unix.EPERM)
		assert.ErrorContains(t, err, "waitid: ")
		assert.False(t, c.Active())
		assert.Equal(t, before, leak.Descriptors())
	})
}

func TestDroppedLoopsWithChildsThatNeedSIGCHLDAreCollected(t *testing.T) {
	if !alone(t) {
		return
	}
	cmd := stopped(t)
	refuse(t, unix.EPERM, unix.SYS_PIDFD_OPEN)
	before := leak.Look()
	for range 100 {
		l, err := ev.New() // never closed
		require.NoError(t, err)
		c, _ := statuses(l, cmd)
		require.NoError(t, c.Start())
	}
	require.NoError(t, leak.Since(before, patience, runtime.GC))
}
