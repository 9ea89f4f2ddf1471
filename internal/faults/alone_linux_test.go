package faults

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// aloneName is the environment variable with the name of the only test that a process
// runs.
const aloneName = "EV_FAULT_TEST"

// alone reports whether the test runs alone in its process, and may break it. If not,
// alone runs the test in a new process, with env added to the environment, and the
// caller must return. Descriptors that are left open at the end fail the test.
func alone(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(aloneName) == t.Name() {
		settle(t)
		return true
	}
	judge(t, inProcess(t, nil, env...))
	return false
}

// inProcess returns the command that runs this test alone. If via names another
// program, that program runs it.
func inProcess(t *testing.T, via []string, env ...string) *exec.Cmd {
	t.Helper()
	levels := strings.Split(t.Name(), "/")
	for i, name := range levels {
		levels[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	args := append(via, os.Args[0], "-test.v", "-test.run="+strings.Join(levels, "/"), "-test.timeout=2m")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // longer than the tests' own limits, which report more
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// The race detector sleeps for a second before a process ends.
	cmd.Env = append(append(os.Environ(), aloneName+"="+t.Name(), "GORACE=atexit_sleep_ms=0"), env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// judge runs the command. The result of the test in that process becomes the result
// here.
func judge(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "in a process of its own:\n%s", out)
	if why, skipped := strings.CutPrefix(verdict(string(out), t.Name(), "SKIP"), ":"); skipped {
		t.Skip(why)
	}
	require.NotEmpty(t, verdict(string(out), t.Name(), "PASS"), "it did not run:\n%s", out)
}

// verdict returns "" if the test has another verdict. Otherwise it returns a colon and
// the line before the verdict.
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

// settle makes the runtime open the descriptors that it never closes. At the end it
// checks that nothing else is left.
func settle(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	s := ev.NewSignal(l, os.Interrupt, func(*ev.Signal) {})
	require.NoError(t, s.Start())
	require.NoError(t, l.Close())
	before := leak.Look()
	for began := time.Now(); time.Since(began) < patience; { // until the Signal's goroutine is gone
		time.Sleep(10 * time.Millisecond)
		earlier := before
		if before = leak.Look(); before == earlier {
			break
		}
	}
	t.Cleanup(func() {
		assert.NotEmpty(t, leak.Descriptors(), "the system lists them")
		assert.NoError(t, leak.Since(before, patience), "descriptors or goroutines are left")
	})
}
