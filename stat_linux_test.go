package ev_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// inotifies returns the /proc/self/fdinfo of this process's inotify descriptors.
func inotifies(t *testing.T) (infos []string) {
	t.Helper()
	for _, fd := range inotifyFDs(t) {
		info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", fd))
		require.NoError(t, err)
		infos = append(infos, string(info))
	}
	return infos
}

func inotifyFDs(t *testing.T) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); link == "anon_inode:inotify" {
			fd, err := strconv.Atoi(e.Name())
			require.NoError(t, err)
			fds = append(fds, fd)
		}
	}
	return fds
}

// quietDir makes a directory for a test that counts wake-ups. Except for the root, no
// directory on the way to it is one in which other programs make files.
func quietDir(t *testing.T) string {
	t.Helper()
	here, _ := os.Getwd()
	home, _ := os.UserHomeDir()
	cache, _ := os.UserCacheDir()
	for _, top := range []string{here, cache, home} {
		busy, err := filepath.Rel(os.TempDir(), top)
		if top == "" || err == nil && !strings.HasPrefix(busy, "..") {
			continue
		}
		dir, err := os.MkdirTemp(top, ".ev-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
		return dir
	}
	return t.TempDir()
}

func TestALoopHasOneInotifyWhileItHasStats(t *testing.T) {
	needsInotify(t)
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	dir := t.TempDir()
	require.Empty(t, inotifies(t))
	a, b := watchPath(t, l, filepath.Join(dir, "a")), watchPath(t, l, filepath.Join(dir, "b"))
	fds := inotifyFDs(t)
	require.Len(t, fds, 1)
	onExec, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
	require.NoError(t, err)
	assert.NotZero(t, onExec&unix.FD_CLOEXEC)
	flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0)
	require.NoError(t, err)
	assert.NotZero(t, flags&unix.O_NONBLOCK)
	a.Stop()
	assert.Len(t, inotifies(t), 1)
	b.Stop()
	assert.Empty(t, inotifies(t))
	require.NoError(t, a.Start())
	assert.Len(t, inotifies(t), 1)
	require.NoError(t, l.Close())
	assert.Empty(t, inotifies(t))
}

func TestStatsLeaveNoWatchesBehind(t *testing.T) {
	needsInotify(t)
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	dir := t.TempDir()
	keep := watchPath(t, l, dir)
	watches := func() int { return strings.Count(inotifies(t)[0], "inotify wd:") }
	before := watches()
	for range 10 {
		var logs []*statLog
		for i := range 20 {
			path := filepath.Join(dir, fmt.Sprint("dir", i), "file")
			logs = append(logs, watchPath(t, l, path))
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			writeFile(t, path, "x")
			rename(t, path, path+".1")
			writeFile(t, path, "xy")
		}
		keep.sees(t, "dir -> dir")
		for _, log := range logs {
			log.sees(t, "nothing -> 2 bytes")
		}
		assert.Greater(t, watches(), before)
		for i := range 20 {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, fmt.Sprint("dir", i))))
		}
		nowait(t, l)
		for _, log := range logs {
			log.Stop()
		}
		assert.Equal(t, before, watches())
		keep.changes = nil
	}
}

// iterations counts the iterations in a time in which a Stat that polls looks twice.
func iterations(t *testing.T, l *ev.Loop) uint64 {
	t.Helper()
	before := l.Iteration()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
	return l.Iteration() - before
}

// sleeps reports whether there is a time without an iteration. It tries several times:
// other programs change the directories above the test's own, which wakes the loop. Use it
// in a quietDir.
func sleeps(t *testing.T, l *ev.Loop) bool {
	t.Helper()
	for range 20 {
		if iterations(t, l) <= 1 {
			return true
		}
	}
	return false
}

func TestStatDoesNotPollWhereTheKernelTells(t *testing.T) {
	needsInotify(t)
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	path := filepath.Join(quietDir(t), "file")
	s := ev.NewStat(l, path, 1, func(*ev.Stat) {})
	require.NoError(t, s.Start())
	assert.True(t, sleeps(t, l))
	writeFile(t, path, "x")
	nowait(t, l)
	assert.Equal(t, "1 bytes", describe(s.Current()))
	assert.True(t, sleeps(t, l))
}

