//go:build unix

package toolproof

import (
	"context"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// burn uses d of processor time.
func burn(d time.Duration) {
	var sum [sha256.Size]byte
	for until := used() + d; used() < until; {
		for range 100 {
			sum = sha256.Sum256(sum[:])
		}
	}
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestACPUProfileSplitsByLoopAndWatcher(t *testing.T) {
	l := newLoop(t, ev.WithName("main"), ev.WithProfileLabels())
	for name, work := range map[string]time.Duration{"burner": 900 * time.Millisecond, "sipper": 300 * time.Millisecond, "idler": 0} {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { burn(work) }, ev.Name(name)).Start()
	}
	path := filepath.Join(t.TempDir(), "cpu.prof")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, pprof.StartCPUProfile(file))
	require.NoError(t, l.Run(context.Background()))
	burn(300 * time.Millisecond) // on the same goroutine, but not the loop's
	pprof.StopCPUProfile()
	require.NoError(t, file.Close())

	out, err := exec.CommandContext(t.Context(), tool(t, "pprof"), "-tags", "-unit=ms", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	loops, watchers := tags(t, string(out), "loop"), tags(t, string(out), "watcher")
	require.Contains(t, loops, "main")
	require.Contains(t, watchers, "Timer burner")
	require.Contains(t, watchers, "Timer sipper")
	assert.Greater(t, watchers["Timer burner"], watchers["Timer sipper"])
	assert.Greater(t, watchers["Timer sipper"], watchers["Timer idler"])
	sum := watchers["Timer burner"] + watchers["Timer sipper"] + watchers["Timer idler"]
	assert.LessOrEqual(t, sum, loops["main"], "what a watcher uses, its loop uses")

	out, err = exec.CommandContext(t.Context(), tool(t, "pprof"), "-top", "-unit=ms", path).Output()
	require.NoError(t, err)
	total := regexp.MustCompile(`of (\d+)ms total`).FindStringSubmatch(string(out))
	require.NotNil(t, total, "%s", out)
	assert.Less(t, loops["main"], milliseconds(t, total[1]), "what follows Run is not the loop's")
}

// tags parses the output of pprof -tags for one key: " 900ms (75.00%): Timer burner".
func tags(t *testing.T, out, key string) map[string]time.Duration {
	all := make(map[string]time.Duration)
	inside := false
	row := regexp.MustCompile(`^\s+([\d.]+)(?:ms)? \(.*%\): (.*)$`)
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if name, _, ok := strings.Cut(line, ": Total "); ok {
			inside = strings.TrimSpace(name) == key
		} else if m := row.FindStringSubmatch(line); m != nil && inside {
			all[m[2]] = milliseconds(t, m[1])
		}
	}
	return all
}

func milliseconds(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s + "ms")
	require.NoError(t, err)
	return d
}
