package ev_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// These tests compare Stats, and the documentation's promises about system calls, with
// the output of strace.

func init() {
	helpers["idle"] = idleHelper
	helpers["busy"] = busyHelper
	helpers["bursts"] = burstsHelper
	helpers["system calls"] = systemCallsHelper
}

// idleHelper has a loop with nothing to do.
func idleHelper() {
	l, _ := ev.New()
	ev.NewAsync(l, func(*ev.Async) {}).Start()
	_ = l.Run(context.Background())
}

// busyHelper has a loop that never parks, and senders.
func busyHelper() {
	l, report := observedLoop()
	var senders sync.WaitGroup
	var over atomic.Bool
	other := ev.NewAsync(l, func(*ev.Async) {})
	busy := ev.NewAsync(l, func(a *ev.Async) {
		if a.Send(); over.Load() {
			l.Stop()
		}
	})
	other.Start()
	busy.Start()
	busy.Send()
	for range 8 {
		senders.Go(func() {
			for range 100_000 {
				other.Send()
			}
		})
	}
	go func() { senders.Wait(); over.Store(true) }()
	_ = l.Run(context.Background())
	report()
}

// burstsHelper sends bursts to a parked loop.
func burstsHelper() {
	l, report := observedLoop()
	answered := make(chan struct{}, 1)
	a := ev.NewAsync(l, func(*ev.Async) {
		select {
		case answered <- struct{}{}:
		default:
		}
	})
	a.Start()
	go func() {
		for range 20 {
			time.Sleep(5 * time.Millisecond)
			for range 1000 {
				a.Send()
			}
			<-answered
		}
		l.Stop()
	}()
	_ = l.Run(context.Background())
	report()
}

// observedLoop makes a loop that is woken by writes. report prints the number of its
// eventfd and the number of writes that it counted. The runtime opened its own eventfd
// before: New adds the loop's.
func observedLoop() (l *ev.Loop, report func()) {
	r, w, _ := os.Pipe()
	r.Close()
	w.Close()
	before := eventfds()
	l, _ = ev.New(ev.WithWakeup(ev.WakeWrite))
	for fd := range eventfds() {
		if !before[fd] {
			return l, func() { fmt.Printf("fd=%s writes=%d\n", fd, l.Stats().FDWrites) }
		}
	}
	panic("no eventfd")
}

func eventfds() map[string]bool {
	fds := map[string]bool{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "eventfd") {
			fds[e.Name()] = true
		}
	}
	return fds
}

// systemCallsHelper runs timers and toggles an IO.
func systemCallsHelper() {
	l, _ := ev.New()
	r, w, _ := os.Pipe()
	var buf [1]byte
	io := ev.NewConnIO(l, r, ev.Read, func(*ev.IO, ev.Events) { _, _ = r.Read(buf[:]) })
	_ = io.Start()
	rounds := 0
	var tick *ev.Timer
	tick = ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) {
		switch rounds++; {
		case rounds == 60:
			l.Stop()
		case rounds%2 == 0:
			io.Stop()
		default:
			_ = io.Start()
			_, _ = w.Write([]byte{1})
		}
		_ = tick.SetRepeat(time.Duration(rounds) * time.Millisecond)
	})
	tick.Start()
	_ = l.Run(context.Background())
	s := l.Stats()
	fmt.Printf("sets=%d ctls=%d\n", s.TimerfdSets, s.InterestChanges)
}

func straced(t *testing.T, helper, trace string) *exec.Cmd {
	strace, err := exec.LookPath("strace")
	if err != nil || testing.Short() || raceEnabled {
		t.Skip("needs strace, time, and no race detector")
	}
	cmd := exec.Command(strace, "-f", "-y", "-o", trace, os.Args[0])
	cmd.Env = append(os.Environ(), "EV_TEST_HELPER="+helper)
	return cmd
}

// traced runs a helper to its end. It returns the helper's output and the calls that
// strace saw.
func traced(t *testing.T, helper string) (said string, calls []byte) {
	trace := t.TempDir() + "/trace"
	cmd := straced(t, helper, trace)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, stderr.String())
	}
	calls, err := os.ReadFile(trace)
	require.NoError(t, err)
	return stdout.String(), calls
}

// writesOf returns the numbers of writes to the loop's eventfd that a helper counted
// and that strace saw.
func writesOf(t *testing.T, helper string) (counted, seen int) {
	said, calls := traced(t, helper)
	var fd int
	_, err := fmt.Sscanf(said, "fd=%d writes=%d", &fd, &counted)
	require.NoError(t, err, said)
	write := regexp.MustCompile(fmt.Sprintf(`write\(%d<anon_inode:\[eventfd\]>`, fd))
	return counted, len(write.FindAll(calls, -1))
}

func TestSeenFromOutsideABusyLoopIsNeverWrittenTo(t *testing.T) {
	counted, seen := writesOf(t, "busy")
	assert.Zero(t, counted)
	assert.Zero(t, seen)
}

func TestSeenFromOutsideThereAreAsManyWritesAsStatsCounts(t *testing.T) {
	counted, seen := writesOf(t, "bursts")
	assert.Equal(t, counted, seen)
	assert.Positive(t, seen)
	assert.Less(t, seen, 2000, "20 bursts of a thousand sends")
}

func TestSeenFromOutsideStatsCountsTheSystemCallsOfTimersAndIO(t *testing.T) {
	said, calls := traced(t, "system calls")
	var sets, ctls int
	_, err := fmt.Sscanf(said, "sets=%d ctls=%d", &sets, &ctls)
	require.NoError(t, err, said)
	assert.Len(t, regexp.MustCompile(`timerfd_settime\(`).FindAll(calls, -1), sets)
	assert.Positive(t, sets)
	assert.LessOrEqual(t, sets, 70, "one for each of the 60 ticks, and none for one that is late")
	// os.Pipe adds the pipe to the runtime's own set too.
	assert.Len(t, regexp.MustCompile(`epoll_ctl\(\d+<[^>]*>, EPOLL_CTL_\w+, \d+<pipe:`).FindAll(calls, -1), ctls+2)
	assert.GreaterOrEqual(t, ctls, 50)
}

func TestSeenFromOutsideAnIdleLoopMakesNoSystemCall(t *testing.T) {
	trace := t.TempDir() + "/trace"
	cmd := straced(t, "idle", trace)
	// strace itself ignores signals: the signal goes to the process group, and strace
	// ends with the helper.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	time.Sleep(3 * time.Second) // the runtime settles
	before, err := os.ReadFile(trace)
	if len(before) == 0 {
		t.Skipf("strace cannot trace here: %v", err)
	}
	time.Sleep(10 * time.Second)
	after, err := os.ReadFile(trace)
	require.NoError(t, err)
	assert.Empty(t, string(after[len(before):]))
}
