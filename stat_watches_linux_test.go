package ev

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kernelWatches returns the numbers of the watches that an inotify descriptor has.
func kernelWatches(t *testing.T, fd int) (watches []int32) {
	t.Helper()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	require.NoError(t, err)
	for line := range strings.Lines(string(info)) {
		var watch int32
		if _, err := fmt.Sscanf(line, "inotify wd:%x", &watch); err == nil {
			watches = append(watches, watch)
		}
	}
	slices.Sort(watches)
	return watches
}

// The loop and the kernel must have the same watches, whatever comes and goes on the
// way: none that nobody needs is left, and a Stat has each of its own once.
func TestTheKernelHasTheWatchesThatTheStatsNeed(t *testing.T) {
	l, _ := epollLoop(t)
	dir := t.TempDir()
	path := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	require.NoError(t, os.Mkdir(path("a"), 0o700))
	require.NoError(t, os.Mkdir(path("b"), 0o700))
	stat := func(path string) *Stat {
		s := NewStat(l, path, time.Hour, func(*Stat) {})
		require.NoError(t, s.Start())
		return s
	}
	deep, near, other := stat(path("a", "b", "c")), stat(path("a")), stat(path("b", "x"))
	in, ok := l.kept[inotifyKey{}].(*inotify)
	if !ok {
		t.Skip("no inotify")
	}
	check := func(what string) {
		t.Helper()
		for range 3 { // the kernel tells of a watch that ends in an event of its own
			require.NoError(t, l.RunNoWait())
		}
		var ours []int32
		for watch := range in.watches {
			ours = append(ours, watch)
		}
		slices.Sort(ours)
		assert.Equal(t, kernelWatches(t, in.fd), ours, what)
	}
	check("at first")
	clues := 0
	for i := range 5 {
		require.NoError(t, os.Mkdir(path("a", "b"), 0o700))
		check("a directory appears on the way")
		if i == 0 {
			clues = len(deep.notice.clues)
		}
		assert.Len(t, deep.notice.clues, clues)
		require.NoError(t, os.Remove(path("a", "b")))
		check("it vanishes")
	}
	require.NoError(t, os.Remove(path("b")))
	check("a directory is gone")
	before := len(in.watches)
	deep.Stop()
	near.Stop()
	check("two have stopped")
	assert.Less(t, len(in.watches), before)
	other.Stop()
	assert.Nil(t, l.kept[inotifyKey{}])
}

// Several events of one path may come at once. One of a move means that the path must
// be watched anew, whatever the ones after it say.
func TestAMoveIsNotForgottenForALaterEvent(t *testing.T) {
	l, _ := epollLoop(t)
	dir := t.TempDir()
	path, next := filepath.Join(dir, "path"), filepath.Join(dir, "next")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.WriteFile(next, nil, 0o600))
	old, err := os.Open(path)
	require.NoError(t, err)
	defer old.Close()
	calls := 0
	s := NewStat(l, path, time.Hour, func(*Stat) { calls++ })
	require.NoError(t, s.Start())
	if s.notice.in == nil {
		t.Skip("no inotify")
	}
	require.NoError(t, os.Rename(next, path))
	require.NoError(t, old.Chmod(0o400)) // an event of the file that the path named
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
	require.NoError(t, os.WriteFile(path, []byte("the new one grows"), 0o600))
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 2, calls)
	s.Stop()
}

func TestAStatLooksOnceForAllEventsOfARead(t *testing.T) {
	l, _ := epollLoop(t)
	s := NewStat(l, t.TempDir(), time.Hour, func(*Stat) {})
	require.NoError(t, s.Start())
	in := s.notice.in
	if in == nil {
		t.Skip("no inotify")
	}
	for range 3 {
		in.mark(s, false)
	}
	assert.Len(t, in.dirty, 1)
	in.lookAgain()
	assert.Empty(t, in.dirty)
	s.Stop()
}
