package faults

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// aloneName names, in the environment, the one test that a process is for.
const aloneName = "EV_FAULT_TEST"

// alone reports whether the test has its process for itself, and may break it.
// If not, it runs the test, with more in the environment, in a new process, and
// the caller returns. What is open at the end that was not at the beginning fails
// the test.
func alone(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(aloneName) == t.Name() {
		settle(t)
		return true
	}
	judge(t, inProcess(t, nil, env...))
	return false
}

// inProcess is the command that runs this test alone, by way of another program
// if via names one.
func inProcess(t *testing.T, via []string, env ...string) *exec.Cmd {
	t.Helper()
	levels := strings.Split(t.Name(), "/")
	for i, name := range levels {
		levels[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	args := append(via, os.Args[0], "-test.v", "-test.run="+strings.Join(levels, "/"), "-test.timeout=2m")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // above the tests' own, which say more
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// The race detector sleeps for a second before a process ends.
	cmd.Env = append(append(os.Environ(), aloneName+"="+t.Name(), "GORACE=atexit_sleep_ms=0"), env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// judge runs the command. The test did in there what it does here.
func judge(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "in a process of its own:\n%s", out)
	if why, skipped := strings.CutPrefix(verdict(string(out), t.Name(), "SKIP"), ":"); skipped {
		t.Skip(why)
	}
	require.NotEmpty(t, verdict(string(out), t.Name(), "PASS"), "it did not run:\n%s", out)
}

// verdict is empty if the test has another one; else it has, after a colon, the
// line that came before.
func verdict(out, name, word string) string {
	before := ""
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "--- "+word+": "+name+" (") {
			return ":" + before
		}
		before = strings.TrimSpace(line)
	}
	return ""
}

// settle has the runtime open what it keeps for ever, and checks in the end that
// nothing else is left.
func settle(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	s := ev.NewSignal(l, os.Interrupt, func(*ev.Signal) {})
	require.NoError(t, s.Start())
	require.NoError(t, l.Close())
	fds, goroutines := open(t), 0
	require.Eventually(t, func() bool { // until the Signal's goroutine is gone
		goroutines = runtime.NumGoroutine()
		time.Sleep(10 * time.Millisecond)
		return goroutines == runtime.NumGoroutine()
	}, patience, time.Millisecond)
	t.Cleanup(func() {
		leaks := func() bool { return len(open(t)) > len(fds) || runtime.NumGoroutine() > goroutines }
		for end := time.Now().Add(patience); leaks() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if !leaks() {
			return
		}
		stacks := make([]byte, 1<<20)
		assert.Fail(t, "descriptors or goroutines are left", "%v, of %v before\n%s",
			open(t), fds, stacks[:runtime.Stack(stacks, true)])
	})
}

// open returns the process's descriptors, and what each is.
func open(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	found := map[string]string{}
	for _, e := range entries {
		// The one by which the directory was read is gone.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			found[e.Name()] = to
		}
	}
	return found
}
