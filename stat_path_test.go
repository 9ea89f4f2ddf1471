package ev_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestStatPathIsUsedAndReturnedAsGiven(t *testing.T) {
	needsFineTimes(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
		symlink(t, "sub", filepath.Join(dir, "link"))
		top := "//"
		if runtime.GOOS == "windows" {
			top = "" // it means another machine
		}
		var logs []*statLog
		for _, path := range []string{dir + "///", dir + "/sub/..", top + dir + "/./sub/../link/.././sub/..", dir + "/link/.."} {
			s := ev.NewStat(l, path, 0, func(*ev.Stat) {})
			assert.Equal(t, path, s.Path())
			log := watchPath(t, l, path)
			assert.Equal(t, path, log.Path())
			logs = append(logs, log)
		}
		writeFile(t, filepath.Join(dir, "new"), "")
		for _, log := range logs {
			log.sees(t, "dir -> dir")
		}
	})
}

func TestStatOfARelativePath(t *testing.T) {
	needsFineTimes(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		t.Chdir(t.TempDir())
		file, dot := watchPath(t, l, "file"), watchPath(t, l, ".")
		writeFile(t, "file", "x")
		file.sees(t, "nothing -> 1 bytes")
		dot.sees(t, "dir -> dir")
	})
}

func TestStatOfARelativePathStaysThatFile(t *testing.T) {
	needsWorkingDirectory(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top, elsewhere := t.TempDir(), t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(top, "sub"), 0o700))
		t.Chdir(filepath.Join(top, "sub"))
		logs := map[string]*statLog{}
		for _, path := range []string{"file", "./file", "../sub/file", "missing/../file"} {
			log := watchPath(t, l, path)
			assert.Equal(t, path, log.Path())
			logs[path] = log
		}
		t.Chdir(elsewhere)
		require.NoError(t, os.Mkdir(filepath.Join(elsewhere, "missing"), 0o700))
		writeFile(t, "file", "not this one")
		writeFile(t, filepath.Join(top, "sub", "file"), "x")
		for path, log := range logs {
			if path == "missing/../file" {
				continue
			}
			log.sees(t, "nothing -> 1 bytes")
			writeFile(t, "file", "not this one either")
			require.NoError(t, log.Stat.Stat())
			assert.Equal(t, "1 bytes", describe(log.Current()))
			assert.Equal(t, path, log.Path())
		}
		if runtime.GOOS == "windows" { // for which it is the same as file
			logs["missing/../file"].sees(t, "nothing -> 1 bytes")
		}
		for _, log := range logs {
			quietly(t, l, log)
		}
		if runtime.GOOS != "windows" {
			require.NoError(t, os.Mkdir(filepath.Join(top, "sub", "missing"), 0o700))
			logs["missing/../file"].sees(t, "nothing -> 1 bytes")
		}

		// After another Start the path is relative to the working directory of that
		// moment.
		log := logs["file"]
		log.Stop()
		require.NoError(t, log.Stat.Stat())
		assert.Equal(t, "19 bytes", describe(log.Current()), "while inactive: as lstat of the path")
		require.NoError(t, log.Start())
		assert.Equal(t, "19 bytes", describe(log.Current()))
		writeFile(t, filepath.Join(top, "sub", "file"), "the old one")
		quietly(t, l, log)
		writeFile(t, "file", "the new one")
		log.sees(t, "19 bytes -> 11 bytes")
	})
}