func TestStatPollsWhereTheKernelMayNotTell(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	dir := t.TempDir()
	d, err := os.Open(dir)
	require.NoError(t, err)
	defer d.Close()
	path := fmt.Sprintf("/proc/self/fd/%d/file", d.Fd()) // /proc is not local
	s := ev.NewStat(l, path, 1, func(*ev.Stat) {})
	require.NoError(t, s.Start())
	assert.Greater(t, iterations(t, l), uint64(1))
	writeFile(t, path, "x")
	until(t, l, func() bool { return s.Current() != nil })
	assert.Equal(t, 1, l.Active())
	assert.NoError(t, l.Verify())
}

func TestStatPollsWithoutInotify(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	path := filepath.Join(t.TempDir(), "file")
	changed := 0
	s := ev.NewStat(l, path, 1, func(*ev.Stat) { changed++ })
	withoutDescriptors(t, func() { require.NoError(t, s.Start()) })
	assert.Empty(t, inotifies(t))
	writeFile(t, path, "x")
	until(t, l, func() bool { return changed > 0 })
	assert.NoError(t, l.Verify())
	s.Stop()
	require.NoError(t, s.Start())
	if kernelTells() {
		assert.Len(t, inotifies(t), 1, "the next Start tries again")
	}
}

// withoutDescriptors runs fn while no descriptor can be opened.
func withoutDescriptors(t *testing.T, fn func()) {
	t.Helper()
	free, err := syscall.Dup(0)
	require.NoError(t, err)
	require.NoError(t, syscall.Close(free))
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = uint64(free)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	fn()
}

// A directory that is open somewhere has no event when it is removed.
func TestStatSeesThatADirectoryHeldOpenIsAnotherOne(t *testing.T) {
	needsInotify(t)
	for _, name := range []string{"dir", "dir/file", "dir/file/below"} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
			top := quietDir(t)
			dir := filepath.Join(top, "dir")
			require.NoError(t, os.Mkdir(dir, 0o700))
			held, err := os.Open(dir)
			require.NoError(t, err)
			defer held.Close()
			log := watchPath(t, l, filepath.Join(top, name))
			require.NoError(t, os.Remove(dir))
			nowait(t, l)
			require.NoError(t, os.MkdirAll(filepath.Join(top, name), 0o700))
			nowait(t, l)
			now, err := os.Lstat(log.Path())
			require.NoError(t, err)
			require.NotNil(t, log.Current())
			assert.True(t, os.SameFile(now, log.Current()))
			assert.True(t, sleeps(t, l))
		})
	}
}

func TestStatPollsOnceInotifyIsLost(t *testing.T) {
	needsInotify(t)
	for name, flags := range map[string]int{
		"it cannot be watched": unix.O_PATH, // EBADF
		"it cannot be read":    unix.O_RDONLY,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
			dir := t.TempDir()
			before := openDescriptors()
			var stats [2]*ev.Stat
			for i := range stats {
				stats[i] = ev.NewStat(l, filepath.Join(dir, fmt.Sprint(i)), 1, func(*ev.Stat) {})
				require.NoError(t, stats[i].Start())
			}
			null, err := unix.Open("/dev/null", flags, 0)
			require.NoError(t, err)
			require.NoError(t, unix.Dup3(null, inotifyFDs(t)[0], unix.O_CLOEXEC)) // behind the loop's back
			require.NoError(t, unix.Close(null))
			for _, s := range stats {
				writeFile(t, s.Path(), "x")
				until(t, l, func() bool { return s.Current() != nil })
				assert.NoError(t, l.Verify())
			}
			assert.LessOrEqual(t, openDescriptors(), before+2, "the set and the timer are all that is left")
		})
	}
}

// queued returns how many bytes of events wait in the process's only inotify.
func queued(t *testing.T) int {
	t.Helper()
	fds := inotifyFDs(t)
	require.Len(t, fds, 1)
	n, err := unix.IoctlGetInt(fds[0], unix.TIOCINQ)
	require.NoError(t, err)
	return n
}

// many is more than the number of events that other programs cause meanwhile, in the
// directories above. inotify merges equal events in a row, so each is of another file than the
// last.
const many = 1000

