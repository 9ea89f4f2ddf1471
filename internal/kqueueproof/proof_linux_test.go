package kqueueproof

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// away are the files of Linux's backend, and its tests.
var away = []string{
	"netpoll_linux.go", "timerfd_linux.go", "relay_linux_test.go", "netpoll_linux_test.go",
	"timerfd_linux_test.go", "embed_linux_test.go", "stat_linux_test.go", "stat_mounts_linux_test.go",
	"strace_linux_test.go", "wallclock_linux_test.go",
}

// skip are tests that prove nothing here, or expect an eventfd.
var skip = []string{
	// The number and kind of descriptors, or the call that finds no more.
	"TestALoopWithoutIONeverMakesASet",
	"TestAWriterOfAFullEventfdWaitsForTheLoopOnly",
	"TestNewFailsWithEMFILEWhenDescriptorsAreExhausted",
	"TestNotifierReportsThatThereAreNoMoreDescriptors",
	"TestOneDescriptorPerLoopHoweverManyWatchers",
	"TestTheClockIsWatchedFromTheFirstPeriodicToTheLast",
	"TestANotifierOutlivesItsLoop", // a pipe breaks when its loop is gone, an eventfd does not
}

func TestTheCoreWorksOnAKqueue(t *testing.T) {
	overlay := overlayOf(t)
	cmd := exec.CommandContext(t.Context(), "go", "test", "-race", "-count=1", "-timeout=20m",
		"-overlay="+overlay, "-skip=^("+strings.Join(skip, "|")+")$", ".")
	cmd.Dir = core(t)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func core(t *testing.T) string {
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// overlayOf writes an overlay for the go command: which file replaces which, and which
// are left out.
func overlayOf(t *testing.T) string {
	root, tmp := core(t), t.TempDir()
	here, err := filepath.Abs("testdata")
	require.NoError(t, err)
	replace := map[string]string{
		filepath.Join(root, "netpoll_bsd.go"):                  withoutConstraint(t, root, tmp),
		filepath.Join(root, "internal", "kqueue", "kqueue.go"): filepath.Join(here, "calls.go"),
		filepath.Join(root, "kqueue_proof_test.go"):            filepath.Join(here, "proof_test.go"),
	}
	for _, name := range away {
		path := filepath.Join(root, name)
		require.FileExists(t, path)
		replace[path] = ""
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlay := filepath.Join(tmp, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, text, 0o600))
	return overlay
}

// withoutConstraint makes a netpoll_bsd.go that Linux builds.
func withoutConstraint(t *testing.T, root, tmp string) string {
	text, err := os.ReadFile(filepath.Join(root, "netpoll_bsd.go"))
	require.NoError(t, err)
	constraint, rest, ok := bytes.Cut(text, []byte("\n"))
	require.True(t, ok && bytes.HasPrefix(constraint, []byte("//go:build darwin")))
	path := filepath.Join(tmp, "netpoll_bsd.go")
	require.NoError(t, os.WriteFile(path, rest, 0o600))
	return path
}
