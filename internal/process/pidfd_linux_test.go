package process

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// withoutPidfd returns the Process that Open makes if the system refuses pidfds.
func withoutPidfd(t *testing.T, pid int, trace bool) *Process {
	p := &Process{pid: pid, trace: trace, quit: make(chan struct{})}
	t.Cleanup(p.Close)
	return p
}

func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// recorded returns a Report and the statuses that it has received.
func recorded() (report func(syscall.WaitStatus, bool), told chan syscall.WaitStatus, exits chan syscall.WaitStatus) {
	told, exits = make(chan syscall.WaitStatus, 9), make(chan syscall.WaitStatus, 9)
	return func(status syscall.WaitStatus, exit bool) {
		if exit {
			exits <- status
		} else {
			told <- status
		}
	}, told, exits
}

func TestWithoutAPidfdSIGCHLDTellsOfAll(t *testing.T) {
	cmd := sleeper(t)
	p := withoutPidfd(t, cmd.Process.Pid, true)
	require.NoError(t, p.isChild())
	report, told, exits := recorded()
	p.Watch(report)
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	assert.Equal(t, syscall.SIGSTOP, (<-told).StopSignal())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	assert.True(t, (<-told).Continued())
	require.NoError(t, cmd.Process.Kill())
	assert.Equal(t, syscall.SIGKILL, (<-exits).Signal())
	<-p.quit // closed by its own goroutine

	again := withoutPidfd(t, cmd.Process.Pid, false)
	again.Watch(report)
	assert.Equal(t, syscall.SIGKILL, (<-exits).Signal(), "it is there until somebody waits for it")
	<-again.quit
	_ = cmd.Wait()
	gone := withoutPidfd(t, cmd.Process.Pid, false)
	assert.ErrorIs(t, gone.isChild(), unix.ESRCH)
	gone.Watch(report)
	assert.Equal(t, UnknownStatus, <-exits)
	assert.ErrorIs(t, withoutPidfd(t, os.Getppid(), false).isChild(), unix.ECHILD)
}

func TestTheWaitStatusIsThatOfWait4(t *testing.T) {
	for _, script := range []string{"exit 0", "exit 255", "kill -TERM $$", "ulimit -c 0; kill -SEGV $$", "kill -ABRT $$"} {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = t.TempDir() // for the core, if there is one
		require.NoError(t, cmd.Start())
		p, err := Open(cmd.Process.Pid, false)
		require.NoError(t, err)
		report, _, exits := recorded()
		p.Watch(report)
		got := <-exits
		_ = cmd.Wait()
		assert.Equal(t, cmd.ProcessState.Sys(), got, script)
		p.Close()
	}
	assert.Equal(t, syscall.SIGTRAP, waitStatus(4, int32(unix.SIGTRAP)).StopSignal())
	assert.True(t, waitStatus(3, int32(unix.SIGSEGV)).CoreDump())
	assert.Equal(t, UnknownStatus, waitStatus(0, 0))
}

func TestTheStatusOfAnUnknownEndIsNeitherExitedNorSignaled(t *testing.T) {
	assert.False(t, UnknownStatus.Exited())
	assert.False(t, UnknownStatus.Signaled())
	assert.False(t, UnknownStatus.Stopped())
	assert.False(t, UnknownStatus.Continued())
}

func TestTheKernelIsAskedForTheStatusOfAReapedProcess(t *testing.T) {
	cmd := sleeper(t)
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	_, ok := exitStatus(unix.P_PIDFD, fd)
	assert.False(t, ok, "it lives")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	status, ok := exitStatus(unix.P_PIDFD, fd)
	assert.True(t, ok)
	if status != UnknownStatus { // before Linux 6.15
		assert.Equal(t, cmd.ProcessState.Sys(), status)
	}
	status, ok = statusOfReaped(-1)
	assert.True(t, ok)
	assert.Equal(t, UnknownStatus, status)
}

func TestWithoutAPidfdAChildWatchedAfterIgnoreOrResetIsReportedAndSoAreTheEarlierOnes(t *testing.T) {
	defer func() { // Reset leaves an ignored signal ignored
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGCHLD)
		signal.Stop(ch)
	}()
	for name, interfere := range map[string]func(...os.Signal){"Ignore": signal.Ignore, "Reset": signal.Reset} {
		early, late := sleeper(t), sleeper(t)
		var watched []*Process
		report, _, exits := recorded()
		watch := func(cmd *exec.Cmd) {
			p := withoutPidfd(t, cmd.Process.Pid, false)
			p.Watch(report)
			watched = append(watched, p)
		}
		watch(early)
		interfere(syscall.SIGCHLD)
		watch(late)
		for _, cmd := range []*exec.Cmd{late, early} {
			require.NoError(t, cmd.Process.Kill())
			select {
			case status := <-exits:
				assert.Equal(t, syscall.SIGKILL, status.Signal(), name)
			case <-time.After(20 * time.Second):
				require.FailNow(t, "an exit was not reported", name)
			}
		}
		for _, p := range watched {
			<-p.quit
		}
	}
}
