package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// These tests stop a process (as SIGSTOP, a debugger or a frozen container does) and
// let it go on.

const (
	stop    = 1500 * time.Millisecond
	tick    = 20 * time.Millisecond
	letters = 1000 // written to it meanwhile
	signals = 50   // sent to it meanwhile
)

func TestAProcessThatWasStoppedGoesOnWithoutReplaysOrLosses(t *testing.T) {
	for _, mode := range []ev.Wakeup{ev.WakeWrite, ev.WakeDirect} {
		t.Run(mode.String(), func(t *testing.T) {
			if os.Getenv(aloneName) == t.Name() {
				settle(t)
				beStopped(t, mode)
				return
			}
			stopAndContinue(t)
		})
	}
}

// stopAndContinue stops and continues the test's process after it has printed ready.
func stopAndContinue(t *testing.T) {
	cmd := inProcess(t, nil)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	require.NoError(t, cmd.Start())
	said := bufio.NewReader(out)
	begin := ""
	for !strings.HasSuffix(begin, "ready\n") {
		line, err := said.ReadString('\n')
		begin += line
		require.NoError(t, err, begin)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	require.Eventually(t, func() bool { return stateOf(t, cmd.Process.Pid) == 'T' }, patience, time.Millisecond)
	_, err = io.WriteString(in, strings.Repeat("x", letters)) // a pipe has room for them
	require.NoError(t, err)
	for range signals {
		require.NoError(t, cmd.Process.Signal(syscall.SIGUSR1))
	}
	time.Sleep(stop)
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	end, err := io.ReadAll(said)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), "%s%s%s", begin, end, errs.String())
	assert.Contains(t, string(end), "--- PASS: "+t.Name()+" (")
}

// stateOf returns the state of a process, a letter: T is stopped.
func stateOf(t *testing.T, pid int) byte {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	return stat[bytes.LastIndexByte(stat, ')')+2]
}

// beStopped runs a loop until the process was stopped and continued, and all events
// have arrived.
func beStopped(t *testing.T, mode ev.Wakeup) {
	signal.Ignore(syscall.SIGUSR1) // until the watcher is there, and after
	l := newLoop(t, ev.WithWakeup(mode))
	began := time.Now()
	l.Update()

	var pause time.Duration // the longest between two ticks; late: how many were too long
	ticks, late, last := 0, 0, began
	ticker := ev.NewTimer(l, tick, tick, func(*ev.Timer) {
		ticks++
		gap := time.Since(last)
		if gap > tick {
			late++
		}
		pause = max(pause, gap)
		last = time.Now()
	})
	ticker.Start()

	slots := [2]int{} // called back, without and with CatchUp
	var periodics []ev.Watcher
	for i := range slots {
		p := ev.NewPeriodic(l, 0, tick, func(*ev.Periodic) { slots[i]++ }, ev.CatchUp(i == 1))
		p.Start()
		periodics = append(periodics, p)
	}

	var order []int
	shots := []int{400, 100, 300, 200} // milliseconds; most are due while it is stopped
	for _, ms := range shots {
		ev.NewTimer(l, time.Duration(ms)*time.Millisecond, 0, func(*ev.Timer) {
			assert.GreaterOrEqual(t, time.Since(began), time.Duration(ms)*time.Millisecond)
			order = append(order, ms)
		}).Start()
	}

	got := 0
	stdin := ev.NewIO(l, 0, ev.Read, func(*ev.IO, ev.Events) {
		n, err := syscall.Read(0, make([]byte, 100))
		assert.NoError(t, err)
		got += n
	})
	require.NoError(t, stdin.Start())

	caught := 0
	usr1 := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) { caught++ })
	require.NoError(t, usr1.Start())

	var wrote atomic.Int64
	seen, ends := int64(0), make(chan struct{})
	sent := ev.NewAsync(l, func(*ev.Async) { seen = wrote.Load() })
	sent.Start()
	enough := make(chan struct{})
	go func() { // sends before, after, and in the middle of one
		defer close(ends)
		for {
			select {
			case <-enough:
				return
			default:
				wrote.Add(1)
				sent.Send()
			}
		}
	}()

	require.NoError(t, l.Post(func() { fmt.Println("ready") }))
	after := 0
	until(t, l, func() bool {
		if pause >= stop/2 && after == 0 {
			after = ticks
		}
		return after > 0 && ticks >= after+5 && len(order) == len(shots) && got >= letters && caught > 0
	})
	close(enough)
	<-ends
	until(t, l, func() bool { return seen == wrote.Load() })

	assert.GreaterOrEqual(t, pause, stop/2, "it was not stopped")
	awake := time.Since(began) - pause
	assert.LessOrEqual(t, ticks, int(awake/tick)+late+1, "however many ticks are missed, the next one comes at once")
	for _, n := range slots {
		assert.LessOrEqual(t, n, int(awake/tick)+3, "slots that were missed are one callback")
		assert.GreaterOrEqual(t, n, 5)
	}
	assert.Equal(t, []int{100, 200, 300, 400}, order, "each once, however late, in order")
	assert.Equal(t, letters, got)
	assert.LessOrEqual(t, caught, signals)
	for _, w := range append(periodics, ticker, stdin, usr1, sent) {
		w.Stop()
	}
	lives(t, l)
}
