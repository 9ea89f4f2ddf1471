package ev_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// namespaceName is the environment variable with the test that a process runs.
const namespaceName = "EV_TEST_MOUNTS"

// inMountNamespace reports whether the test runs in a mount namespace of its own.
// If not, it runs the test in one, in a new process, and the caller must return. It skips
// the test where the system refuses that.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceName) == t.Name() {
		require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		require.NoError(t, unix.Mount("tmpfs", os.TempDir(), "tmpfs", 0, "")) // without other programs' files
		return true
	}
	cmd := thisProgram(t.Context(), "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), namespaceName+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = ownMounts()
	if err := cmd.Start(); err != nil {
		t.Skip("no mount namespace: ", err)
	}
	require.NoError(t, cmd.Wait(), "in a mount namespace:\n%s", &out)
	if strings.Contains(out.String(), "--- SKIP: "+t.Name()) {
		t.Skip(out.String())
	}
	require.Contains(t, out.String(), "--- PASS: "+t.Name(), "it did not run")
	return false
}

func ownMounts() *syscall.SysProcAttr {
	if os.Getuid() == 0 {
		return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}

func init() {
	helpers["mount"] = func() {
		if err := unix.Mount("tmpfs", os.Getenv("EV_TEST_DIR"), "tmpfs", 0, ""); err != nil {
			panic(err)
		}
	}
}

// mount mounts a new tmpfs on dir until the test ends.
func mount(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
}

// unmount is umount -l, which does not wait.
func unmount(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
}

func mkdirs(t *testing.T, dir string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	return dir
}

func TestStatSeesAMountOverADirectoryOnItsWay(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		dir := mkdirs(t, top+"/a/b")
		symlink(t, "a/b", top+"/link")
		file := dir + "/file"
		writeFile(t, file, "x")
		log, byLink, parent := watchPath(t, l, file), watchPath(t, l, top+"/link/file"), watchPath(t, l, dir)
		for _, over := range []string{dir, top + "/a"} {
			mount(t, over)
			log.sees(t, "1 bytes -> nothing")
			byLink.sees(t, "1 bytes -> nothing")
			until(t, l, func() bool { return len(parent.changes) > 0 })
			mkdirs(t, dir)
			writeFile(t, file, "inside")
			log.sees(t, "nothing -> 6 bytes")
			writeFile(t, file, "inside, later")
			log.sees(t, "6 bytes -> 13 bytes")
			unmount(t, over)
			log.sees(t, "13 bytes -> 1 bytes")
			until(t, l, func() bool { return byLink.Current() != nil && byLink.Current().Size() == 1 })
			nowait(t, l)
			byLink.changes, parent.changes = nil, nil
		}
		writeFile(t, file, "outside")
		log.sees(t, "1 bytes -> 7 bytes")
	})
}

// The path names nothing before and after, but other directories must be watched.
func TestStatOfAMissingFileSeesItAppearInAMount(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := mkdirs(t, t.TempDir()+"/a/b")
		log := watchPath(t, l, dir+"/file")
		mount(t, dir)
		once(t, l)
		writeFile(t, log.Path(), "x")
		log.sees(t, "nothing -> 1 bytes")
		require.NoError(t, os.Remove(log.Path()))
		log.sees(t, "1 bytes -> nothing")
		unmount(t, dir)
		once(t, l)
		writeFile(t, log.Path(), "xy")
		log.sees(t, "nothing -> 2 bytes")
	})
}

func TestStatSeesAFileMountedOverItsPath(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		path, other := dir+"/file", dir+"/other"
		writeFile(t, path, "x")
		writeFile(t, other, "other")
		log := watchPath(t, l, path)
		bind(t, other, path)
		log.sees(t, "1 bytes -> 5 bytes")
		writeFile(t, other, "longer")
		log.sees(t, "5 bytes -> 6 bytes")
		unmount(t, path)
		log.sees(t, "6 bytes -> 1 bytes")
		writeFile(t, other, "and longer")
		quietly(t, l, log)
		writeFile(t, path, "xy")
		log.sees(t, "1 bytes -> 2 bytes")
	})
}

func TestStatSeesMountsMovedAndStacked(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		here, there := mkdirs(t, top+"/here"), mkdirs(t, top+"/there")
		mount(t, here)
		writeFile(t, here+"/file", "x")
		a, b := watchPath(t, l, here+"/file"), watchPath(t, l, there+"/file")
		require.NoError(t, unix.Mount(here, there, "", unix.MS_MOVE, ""))
		t.Cleanup(func() { _ = unix.Unmount(there, unix.MNT_DETACH) })
		a.sees(t, "1 bytes -> nothing")
		b.sees(t, "nothing -> 1 bytes")
		writeFile(t, there+"/file", "xy")
		b.sees(t, "1 bytes -> 2 bytes")
		mount(t, there)
		b.sees(t, "2 bytes -> nothing")
		writeFile(t, there+"/file", "top")
		b.sees(t, "nothing -> 3 bytes")
		unmount(t, there)
		b.sees(t, "3 bytes -> 2 bytes")
		require.NoError(t, unix.Unmount(there, 0), "a Stat keeps no mount busy")
		b.sees(t, "2 bytes -> nothing")
		quietly(t, l, a, b)
	})
}

