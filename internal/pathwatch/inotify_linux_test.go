package pathwatch

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// loop is the event loop of a test. The first descriptor is inotify's.
type loop struct {
	fds   []int
	ready []func(lost bool)
	freed int
}

func (l *loop) register(fd int, free func(), ready func(lost bool)) (func(), error) {
	l.fds, l.ready = append(l.fds, fd), append(l.ready, ready)
	return func() { free(); l.freed++ }, nil
}

// run reads what inotify has, until there is no more.
func (l *loop) run(t *testing.T) {
	t.Helper()
	for {
		queued, err := unix.IoctlGetInt(l.fds[0], unix.TIOCINQ)
		require.NoError(t, err)
		if queued == 0 {
			return
		}
		l.ready[0](false)
	}
}

// newTable skips the test where the kernel gives no inotify descriptor or no watch.
func newTable(t *testing.T) (*Table, *loop) {
	t.Helper()
	l := new(loop)
	table := NewTable(l.register)
	var probe Watch
	probe.Open(table, Path{Name: "/"}, func(bool) bool { return false })
	probe.Update()
	works := probe.in != nil && !probe.failed
	probe.Close()
	if !works {
		t.Skip("no inotify")
	}
	*l = loop{}
	return table, l
}

// watched is a Watch whose Notify calls Update as it should. It records the arguments.
type watched struct {
	Watch
	reliable bool
	moved    []bool
}

func open(t *testing.T, table *Table, path string) *watched {
	w := new(watched)
	w.Open(table, Path{Name: path}, func(moved bool) bool {
		w.moved = append(w.moved, moved)
		if moved {
			w.reliable = w.Update()
		}
		return false
	})
	w.reliable = w.Update()
	t.Cleanup(w.Close)
	return w
}

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

// The table and the kernel must have the same watches after each change on the way: none is
// left that no path needs, and a path has each of its watches once.
func TestTheKernelHasTheWatchesThatThePathsNeed(t *testing.T) {
	table, l := newTable(t)
	dir := t.TempDir()
	path := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	require.NoError(t, os.Mkdir(path("a"), 0o700))
	require.NoError(t, os.Mkdir(path("b"), 0o700))
	deep, near := open(t, table, path("a", "b", "c")), open(t, table, path("a"))
	other := open(t, table, path("b", "x"))
	in := table.open
	check := func(what string) {
		t.Helper()
		l.run(t)
		var ours []int32
		for number := range in.inodes {
			ours = append(ours, number)
		}
		slices.Sort(ours)
		assert.Equal(t, kernelWatches(t, in.fd), ours, what)
	}
	check("at first")
	refs := 0
	for i := range 5 {
		require.NoError(t, os.Mkdir(path("a", "b"), 0o700))
		check("a directory appears on the way")
		if i == 0 {
			refs = len(deep.refs)
		}
		assert.Len(t, deep.refs, refs)
		require.NoError(t, os.Remove(path("a", "b")))
		check("it vanishes")
	}
	require.NoError(t, os.Remove(path("b")))
	check("a directory is gone")
	before := len(in.inodes)
	deep.Close()
	near.Close()
	check("two have stopped")
	assert.Less(t, len(in.inodes), before)
	assert.Zero(t, l.freed)
	other.Close()
	assert.Nil(t, table.open)
	assert.Equal(t, len(l.fds), l.freed, "every descriptor is freed")
}

// Several events of one path may come at once. After an event of a move the path must be
// watched anew, also if later events are of other changes.
func TestAMoveIsNotForgottenForALaterEvent(t *testing.T) {
	table, l := newTable(t)
	dir := t.TempDir()
	path, next := filepath.Join(dir, "path"), filepath.Join(dir, "next")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.WriteFile(next, nil, 0o600))
	old, err := os.Open(path)
	require.NoError(t, err)
	defer old.Close()
	w := open(t, table, path)
	require.NoError(t, os.Rename(next, path))
	require.NoError(t, old.Chmod(0o400)) // an event of the file that the path named
	l.ready[0](false)
	assert.Equal(t, []bool{true}, w.moved)
	l.run(t)
	w.moved = nil
	require.NoError(t, os.WriteFile(path, []byte("the new one grows"), 0o600))
	l.run(t)
	assert.Equal(t, []bool{false}, w.moved)
}

