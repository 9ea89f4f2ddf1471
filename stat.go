package ev

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/goevlib/ev/internal/pathwatch"
)

// Stat calls back when what a path names has changed; libev's ev_stat. The path
// need not exist: that it appears or vanishes is a change too. Symbolic links are
// not followed: a Stat on one watches the link.
//
// A change is a difference between two looks (lstat): in the device, inode, mode,
// number of links, owner, device type, size, or one of the three times, as far as
// the system has these; elsewhere in the identity, mode, size, or time of
// modification. Changes between two looks collapse into one, and those that cancel
// each other are not seen, nor is one that leaves the size and falls within the
// granularity of the file's times. The time of access counts: to read the file
// can be a change.
//
// A relative path is made absolute by Start, with the working directory of that
// moment. A later chdir does not change what an active Stat watches.
//
// # Linux
//
// The kernel tells the loop when to look again, promptly: also when the path
// appears, when something is renamed over it or over a directory or link on the
// way to it, and when a file system is mounted over one of them or unmounted.
// There is no polling then. A loop with Stats has three more descriptors: one of
// inotify, two for the mount table.
//
// Some changes make no event, and are noticed with the next change that does:
//
//   - the file is merely read, or its time of access alone is set;
//   - the time of modification alone of a directory is set (touch -m);
//   - the file is written through a memory mapping;
//   - a layer of an overlay file system is changed from below.
//
// # macOS and the BSDs
//
// kqueue tells of the file and of the directory that it is in, at the cost of
// three descriptors. Polling goes on beside it.
//
// # Polling
//
// A Stat looks every Interval, and misses what comes and goes within one:
//
//   - on other systems, and on BackendChan;
//   - on file systems not known to be local: other machines or programs may change
//     NFS, SMB and FUSE, for example, without an event;
//   - for device files;
//   - where a file or a directory on the way to it may not be read, or the kernel has
//     no more inotify watches to give;
//   - where /proc is not mounted: it has the mount table.
//
// Files in /proc, /sys and cgroup directories are made up when they are read.
// lstat says nothing of their contents, so a Stat never sees these change. Watch
// such a file with a Timer that reads it, or with an IO if the kernel offers that.
//
// # Cost
//
// All looks are made on the loop's goroutine: a file system that hangs hangs the
// loop. On Linux every directory on the way to the path is watched. Each file made,
// removed or renamed in one of them, and each change of a mode, owner or time
// there, wakes the loop for some microseconds, though no Stat looks unless the
// name is on its path. Keep what is watched out of directories that are very busy,
// such as /tmp. A change of the mount table makes every Stat look, which takes a
// few microseconds for each.
type Stat struct {
	_        noCopy
	alarm           // in the heap while there is a need to poll
	path     string // as it was given
	at       string // path made absolute by Start; "" while inactive
	interval time.Duration
	current  fs.FileInfo
	previous fs.FileInfo
	watch    pathwatch.Watch
	polling  bool // the last Update of watch was not reliable
	fn       func(*Stat)
}

// libev's intervals: numbers that do not keep step with the program's own timers.
const (
	defaultStatInterval = 5007489100 * time.Nanosecond
	minStatInterval     = 107489100 * time.Nanosecond
)

// NewStat makes a Stat for a path, which is not cleaned: ".." after a symbolic link
// is the parent of what the link names, and a slash at the end follows a link, as
// in lstat. Start makes a relative path absolute. The interval is for where the
// Stat has to poll; 0 is the default of about 5 seconds, and shorter ones than
// about 0.1 seconds are raised to that. It panics when l or fn is nil or interval
// is negative; what is wrong with the path, Start reports.
func NewStat(l *Loop, path string, interval time.Duration, fn func(*Stat), opts ...Option) *Stat {
	if interval < 0 {
		panic(fmt.Sprintf("ev: NewStat: negative interval %v", interval))
	}
	s := &Stat{path: path, interval: interval, fn: fn}
	s.watcher.init("NewStat", s, l, fn == nil, opts)
	return s
}

// Start takes the snapshot that the first change is relative to, and begins to
// watch. There is no callback for what is there already. It has no effect on an
// active watcher. A path that does not exist is no error, but one that cannot is:
// empty, too long (syscall.ENAMETOOLONG), or with a zero byte (syscall.EINVAL). So
// is a relative path when there is no working directory any more (fs.ErrNotExist).
// On a closed loop it returns ErrClosed.
func (s *Stat) Start() error {
	s.own("Start")
	if s.index != 0 {
		return nil
	}
	if s.loop.isClosed() {
		return ErrClosed
	}
	at, err := absolute(s.path)
	if err == nil {
		err = checkPath(at)
	}
	if err != nil {
		return fmt.Errorf("ev: Stat.Start: %w", err)
	}
	if !s.begin() {
		return ErrClosed // meanwhile
	}
	s.at = at
	switch {
	case s.interval == 0:
		s.interval = defaultStatInterval
	case s.interval < minStatInterval:
		s.interval = minStatInterval
	}
	if s.loop.backend != BackendChan {
		s.watch.Open(s.loop.pathTable(), s.at, s.notify)
	}
	s.update()
	s.current, _ = pathwatch.Lstat(s.at)
	return nil
}

