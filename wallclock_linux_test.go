package ev

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/wallclock"
)

// clockWatchOf returns the timerfd of the only loop that has a Periodic.
func clockWatchOf(t *testing.T) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if to, _ := os.Readlink(link); to == "anon_inode:[timerfd]" {
			fd, err := strconv.Atoi(filepath.Base(link))
			require.NoError(t, err)
			return fd
		}
	}
	require.FailNow(t, "no timer")
	return -1
}

// parkedBeforeTheClock runs a loop with a Periodic that is far away, and returns when the
// loop is parked. A test cannot set the system's clock: clockSet makes the timerfd due at
// once instead, when the loop has parked again, and waits for the end of Run.
func parkedBeforeTheClock(t *testing.T) (l *Loop, far *Periodic, clockSet func()) {
	l, err := New(WithBackend(BackendEpoll))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	far = NewPeriodic(l, 0, 1000*time.Hour, func(*Periodic) {})
	far.Start()
	fd := clockWatchOf(t)
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	parked := func(times uint64) {
		require.Eventually(t, func() bool { return l.Stats().Parks >= times && l.Parked() }, 10*time.Second, time.Millisecond)
	}
	parked(1)
	return l, far, func() {
		parked(2)
		require.NoError(t, unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(1)}, nil))
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			require.FailNow(t, "the loop did not look")
		}
	}
}

func TestTheTimerOfTheKernelWakesAParkedLoopToLookAtTheClock(t *testing.T) {
	l, far, clockSet := parkedBeforeTheClock(t)
	began := time.Now()
	require.NoError(t, l.Post(func() {
		l.wall = l.wall.Add(-time.Hour)
		NewPeriodic(l, time.Duration(began.UnixNano()), 0, func(*Periodic) { far.Stop() }).Start()
		assert.Greater(t, l.nextPeriodic(), 59*time.Minute, "no need to wake in between")
	}))
	clockSet()
}

func TestAParkedLoopCatchesUpWhenTheKernelTells(t *testing.T) {
	l, _, clockSet := parkedBeforeTheClock(t)
	skipped, calls := 0, 0
	slot := time.Duration(time.Now().UnixNano()) - 5*time.Hour
	require.NoError(t, l.Post(func() {
		l.wall = l.wall.Add(-10 * time.Hour)
		for _, on := range []bool{false, true} {
			NewPeriodic(l, slot%(1000*time.Hour), 1000*time.Hour, func(*Periodic) {
				if on {
					calls++
				} else {
					skipped++
				}
				l.Stop()
			}, CatchUp(on)).Start()
		}
		assert.Greater(t, l.nextPeriodic(), 4*time.Hour, "no need to wake in between")
	}))
	clockSet()
	assert.Equal(t, 1, calls)
	assert.Zero(t, skipped)
}

func TestAClockSetJustBeforeItWasWatchedIsNoticed(t *testing.T) {
	l, err := New(WithBackend(BackendEpoll))
	require.NoError(t, err)
	defer l.Close()
	l.wall = l.wall.Add(-time.Hour)
	fired := false
	NewPeriodic(l, time.Duration(time.Now().UnixNano()), 0, func(*Periodic) { fired = true }).Start()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, l.Run(ctx))
	assert.True(t, fired, "not in an hour")
}

func TestTheTimerOfTheKernelIsArmedAgain(t *testing.T) {
	l, err := New(WithBackend(BackendEpoll))
	require.NoError(t, err)
	defer l.Close()
	p := NewPeriodic(l, 0, time.Hour, func(*Periodic) {})
	p.Start()
	fd := clockWatchOf(t)
	require.NoError(t, unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(1)}, nil))
	time.Sleep(time.Millisecond)
	require.NoError(t, l.RunNoWait())
	var left unix.ItimerSpec
	require.NoError(t, unix.TimerfdGettime(fd, &left))
	assert.Greater(t, time.Duration(left.Value.Nano()), wallclock.Ahead-time.Minute)
	_, err = unix.Read(fd, make([]byte, 8))
	assert.Equal(t, unix.EAGAIN, err, "read, so that the loop can park")
}

func TestWithoutADescriptorForTheTimerParksAreCapped(t *testing.T) {
	l, err := New(WithBackend(BackendEpoll))
	require.NoError(t, err)
	defer l.Close()
	p := NewPeriodic(l, 0, 1000*time.Hour, func(*Periodic) {})
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}))
	p.Start()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	assert.True(t, p.Active())
	assert.LessOrEqual(t, l.nextPeriodic()-l.mono, maxPark)
	require.NoError(t, l.RunNoWait())
	p.Stop()
	p.Start()
	assert.Greater(t, l.nextPeriodic()-l.mono, maxPark, "with the next one it is tried again")
}