// The root of a mount has no parent that reports it.
func TestStatSeesTheModeOfADirectoryThatIsMounted(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		from, to := mkdirs(t, top+"/from"), mkdirs(t, top+"/to")
		bind(t, from, to)
		for _, path := range []string{to, to + "/", to + "/.", from} {
			log := watchPath(t, l, path)
			require.NoError(t, os.Chmod(to, 0o750))
			log.sees(t, "dir -> dir")
			require.NoError(t, os.Chmod(from, 0o700))
			log.sees(t, "dir -> dir")
			log.Stop()
		}
		log := watchPath(t, l, to)
		rename(t, from, from+".1") // sets its ctime
		log.sees(t, "dir -> dir")
		quietly(t, l, log)
	})
}

func TestStatSeesAMountThatPropagates(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := mkdirs(t, t.TempDir()+"/dir")
		writeFile(t, dir+"/file", "x")
		bind(t, dir, dir)
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		log := watchPath(t, l, dir+"/file")
		elsewhere := func() {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append(os.Environ(), "EV_TEST_HELPER=mount", "EV_TEST_DIR="+dir)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
		elsewhere()
		quietly(t, l, log)
		require.NoError(t, unix.Mount("", dir, "", unix.MS_SHARED, ""))
		elsewhere()
		log.sees(t, "1 bytes -> nothing")
	})
}

// mountSets returns the descriptors by which loops watch the mount table. The number of an
// epoll set is higher than that of the table in it.
func mountSets(t *testing.T) (tables, sets []int) {
	t.Helper()
	for fd := range 200 {
		link, _ := os.Readlink("/proc/self/fd/" + itoa(uint64(fd)))
		switch {
		case strings.HasSuffix(link, "/mountinfo"):
			tables = append(tables, fd)
		case link == "anon_inode:[eventpoll]" && len(tables) > len(sets):
			sets = append(sets, fd)
		}
	}
	return tables, sets
}

func TestStatsPollForMountsOnceTheTableIsLost(t *testing.T) {
	needsInotify(t)
	if !inMountNamespace(t) {
		return
	}
	l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	dir := t.TempDir()
	before := openDescriptors()
	var stats [2]*ev.Stat
	for i := range stats {
		stats[i] = ev.NewStat(l, mkdirs(t, dir+"/"+itoa(uint64(i)))+"/file", 1, func(*ev.Stat) {})
		writeFile(t, stats[i].Path(), "x")
		require.NoError(t, stats[i].Start())
	}
	_, lost := mountSets(t)
	require.Len(t, lost, 1)
	null, err := unix.Open("/dev/null", unix.O_PATH, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Dup3(null, lost[0], unix.O_CLOEXEC)) // behind the loop's back
	require.NoError(t, unix.Close(null))
	nowait(t, l) // the table is lost now, or opened again: the Stats may be due to poll
	assert.NoError(t, l.Verify())
	for _, s := range stats {
		mount(t, filepath.Dir(s.Path()))
		until(t, l, func() bool { return s.Current() == nil })
	}
	assert.NoError(t, l.Verify())
	tables, sets := mountSets(t)
	assert.Len(t, tables, 1, "polling opens it again")
	assert.Len(t, sets, 1)
	until(t, l, func() bool { return sleeps(t, l) })
	for _, s := range stats {
		s.Stop()
	}
	assert.LessOrEqual(t, openDescriptors(), before+2, "the set and the timer are all that is left")
}

func TestStatPollsForMountsWithoutAMountTable(t *testing.T) {
	needsInotify(t)
	if !inMountNamespace(t) {
		return
	}
	for name, hide := range map[string]func() error{
		"no proc": func() error { return unix.Mount("tmpfs", "/proc", "tmpfs", 0, "") },
		"a proc that is none": func() error {
			err := unix.Mount("tmpfs", "/proc", "tmpfs", 0, "")
			return errors.Join(err, os.Mkdir("/proc/self", 0o700), os.WriteFile("/proc/self/mountinfo", []byte("1"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, ev.WithBackend(ev.BackendEpoll))
			dir := mkdirs(t, t.TempDir()+"/dir")
			writeFile(t, dir+"/file", "x")
			require.NoError(t, hide())
			shown := false
			show := func() {
				if !shown {
					shown = true
					unmount(t, "/proc")
				}
			}
			t.Cleanup(show)
			var changes []string
			s := ev.NewStat(l, dir+"/file", 1, func(s *ev.Stat) { changes = append(changes, describe(s.Current())) })
			require.NoError(t, s.Start())
			mount(t, dir)
			until(t, l, func() bool { return slices.Equal(changes, []string{"nothing"}) })
			writeFile(t, dir+"/file", "xy")
			until(t, l, func() bool { return slices.Equal(changes, []string{"nothing", "2 bytes"}) })
			assert.NoError(t, l.Verify())
			show() // from now on there is no need to poll
			until(t, l, func() bool { tables, _ := mountSets(t); return len(tables) == 1 })
			assert.True(t, sleeps(t, l))
			unmount(t, dir)
			until(t, l, func() bool { return len(changes) == 3 })
		})
	}
}

func TestAMountElsewhereIsNoChange(t *testing.T) {
	needsInotify(t)
	if !inMountNamespace(t) {
		return
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		other := mkdirs(t, top+"/other")
		writeFile(t, top+"/file", "x")
		log := watchPath(t, l, top+"/file")
		for range 10 {
			mount(t, other)
			nowait(t, l)
			unmount(t, other)
		}
		quietly(t, l, log)
		if l.Backend() == ev.BackendEpoll {
			assert.True(t, sleeps(t, l), "a change of the mount table is told once")
		}
	})
}