// The parts of the path have the same meaning as for lstat.
func TestStatOfARelativePathThroughLinks(t *testing.T) {
	needsWorkingDirectory(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(top, "real", "dir"), 0o700))
		symlink(t, filepath.Join("real", "dir"), filepath.Join(top, "link"))
		writeFile(t, filepath.Join(top, "real", "file"), "x")
		t.Chdir(top)
		if runtime.GOOS != "windows" {
			up := watchPath(t, l, "link/../file") // real/file
			assert.Equal(t, "1 bytes", describe(up.Current()))
			writeFile(t, filepath.Join(top, "real", "file"), "xy")
			up.sees(t, "1 bytes -> 2 bytes")
			up.Stop()
		}
		link, target := watchPath(t, l, "link"), watchPath(t, l, "link/")
		assert.Contains(t, describe(link.Current()), "link of ")
		assert.Equal(t, "dir", describe(target.Current()))
		link.Stop()
		target.Stop()

		// The working directory is a directory, not the path of the call of chdir.
		t.Chdir(filepath.Join(top, "link"))
		file := watchPath(t, l, "file")
		require.NoError(t, os.Mkdir(filepath.Join(top, "other"), 0o700))
		require.NoError(t, os.Remove(filepath.Join(top, "link")))
		symlink(t, "other", filepath.Join(top, "link"))
		writeFile(t, filepath.Join(top, "other", "file"), "other")
		quietly(t, l, file)
		writeFile(t, filepath.Join(top, "real", "dir", "file"), "x")
		file.sees(t, "nothing -> 1 bytes")
		t.Chdir(top)
	})
}

func TestStatOfARelativePathWithoutAWorkingDirectoryFails(t *testing.T) {
	needsWorkingDirectory(t)
	if runtime.GOOS == "windows" {
		t.Skip("does not remove it")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := filepath.Join(t.TempDir(), "dir")
		require.NoError(t, os.Mkdir(dir, 0o700))
		s := ev.NewStat(l, "file", 0, func(*ev.Stat) {})
		t.Chdir(dir)
		require.NoError(t, os.Remove(dir))
		err := s.Start()
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.ErrorContains(t, err, "ev: Stat.Start: getwd: ")
		assert.False(t, s.Active())
		absolute := watchPath(t, l, dir)
		require.NoError(t, os.Mkdir(dir, 0o700))
		absolute.sees(t, "nothing -> dir")
	})
}

func TestStatOfAPathWithoutAnyDirectory(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		path := filepath.Join(top, "a", "b", "c", "file")
		log := watchPath(t, l, path)
		for _, dir := range []string{"a", "a/b", "a/b/c"} {
			require.NoError(t, os.Mkdir(filepath.Join(top, dir), 0o700))
			nowait(t, l) // the watch follows
		}
		writeFile(t, path, "x")
		log.sees(t, "nothing -> 1 bytes")
		// A file in place of a directory counts as nothing.
		rename(t, filepath.Join(top, "a"), filepath.Join(top, "z"))
		log.sees(t, "1 bytes -> nothing")
		writeFile(t, filepath.Join(top, "a"), "in the way")
		nowait(t, l)
		require.NoError(t, os.Remove(filepath.Join(top, "a")))
		nowait(t, l)
		rename(t, filepath.Join(top, "z"), filepath.Join(top, "a"))
		log.sees(t, "nothing -> 1 bytes")
	})
}

func TestStatDoesNotFollowASymbolicLink(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
		symlink(t, "file", link)
		log := watchPath(t, l, link)
		assert.Equal(t, "link of 4", describe(log.Current()))
		writeFile(t, file, "x")
		writeFile(t, file, "xyz")
		quietly(t, l, log)
		symlink(t, "elsewhere", link+".tmp")
		rename(t, link+".tmp", link)
		log.sees(t, "link of 4 -> link of 9")
		require.NoError(t, os.Remove(link))
		log.sees(t, "link of 9 -> nothing")
		writeFile(t, link, "x")
		log.sees(t, "nothing -> 1 bytes")
	})
}

func symlink(t testing.TB, to, link string) {
	t.Helper()
	err := os.Symlink(to, link)
	if err == nil && runtime.GOOS == "windows" {
		_, err = os.Lstat(link) // Wine 8 makes none
	}
	if err != nil {
		t.Skip(err)
	}
}

