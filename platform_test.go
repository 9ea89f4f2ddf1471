package ev_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// This file has the reasons for which tests skip on some platforms, and what the platforms
// differ in.

// onWasm is true on js and wasip1: one thread, no signals, no processes.
const onWasm = runtime.GOARCH == "wasm"

func init() {
	if onWasm {
		delete(kinds, "Signal") // Start returns an error
	}
}

// needsThreads skips a test in which goroutines that neither wait nor yield must run beside
// the loop. On WebAssembly nothing preempts them.
func needsThreads(t testing.TB) {
	t.Helper()
	if onWasm {
		t.Skip("WebAssembly has one thread, and nothing preempts a goroutine there")
	}
}

// needsProcesses skips a test that runs programs.
func needsProcesses(t testing.TB) {
	t.Helper()
	if onWasm {
		t.Skip("WebAssembly has no processes")
	}
}

// needsWorkingDirectory skips a test of paths relative to a directory of the system's. WASI
// has none: Go keeps a path, joins relative paths with that, and removes ".." from them.
func needsWorkingDirectory(t testing.TB) {
	t.Helper()
	if runtime.GOOS == "wasip1" {
		t.Skip("WASI has no working directory")
	}
}

// thisProgram returns the command that runs this program with the arguments: under the emulator
// too, for the kernel cannot run the program of another processor.
func thisProgram(ctx context.Context, args ...string) *exec.Cmd {
	if emulator := os.Getenv("EV_TEST_EMULATOR"); emulator != "" {
		return exec.CommandContext(ctx, emulator, append([]string{os.Args[0]}, args...)...)
	}
	return exec.CommandContext(ctx, os.Args[0], args...)
}

// needsFineTimes skips a test that changes a file or a directory twice within a second, in a way
// that only its times show. QEMU's lstat for s390x has whole seconds, as some file systems have.
func needsFineTimes(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	for i := range 10 {
		path := filepath.Join(dir, itoa(uint64(i)))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		info, err := os.Lstat(path)
		require.NoError(t, err)
		if info.ModTime().Nanosecond() != 0 {
			return
		}
		time.Sleep(time.Millisecond) // for a clock of milliseconds
	}
	t.Skip("the times of files have whole seconds")
}

// chmod changes the mode of a file. WASI has none: there it sets the times.
func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if runtime.GOOS == "wasip1" {
		require.NoError(t, os.Chtimes(path, time.Unix(2e9, 0), time.Now()))
		return
	}
	require.NoError(t, os.Chmod(path, mode))
}

// letHost waits, so that JavaScript can run: it does only while all goroutines wait, and
// files are its business.
func letHost() {
	if runtime.GOOS == "js" {
		time.Sleep(time.Microsecond)
	}
}

// wallGranularity is the unit of the wall clock.
func wallGranularity() time.Duration {
	switch runtime.GOOS {
	case "js":
		return time.Millisecond // of JavaScript's Date
	case "windows":
		return time.Microsecond // of Wine's; the monotonic clock is finer
	}
	return 0
}

func TestSignalIsRefusedWithoutSignals(t *testing.T) {
	if !onWasm {
		t.Skip("there are signals")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		s := ev.NewSignal(l, os.Interrupt, func(*ev.Signal) { assert.Fail(t, "a signal") })
		for range 2 {
			assert.ErrorIs(t, s.Start(), errors.ErrUnsupported)
			assert.False(t, s.Active())
			assert.False(t, l.Alive())
			assert.NoError(t, l.Verify())
		}
		ev.FeedSignal(os.Interrupt)
		l.FeedSignal(os.Interrupt)
		run(t, l)
		s.Stop()
	})
}
