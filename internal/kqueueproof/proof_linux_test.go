package kqueueproof

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bsd are the files that run here, made buildable on Linux.
var bsd = []string{"netpoll_bsd.go", "internal/process/kqueue_bsd.go", "internal/pathwatch/kqueue_bsd.go"}

// away are the files of Linux in their place, and the tests of those.
var away = []string{
	"internal/process/pidfd_linux.go", "internal/process/status_linux.go", "internal/process/pidfd_linux_test.go",
	"internal/pathwatch/inotify_linux.go", "internal/pathwatch/mounts_linux.go", "internal/pathwatch/walk_linux.go",
	"internal/pathwatch/inotify_linux_test.go",
	"netpoll_linux.go", "timerfd_linux.go", "relay_linux_test.go", "netpoll_linux_test.go",
	"timerfd_linux_test.go", "embed_linux_test.go", "stat_linux_test.go", "stat_mounts_linux_test.go",
	"strace_linux_test.go", "wallclock_linux_test.go", "pollfd_linux_test.go", "pollfd_internal_linux_test.go",
	"example_pollfd_linux_test.go",
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

	// Trace is Linux's.
	"TestALoopThatIsReachedThroughItsChildAloneKeepsIt",
	"TestAChildTracedAfterIgnoreOrResetIsToldOfStopsAndSoAreTheEarlierOnes",
	"TestDroppedLoopsWithChildsAreCollected",
	"TestSIGCHLDIsIgnoredAgainAfterTheLastChild",
	"TestTheLastSignalThatStopsTakesNoSIGCHLDFromAChild",
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
		filepath.Join(root, "internal", "kqueue", "kqueue.go"): filepath.Join(here, "calls.go"),
		filepath.Join(root, "kqueue_proof_test.go"):            filepath.Join(here, "proof_test.go"),
	}
	for i, name := range bsd {
		replace[filepath.Join(root, name)] = withoutConstraint(t, filepath.Join(root, name), filepath.Join(tmp, strconv.Itoa(i)))
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

// withoutConstraint makes a copy that Linux builds.
func withoutConstraint(t *testing.T, from, to string) string {
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	constraint, rest, ok := bytes.Cut(text, []byte("\n"))
	require.True(t, ok && bytes.HasPrefix(constraint, []byte("//go:build darwin")))
	require.NoError(t, os.WriteFile(to, rest, 0o600))
	return to
}
