package ev

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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

// watchedStat starts a Stat on a loop of its own, and skips the test without inotify.
func watchedStat(t *testing.T, path string) (l *Loop, s *Stat, calls *int) {
	t.Helper()
	l, _ = epollLoop(t)
	calls = new(int)
	s = NewStat(l, path, time.Hour, func(*Stat) { *calls++ })
	require.NoError(t, s.Start())
	t.Cleanup(s.Stop)
	if s.notice.in == nil {
		t.Skip("no inotify")
	}
	return l, s, calls
}

// When the kernel drops events, every Stat looks, and watches its path anew.
func TestAStatMakesUpForEventsThatTheKernelHasDropped(t *testing.T) {
	dir := t.TempDir()
	way, path := filepath.Join(dir, "way"), filepath.Join(dir, "way", "path")
	require.NoError(t, os.Mkdir(way, 0o700))
	l, s, calls := watchedStat(t, path)
	in := s.notice.in

	require.NoError(t, os.Rename(way, filepath.Join(dir, "other")))
	require.NoError(t, os.Mkdir(way, 0o700))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := unix.Read(in.fd, in.buf[:]) // the kernel's part: nobody is told
	require.NoError(t, err)
	dropped := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(dropped[4:], unix.IN_Q_OVERFLOW)
	in.parse(dropped)
	in.lookAgain()
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, *calls)

	require.NoError(t, os.WriteFile(path, []byte("it is another one now"), 0o600))
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 2, *calls)
}

// Who may pass a directory decides how far a path can be watched.
func TestAChangeOfADirectorysModeHasThePathsThroughItWatchedAnew(t *testing.T) {
	dir := t.TempDir()
	_, s, _ := watchedStat(t, filepath.Join(dir, "path"))
	in := s.notice.in
	require.NoError(t, os.Chmod(dir, 0o755))
	n, err := unix.Read(in.fd, in.buf[:])
	require.NoError(t, err)
	in.parse(in.buf[:n])
	assert.True(t, s.notice.stirred)
	in.lookAgain()
}

func TestAPathThroughAFileNeedsNoPolling(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	l, _, calls := watchedStat(t, filepath.Join(file, "path"))
	assert.Equal(t, never, l.timers.next())

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	require.NoError(t, l.RunNoWait())
	assert.Zero(t, *calls)
	require.NoError(t, os.WriteFile(filepath.Join(file, "path"), nil, 0o600))
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, *calls)
}