func TestAllEventsOfAReadAreOneNotification(t *testing.T) {
	table, _ := newTable(t)
	w := open(t, table, t.TempDir())
	in := table.open
	for range 3 {
		in.mark(&w.Watch, false)
	}
	in.notifyDirty()
	assert.Len(t, w.moved, 1)
	assert.Empty(t, in.dirty)
	in.notifyDirty()
	assert.Len(t, w.moved, 1)
}

func TestNotificationsComeInTheOrderOfOpen(t *testing.T) {
	table, l := newTable(t)
	dir := t.TempDir()
	var order []int
	for i := range 20 {
		w := new(Watch)
		w.Open(table, Path{Name: filepath.Join(dir, "path")}, func(bool) bool { order = append(order, i); return false })
		w.Update()
		t.Cleanup(w.Close)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "path"), nil, 0o600))
	l.ready[0](false)
	assert.Len(t, order, 20)
	assert.IsIncreasing(t, order)
}

// When the kernel drops events, every path is watched anew.
func TestDroppedEventsAreMadeUpFor(t *testing.T) {
	dir := t.TempDir()
	way, path := filepath.Join(dir, "way"), filepath.Join(dir, "way", "path")
	require.NoError(t, os.Mkdir(way, 0o700))
	table, l := newTable(t)
	w := open(t, table, path)
	in := table.open

	require.NoError(t, os.Rename(way, filepath.Join(dir, "other")))
	require.NoError(t, os.Mkdir(way, 0o700))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := unix.Read(in.fd, in.buf[:]) // the kernel's part: these events are lost
	require.NoError(t, err)
	dropped := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(dropped[4:], unix.IN_Q_OVERFLOW)
	in.parse(dropped)
	in.notifyDirty()
	assert.Equal(t, []bool{true}, w.moved)

	l.run(t)
	w.moved = nil
	require.NoError(t, os.WriteFile(path, []byte("it is another one now"), 0o600))
	l.run(t)
	assert.NotEmpty(t, w.moved)
}

// The mode of a directory decides how far a path can be watched.
func TestAChangeOfADirectorysModeHasThePathsThroughItWatchedAnew(t *testing.T) {
	dir := t.TempDir()
	table, l := newTable(t)
	w := open(t, table, filepath.Join(dir, "path"))
	require.NoError(t, os.Chmod(dir, 0o755))
	l.ready[0](false)
	assert.Equal(t, []bool{true}, w.moved)
}

func TestAPathThroughAFileNeedsNoPolling(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	table, l := newTable(t)
	w := open(t, table, filepath.Join(file, "path"))
	assert.Equal(t, isLocal(file), w.reliable)
	assert.False(t, w.Retry())

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	l.run(t)
	w.moved = nil
	require.NoError(t, os.WriteFile(filepath.Join(file, "path"), nil, 0o600))
	l.run(t)
	assert.NotEmpty(t, w.moved)
}

func TestALostDescriptorClosesTheTable(t *testing.T) {
	table, l := newTable(t)
	dir := t.TempDir()
	a, b := open(t, table, filepath.Join(dir, "a")), open(t, table, filepath.Join(dir, "b"))
	l.ready[0](true)
	for _, w := range []*watched{a, b} {
		assert.Equal(t, []bool{true}, w.moved)
		assert.False(t, w.reliable)
		assert.False(t, w.Retry())
	}
	assert.Equal(t, len(l.fds), l.freed)
	assert.Nil(t, table.open)
	again := open(t, table, dir)
	assert.NotNil(t, again.in, "the next Open makes another one")
}
