//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

// TestMain makes the test binary the program if its environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("EV_EXAMPLE_PTY") == "1" {
		os.Unsetenv("EV_EXAMPLE_PTY")
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	master, slave, err := openPTY()
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	slave.Close()
	unix.Close(master)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "EV_EXAMPLE_PTY=1")
	return cmd
}

// output runs the program to its end.
func output(t *testing.T, stdin io.Reader, args ...string) (out string, code int) {
	t.Helper()
	cmd := program(t, args...)
	cmd.Stdin = stdin
	b, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func sh(t *testing.T, stdin io.Reader, script string) (out string, code int) {
	t.Helper()
	return output(t, stdin, "sh", "-c", script)
}

func TestTheCommandHasATerminal(t *testing.T) {
	out, code := sh(t, nil, "test -t 1 && echo tty; exit 3")
	assert.Equal(t, "tty\r\n", out)
	assert.Equal(t, 3, code)
}

func TestExitCodes(t *testing.T) {
	_, code := sh(t, nil, ":")
	assert.Zero(t, code)
	_, code = sh(t, nil, "kill -TERM $$")
	assert.Equal(t, 128+15, code)
	out, code := output(t, nil, "no-such-command")
	assert.Equal(t, 127, code)
	assert.True(t, strings.HasPrefix(out, "pty: "), out)
	_, code = output(t, nil)
	assert.Equal(t, 2, code)
}

func TestInputOfEveryKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "input")
	require.NoError(t, os.WriteFile(path, []byte("a line\nno line"), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	for name, stdin := range map[string]io.Reader{
		"file": file, "pipe": strings.NewReader("a line\nno line"),
	} {
		t.Run(name, func(t *testing.T) {
			out, code := sh(t, stdin, `stty -echo; cat | tr a-z A-Z`)
			assert.Zero(t, code)
			assert.Contains(t, out, "A LINE\r\nNO LINE")
		})
	}
	t.Run("none", func(t *testing.T) {
		cmd := program(t)
		closed := exec.Command("sh", "-c", `exec "$0" wc -c <&-`, os.Args[0])
		closed.Env = cmd.Env
		out, err := closed.CombinedOutput()
		require.NoError(t, err)
		assert.Equal(t, "0", strings.TrimSpace(string(out)))
	})
}

func TestInputThatTheTerminalDoesNotTakeAtOnce(t *testing.T) {
	const size = 1 << 20
	input := strings.Repeat(strings.Repeat("x", 63)+"\n", size/64)
	out, code := sh(t, strings.NewReader(input), "stty -echo; sleep 0.2; wc -c")
	assert.Zero(t, code)
	assert.Contains(t, out, "1048576")
}

func TestNoOutputIsLost(t *testing.T) {
	for range 3 {
		out, code := sh(t, nil, `i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done`)
		assert.Zero(t, code)
		assert.Equal(t, 2000, strings.Count(out, "\r\n"))
		assert.True(t, strings.HasSuffix(out, "line 1999\r\n"))
	}
}

func TestACommandMayCloseTheTerminalAndGoOn(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		for {
			if _, err := w.Write([]byte("input\x00")); err != nil {
				return
			}
		}
	}()
	defer r.Close()
	out, code := sh(t, io.LimitReader(r, 1<<20), "exec <&- >&- 2>&-; sleep 0.1; exit 4")
	assert.Equal(t, 4, code, out)
}

func TestAProcessLeftBehindIsNotWaitedFor(t *testing.T) {
	began := time.Now()
	out, code := sh(t, nil, "trap '' HUP; sleep 30 & echo done")
	assert.Zero(t, code)
	assert.Equal(t, "done\r\n", out)
	assert.Less(t, time.Since(began), 25*time.Second)
}

func TestWindowSize(t *testing.T) {
	cmd := program(t, "sh", "-c", `trap 'stty size; exit 5' WINCH; stty size; while :; do sleep 0.01; done`)
	master, slave, err := openPTY()
	require.NoError(t, err)
	defer unix.Close(master)
	defer slave.Close()
	require.NoError(t, unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}))
	before, err := unix.IoctlGetTermios(master, unix.TCGETS)
	require.NoError(t, err)

	cmd.Stdin = slave
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	buf := make([]byte, 64)
	n, err := io.ReadAtLeast(stdout, buf, len("40 100\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "40 100\r\n", string(buf[:n]))

	require.NoError(t, unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 120}))
	require.NoError(t, cmd.Process.Signal(unix.SIGWINCH)) // as the system does for the processes of a terminal
	rest, err := io.ReadAll(stdout)
	require.NoError(t, err)
	assert.Equal(t, "50 120\r\n", string(rest))
	assert.Error(t, cmd.Wait())
	assert.Equal(t, 5, cmd.ProcessState.ExitCode())

	after, err := unix.IoctlGetTermios(master, unix.TCGETS)
	require.NoError(t, err)
	assert.Equal(t, before, after, "restored")
}