func TestStatOfADirectoryIsNotToldOfWritesToItsFiles(t *testing.T) {
	needsInotify(t)
	needsFineTimes(t)
	top := quietDir(t)
	dir := filepath.Join(top, "dir")
	require.NoError(t, os.Mkdir(dir, 0o700))
	paths := [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	var files [2]*os.File
	for i, path := range paths {
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		files[i] = f
	}
	past := time.Unix(1e9, 0)
	for name, change := range map[string]func(i int) error{
		"written":          func(i int) error { _, err := files[i&1].WriteString("x"); return err },
		"truncated":        func(i int) error { return files[i&1].Truncate(int64(i)) },
		"read":             func(i int) error { _, err := os.ReadFile(paths[i&1]); return err },
		"mode":             func(i int) error { return os.Chmod(paths[i&1], 0o600|fs.FileMode(i&2)) },
		"times":            func(i int) error { return os.Chtimes(paths[i&1], past, past) },
		"opened to append": func(i int) error { return appendTo(paths[i&1]) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
			log := watchPath(t, l, dir)
			for i := range many {
				require.NoError(t, change(i))
			}
			assert.Less(t, queued(t), many*unix.SizeofInotifyEvent/2)
			quietly(t, l, log)

			// But it sees changes of the directory itself.
			require.NoError(t, os.Chmod(dir, 0o750))
			log.sees(t, "dir -> dir")
			require.NoError(t, os.Chmod(dir, 0o700))
			log.sees(t, "dir -> dir")
			writeFile(t, filepath.Join(dir, "new"), "")
			log.sees(t, "dir -> dir")
			require.NoError(t, os.Remove(filepath.Join(dir, "new")))
			log.sees(t, "dir -> dir")
			require.NoError(t, os.Chtimes(dir, past, past))
			log.sees(t, "dir -> dir")
		})
	}
}

func appendTo(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	return errors.Join(err, f.Close())
}

// By these paths no parent reports the directory, or not by its name.
func TestStatSeesTheModeOfADirectoryByEveryPath(t *testing.T) {
	needsInotify(t)
	needsFineTimes(t)
	dir := filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	symlink(t, dir, dir+".link")
	t.Chdir(dir)
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	for _, path := range []string{dir, dir + "/", dir + "/.", dir + "/sub/..", dir + ".link/", dir + ".link/.", ".", "sub/.."} {
		log := watchPath(t, l, path)
		for _, mode := range []fs.FileMode{0o750, 0o700} {
			untilTheTimeMoves(t, dir)
			nowait(t, l)
			log.changes = nil
			require.NoError(t, os.Chmod(dir, mode))
			log.sees(t, "dir -> dir")
			assert.Equal(t, mode, log.Current().Mode().Perm(), path)
		}
		log.Stop()
	}
}

// The Stats of a directory and of its files share its watch.
func TestStatsOfADirectoryAndOfItsFilesAreToldOfTheirOwn(t *testing.T) {
	needsInotify(t)
	dir := filepath.Join(quietDir(t), "dir")
	require.NoError(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{"busy1", "busy2", "file"} {
		writeFile(t, filepath.Join(dir, name), "")
	}
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	file, log := watchPath(t, l, filepath.Join(dir, "file")), watchPath(t, l, dir)
	for i := range many {
		require.NoError(t, appendTo(filepath.Join(dir, "busy"+itoa(uint64(1+i&1)))))
	}
	assert.Less(t, queued(t), many*unix.SizeofInotifyEvent/2)
	quietly(t, l, log, file)
	writeFile(t, file.Path(), "x")
	file.sees(t, "0 bytes -> 1 bytes")
	file.Stop()
	require.NoError(t, os.Chmod(dir, 0o750))
	log.sees(t, "dir -> dir")
}

// Writing to a device does not change the path that names it.
func TestStatOfADeviceIsNotToldOfWritesToIt(t *testing.T) {
	needsInotify(t)
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	links := [2]string{"/dev/null", "/dev/zero"}
	logs := [2]*statLog{watchPath(t, l, links[0]), watchPath(t, l, links[1])}
	for i := range many {
		require.NoError(t, appendTo(links[i&1]))
	}
	assert.Less(t, queued(t), many*unix.SizeofInotifyEvent/2)
	quietly(t, l, logs[:]...)
}
