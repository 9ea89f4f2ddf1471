package faults

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// The wall clock belongs to the whole machine, so no test sets it. Tests with a wall
// clock of their own are in periodic_clock_test.go. The monotonic clock may begin
// anywhere: in a time namespace, or on a machine that has been up for years.

func TestTimersWorkOnAMachineThatHasBeenUpForACentury(t *testing.T) {
	const up = "4000000000" // seconds; the kernel accepts half the nanoseconds of an int64
	if os.Getenv(aloneName) != t.Name() {
		unshare, err := exec.LookPath("unshare")
		via := []string{unshare, "--time", "--monotonic", up, "--boottime", up, "--fork", "--"}
		if err == nil {
			err = exec.Command(unshare, append(via[1:], "true")...).Run()
		}
		if err != nil {
			t.Skip("no time namespace can be made here: ", err)
		}
		judge(t, inProcess(t, via))
		return
	}
	settle(t)
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	require.Greater(t, now.Nano(), int64(4e18))
	underLoad(t, 1000)
	l := newLoop(t)
	fired := 0
	p := ev.NewPeriodic(l, 0, 5*time.Millisecond, func(*ev.Periodic) { fired++ })
	p.Start()
	until(t, l, func() bool { return fired == 5 })
	p.Stop()
	for range 3 {
		lives(t, l)
	}
	assert.Positive(t, l.Stats().TimerfdSets)
}