func TestStatSeesALinkOnTheWayReplaced(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		for i, release := range []string{"r0", "r1", "r2"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, release), 0o700))
			writeFile(t, filepath.Join(dir, release, "file"), strings.Repeat("x", i))
		}
		current := filepath.Join(dir, "current")
		symlink(t, "r0", filepath.Join(dir, "stage")) // a link to a link
		symlink(t, filepath.Join(dir, "stage"), current)
		log := watchPath(t, l, filepath.Join(current, "file"))
		symlink(t, "r1", current+".tmp")
		rename(t, current+".tmp", current)
		log.sees(t, "0 bytes -> 1 bytes")
		symlink(t, "stage", current+".tmp")
		rename(t, current+".tmp", current)
		log.sees(t, "1 bytes -> 0 bytes")
		symlink(t, "r2", current+".tmp")
		rename(t, current+".tmp", filepath.Join(dir, "stage"))
		log.sees(t, "0 bytes -> 2 bytes")
		// A loop of links leads nowhere.
		symlink(t, "stage", current+".tmp")
		rename(t, current+".tmp", filepath.Join(dir, "stage"))
		log.sees(t, "2 bytes -> nothing")
		symlink(t, "r1/", current+".tmp")
		rename(t, current+".tmp", filepath.Join(dir, "stage"))
		log.sees(t, "nothing -> 1 bytes")
		rename(t, filepath.Join(dir, "r1"), filepath.Join(dir, "r9"))
		log.sees(t, "1 bytes -> nothing")
	})
}

func TestStatOfALinkWithASlashIsOfWhatItNames(t *testing.T) {
	needsFineTimes(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		link := filepath.Join(dir, "link")
		symlink(t, "target", link)
		log := watchPath(t, l, link+"/")
		assert.Nil(t, log.Current())
		require.NoError(t, os.Mkdir(filepath.Join(dir, "target"), 0o700))
		log.sees(t, "nothing -> dir")
		writeFile(t, filepath.Join(link, "file"), "")
		log.sees(t, "dir -> dir")
		require.NoError(t, os.Remove(link))
		log.sees(t, "dir -> nothing")
		writeFile(t, link, "not a directory")
		quietly(t, l, log)
	})
}

// Nothing changes in the directory of the path. The inode's number of links changes, or
// only the time of its last change.
func TestStatSeesWhatHappensToAnotherHardLink(t *testing.T) {
	needsFineTimes(t)
	if runtime.GOOS == "windows" {
		t.Skip("has no time of change to speak of")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		here, there := t.TempDir(), t.TempDir()
		path, other := filepath.Join(here, "file"), filepath.Join(there, "other")
		writeFile(t, path, "x")
		log := watchPath(t, l, path)
		for _, change := range []func(){
			func() { require.NoError(t, os.Link(path, other)) },
			func() { rename(t, other, other+".1") },
			func() { rename(t, other+".1", filepath.Join(here, "moved")) },
			func() { rename(t, filepath.Join(here, "moved"), other) },
			func() { chmod(t, other, 0o640) },
			func() { require.NoError(t, os.Remove(other)) },
			func() { require.NoError(t, os.Link(path, other)) },
			func() { // replaced
				writeFile(t, other+".2", "another file")
				rename(t, other+".2", other)
			},
		} {
			untilTheTimeMoves(t, there)
			change()
			log.sees(t, "1 bytes -> 1 bytes")
		}
		writeFile(t, other, "is nobody's business any more")
		quietly(t, l, log)
	})
}

// forbiddenName is the error for a name with a '*': ERROR_INVALID_NAME on Windows, none elsewhere.
var forbiddenName = map[string]error{"windows": syscall.Errno(123)}[runtime.GOOS]

func TestStatOfAnImpossiblePathFails(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for path, want := range map[string]error{
			"":                                fs.ErrNotExist,
			"a\x00b":                          syscall.EINVAL,
			strings.Repeat("x", 300):          syscall.ENAMETOOLONG,
			strings.Repeat("directory/", 1e4): syscall.ENAMETOOLONG,
			"a*b":                             forbiddenName,
		} {
			if want == nil {
				continue
			}
			s := ev.NewStat(l, path, 0, func(*ev.Stat) {})
			err := s.Start()
			assert.ErrorIs(t, err, want)
			assert.ErrorContains(t, err, "ev: Stat.Start: ")
			assert.False(t, s.Active())
			assert.Error(t, s.Stat())
		}
		assert.Zero(t, l.Active())
	})
}
