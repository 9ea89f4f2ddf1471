//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the supervisor, or a program for it, if the
// environment says so.
func TestMain(m *testing.M) {
	switch os.Getenv("EV_EXAMPLE_SUPERVISOR") {
	case "1":
		main()
	case "polite":
		polite()
	default:
		os.Exit(m.Run())
	}
}

// polite is a program that prints a last line. It is not a shell script,
// because a shell waits for a child process, and loses a signal that reaches
// the child between fork and exec.
func polite() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	fmt.Println("ready")
	<-asked
	fmt.Println("bye")
}

// patience bounds every wait.
const patience = 20 * time.Second

// supervision is a running supervisor with its output and that of its programs.
type supervision struct {
	t    *testing.T
	cmd  *exec.Cmd
	said chan string
}

func supervise(t *testing.T, args ...string) *supervision {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	s := &supervision{t: t, cmd: exec.Command(exe, args...), said: make(chan string, 10000)}
	s.cmd.Env = append(os.Environ(), "EV_EXAMPLE_SUPERVISOR=1", "EV_DEBUG=1", "GORACE=atexit_sleep_ms=0")
	r, w := io.Pipe()
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.said)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.said <- lines.Text()
		}
	}()
	go func() {
		_ = s.cmd.Wait() // returns after the last program has closed the pipe
		_ = w.Close()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // its programs too
		}
	})
	return s
}

// program writes a shell script and returns an argument for the supervisor.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	return "sh " + path
}

const steady = "echo ready\nexec sleep 1000\n"

// until returns when each text was part of a line, in any order.
func (s *supervision) until(texts ...string) {
	s.t.Helper()
	deadline := time.After(patience)
	for len(texts) > 0 {
		select {
		case line, ok := <-s.said:
			require.True(s.t, ok, "it ended without %q", texts)
			texts = slices.DeleteFunc(texts, func(text string) bool { return strings.Contains(line, text) })
		case <-deadline:
			require.FailNow(s.t, "never said", "%q", texts)
		}
	}
}

func (s *supervision) signal(sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// end waits until the supervisor and all programs have exited, and returns the
// rest of their output.
func (s *supervision) end(code int) string {
	s.t.Helper()
	var rest []string
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-s.said:
			if !ok {
				assert.Equal(s.t, code, s.cmd.ProcessState.ExitCode())
				return strings.Join(rest, "\n")
			}
			rest = append(rest, line)
		case <-deadline:
			require.FailNow(s.t, "it did not end")
		}
	}
}

func TestAProgramThatExitsIsStartedAfterWaitsThatDouble(t *testing.T) {
	s := supervise(t, "-min", "10ms", "-max", "1s", program(t, "exit 3"))
	for _, wait := range []string{"10ms", "20ms", "40ms", "80ms"} {
		s.until("started, pid")
		s.until("exit status 3; starting in " + wait)
	}
	s.signal(syscall.SIGTERM)
	s.end(0)
}

func TestAProgramThatCannotBeStartedIsTriedAgain(t *testing.T) {
	s := supervise(t, "-min", "1ms", "/nonexistent", program(t, steady))
	s.until("no such file or directory; starting in 1ms")
	s.until("no such file or directory; starting in 2ms")
	s.signal(syscall.SIGINT)
	s.end(0)
}

func TestProgramsAreStoppedGracefully(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	s := supervise(t, program(t, steady), "env EV_EXAMPLE_SUPERVISOR=polite "+exe)
	s.until("ready")
	s.until("ready") // both
	s.signal(syscall.SIGTERM)
	rest := s.end(0)
	assert.Contains(t, rest, "bye")
	assert.Contains(t, rest, "exit status 0")
	assert.Contains(t, rest, "signal: terminated")
	assert.NotContains(t, rest, "starting in")
}

func TestAProgramThatDoesNotStopIsKilled(t *testing.T) {
	stubborn := "trap '' TERM\n" + steady
	s := supervise(t, "-grace", "20ms", program(t, stubborn))
	s.until("ready")
	s.signal(syscall.SIGTERM)
	assert.Contains(t, s.end(0), "signal: killed")

	s = supervise(t, "-grace", "1h", program(t, stubborn))
	s.until("ready")
	s.signal(syscall.SIGTERM)
	s.until("stopping all")
	s.signal(syscall.SIGTERM)
	assert.Contains(t, s.end(0), "signal: killed")
}

func TestHangupRestarts(t *testing.T) {
	s := supervise(t, "-min", "1h", "-max", "1h", program(t, steady), program(t, "echo down; exit 1"))
	s.until("ready", "starting in 1h")
	for range 3 {
		s.signal(syscall.SIGHUP)
		s.until("restarting all")
		s.until("ready", "signal: terminated", "exit status 1; starting in 1h")
	}
	s.signal(syscall.SIGTERM)
	s.end(0)
}

func TestErrorsAreClear(t *testing.T) {
	for want, args := range map[string][]string{
		"supervisor: no programs to start; see -help":                  nil,
		"supervisor: an empty argument is no program":                  {"sleep 1", " "},
		"supervisor: -min must be positive and not above -max: 2s, 1s": {"-min", "2s", "-max", "1s", "true"},
		"supervisor: -grace must not be negative: -1s":                 {"-grace", "-1s", "true"},
	} {
		assert.Equal(t, want, supervise(t, args...).end(1))
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{min: 3, max: 10}
	for range 2 {
		for _, want := range []time.Duration{3, 6, 10, 10} {
			assert.Equal(t, want, b.next())
		}
		b.reset()
	}
}