// absolute puts the working directory before a relative path, and leaves the rest
// of it alone: filepath.Abs would take "link/.." for nothing, and drop a slash at
// the end. It asks the system for the directory: os.Getwd may return $PWD, which
// can lead through a link that is changed later.
func absolute(path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	if runtime.GOOS == "windows" { // the system itself cleans paths, and C:name is relative
		full, err := filepath.Abs(path)
		if err == nil && os.IsPathSeparator(path[len(path)-1]) {
			full += string(filepath.Separator)
		}
		return full, err
	}
	dir, err := syscall.Getwd()
	if err != nil {
		return "", os.NewSyscallError("getwd", err)
	}
	return strings.TrimSuffix(dir, "/") + "/" + path, nil
}

// checkPath fails for a path that no file can have.
func checkPath(path string) error {
	_, err := os.Lstat(path)
	if path == "" || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENAMETOOLONG) {
		return err
	}
	return nil
}

// Path returns the path, as it was given. Any goroutine may call it.
func (s *Stat) Path() string { return s.path }

// Interval returns the time between two looks where the Stat has to poll: what
// NewStat was given, and since the first Start what is made of it.
func (s *Stat) Interval() time.Duration {
	s.own("Interval")
	return s.interval
}

// Current returns what the last look found: nil if the path did not exist, could
// not be looked at, or was not looked at yet.
func (s *Stat) Current() fs.FileInfo {
	s.own("Current")
	return s.current
}

// Previous returns what the look before the last change found, nil if the path
// did not exist. In a callback for a change it differs from Current.
func (s *Stat) Previous() fs.FileInfo {
	s.own("Previous")
	return s.previous
}

// Stat looks now and updates Current (ev_stat_stat). What it finds is no change
// to call back for: a callback, or whoever changes the file, can so get even. A
// change found before stays pending. It works on an inactive watcher too, for which
// a relative path begins at the working directory of the moment. It fails when the
// path cannot be looked at, with fs.ErrNotExist when nothing is there; Current is
// nil then.
func (s *Stat) Stat() error {
	s.own("Stat")
	now, err := pathwatch.Lstat(cmp.Or(s.at, s.path))
	if s.pending && !pathwatch.Same(s.current, now) {
		s.previous = s.current // or it might be equal to Current in that callback
	}
	s.current = now
	if err != nil {
		return fmt.Errorf("ev: Stat.Stat: %w", err)
	}
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (s *Stat) SetCallback(fn func(*Stat)) {
	s.own("SetCallback")
	s.checkCallback(fn == nil)
	s.fn = fn
}

func (s *Stat) call()         { s.fn(s) }
func (s *Stat) callback() any { return s.fn }

func (s *Stat) onStop() {
	s.watch.Close()
	s.at = ""
	if s.alarm.armed() {
		s.loop.timers.remove(&s.alarm)
	}
}

// armed reports whether something will have the Stat look again.
func (s *Stat) armed() bool { return s.alarm.armed() || !s.polling }

// pathTableKey is the key of a loop's pathwatch.Table, which is kept from the first
// Stat on.
type pathTableKey struct{}

func (l *Loop) pathTable() *pathwatch.Table {
	t, _ := l.kept[pathTableKey{}].(*pathwatch.Table)
	if t == nil {
		t = pathwatch.NewTable(l.ownFD)
		l.keep(pathTableKey{}, t)
	}
	return t
}

// ownFD is watchFD for a descriptor that free closes: with release, with the loop, or if
// it fails. free must not refer to the loop.
func (l *Loop) ownFD(fd int, free func(), ready func(lost bool)) (release func(), err error) {
	opened := l.resources.add(free)
	stop, err := l.watchFD(fd, Read, func(got Events) { ready(got == Error) })
	if err != nil {
		opened.release()
		return nil, err
	}
	return func() {
		stop()
		opened.release()
	}, nil
}

// update watches the path anew, and polls if that is not reliable.
func (s *Stat) update() {
	s.polling = !s.watch.Update()
	timers := &s.loop.timers
	switch {
	case s.polling && !s.alarm.armed():
		timers.add(&s.alarm, after(s.loop.mono, s.interval))
	case !s.polling && s.alarm.armed():
		timers.remove(&s.alarm)
	}
}

// notify is called in the poll phase when the system has reported a change; see
// pathwatch.Notify.
func (s *Stat) notify(moved bool) (changed bool) {
	if moved {
		s.update()
	}
	return s.look()
}

// look makes the watcher pending if something has changed, and reports whether.
// Previous is the result of the last look, not of the last callback. So it always
// differs from Current, also when changes cancel each other before the callback.
func (s *Stat) look() (changed bool) {
	now, _ := pathwatch.Lstat(s.at)
	if pathwatch.Same(s.current, now) {
		return false
	}
	s.previous, s.current = s.current, now
	s.loop.pending.mark(&s.watcher, StatEvent)
	return true
}

// expire polls. The path may name another file than the one watched, or there may be
// room for its watches now.
func (s *Stat) expire(_, now time.Duration) {
	s.loop.timers.add(&s.alarm, after(now, s.interval))
	if s.look() || s.watch.Retry() {
		s.update()
	}
	if !s.polling {
		s.look() // a change between the two was not reported
	}
}
