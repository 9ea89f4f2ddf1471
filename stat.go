package ev

import (
	"cmp"
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

// Stat calls back when the file that a path names has changed; libev's ev_stat. The path
// need not exist: appearing and vanishing are changes too. A Stat on a symbolic link watches
// the link or, with Follow, its target.
//
//	s := ev.NewStat(loop, "/etc/app.conf", 0, func(s *ev.Stat) { reload(s.Path()) })
//	if err := s.Start(); err != nil {
//		return err
//	}
//
// A change is a difference between the results of two looks (lstat; with Follow, stat): in the
// device, inode, mode, number of links, owner, device type, size, or one of the three times, as
// far as the system has these: WASI has neither permissions nor owners. On Windows it is a
// difference in the identity, mode, size, or time of modification. The time of access counts,
// except with Follow: reading the file can be a change.
//
// Changes between two looks collapse into one. These changes are not seen:
//
//   - changes that cancel each other between two looks;
//   - a change that keeps the size and falls within the granularity of the file's times.
//
// Start makes a relative path absolute, with the current working directory. A later chdir
// does not affect an active Stat.
//
// # Linux
//
// inotify reports changes promptly, and the Stat does not poll. It also reports that the path
// appears, that something is renamed over it or over a directory or link on the way to it,
// and that a file system is mounted over one of them or unmounted. A loop with Stats has
// three more descriptors: one of inotify, two for the mount table.
//
// Some changes have no event. The Stat finds them with the next change that has one:
//
//   - the file is only read, or only its time of access is set;
//   - only the time of modification of a directory is set (touch -m);
//   - the file is written through a memory mapping;
//   - a layer of an overlay file system is changed from below.
//
// # macOS and the BSDs
//
// kqueue reports changes of the file and of its directory promptly. Each Stat has three
// descriptors. It also polls, which finds the changes of links further up.
//
// # Polling
//
// A Stat looks once an Interval in these cases:
//
//   - on other systems, and with BackendChan;
//   - on file systems that are not known to be local: other machines or programs can change
//     NFS, SMB and FUSE, for example, without an event;
//   - for device files;
//   - if the file or a directory on the way to it cannot be read, or the kernel has no
//     inotify watches left;
//   - if /proc, which has the mount table, is not mounted.
//
// Files in /proc, /sys and cgroup directories are generated when they are read. lstat does
// not reflect their contents, and a Stat never sees these change. Watch such a file with a
// Timer that reads it, or with an IO if the kernel offers that.
//
// # Cost
//
// All looks are made on the loop's goroutine: if a file system hangs, the loop hangs. On Linux
// every directory on the way to the path is watched, the ways of links included. Each file made,
// removed or renamed in one of them, and each change of a mode, owner or time there, wakes the
// loop for some microseconds. The Stat looks only if the name is on its path. Avoid paths through
// very busy directories, such as /tmp. A change of the mount table makes every Stat look, which
// takes a few microseconds each.
type Stat struct {
	_        noCopy
	alarm                   // in the heap while there is a need to poll
	path     string         // as it was given
	at       pathwatch.Path // path made absolute by Start; "" while inactive
	interval time.Duration
	current  fs.FileInfo
	previous fs.FileInfo
	watch    pathwatch.Watch
	polling  bool // the last Update of watch was not reliable
	fn       func(*Stat)
}

// These are libev's intervals, chosen not to keep step with the program's own timers.
const (
	defaultStatInterval = 5007489100 * time.Nanosecond
	minStatInterval     = 107489100 * time.Nanosecond
)

// NewStat makes a Stat for a path. The path is not cleaned: ".." after a symbolic link is
// the parent of the link's target, and a slash at the end follows a link, as in lstat. The
// interval is used if the Stat has to poll. Intervals below about 0.1 seconds are raised to
// that, and 0 means the default of about 5 seconds. NewStat panics if l or fn is nil or
// interval is negative. Start reports errors of the path.
func NewStat(l *Loop, path string, interval time.Duration, fn func(*Stat), opts ...Option) *Stat {
	if interval < 0 {
		panic(fmt.Sprintf("ev: NewStat: negative interval %v", interval))
	}
	s := &Stat{path: path, interval: interval, fn: fn}
	s.watcher.init("NewStat", s, l, fn == nil, opts)
	return s
}

// Start begins to watch. It sets Current, and the first change is relative to that: there is
// no callback for a file that exists already. It has no effect on an active watcher. A path
// that does not exist is no error. Start returns
//
//   - ErrClosed on a closed loop;
//   - an error for a path that no file can have: empty, too long (it wraps
//     syscall.ENAMETOOLONG), with a zero byte (syscall.EINVAL), or, on Windows, with a
//     character that no name has, such as '*';
//   - an error that wraps fs.ErrNotExist if the path is relative and the working directory
//     has been removed.
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
		err = pathwatch.Check(at)
	}
	if err != nil {
		return s.startError(err)
	}
	if !s.begin() {
		return ErrClosed // by another goroutine, just now
	}
	s.at.Name = at
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
	s.current, _ = s.at.Look()
	return nil
}

// absolute puts the working directory before a relative path and leaves the rest alone:
// filepath.Abs would remove "link/.." and a slash at the end. The directory is the
// system's: os.Getwd may return $PWD, which can lead through a link that is changed later.
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

// Follow makes a Stat report what its path resolves to, as os.Stat does, instead of a symbolic
// link that the path names. There is a callback when the target changes, and when a link on the
// way leads to another target, the last one included: when a link of a Kubernetes ConfigMap is
// swapped, for example. The time of access does not count, so a callback may read the file.
//
// A link that leads to nothing, or in a circle, is a path that does not exist.
func Follow(on bool) Option { return followOption(on) }

type followOption bool

func (o followOption) apply(w *watcher) {
	s, ok := w.self.(*Stat)
	if !ok {
		panic("ev: New" + kindOf(w.self) + ": Follow is an option of NewStat")
	}
	s.at.Follow = bool(o)
}

// Path returns the path as it was given. It is safe for concurrent use.
func (s *Stat) Path() string { return s.path }

// Interval returns the time between two looks of a Stat that polls. Before the first Start
// it is the argument of NewStat; Start applies the default and the minimum.
func (s *Stat) Interval() time.Duration {
	s.own("Interval")
	return s.interval
}

// Current returns the result of the last look. It is nil if the path did not exist, if the
// look failed, or before the first one.
func (s *Stat) Current() fs.FileInfo {
	s.own("Current")
	return s.current
}

// Previous returns the result of the look before the last change. It is nil if the path did
// not exist. In a callback for a change it differs from Current.
func (s *Stat) Previous() fs.FileInfo {
	s.own("Previous")
	return s.previous
}

// Stat looks now and updates Current (ev_stat_stat). A difference found here does not
// trigger the callback, so code that changes the file itself can call Stat to acknowledge
// its own change. A change found before stays pending. Stat also works on an inactive
// watcher; a relative path then begins at the current working directory. If the look fails,
// Stat returns its error, and Current is nil. The error wraps fs.ErrNotExist if the path
// does not exist.
func (s *Stat) Stat() error {
	s.own("Stat")
	at := s.at
	at.Name = cmp.Or(at.Name, s.path)
	now, err := at.Look()
	if s.pending && !at.Same(s.current, now) {
		s.previous = s.current // otherwise it could equal Current in that callback
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
	s.at.Name = ""
	if s.alarm.armed() {
		s.loop.timers.remove(&s.alarm)
	}
}

// armed reports whether the Stat will look again. Verify calls it.
func (s *Stat) armed() bool { return s.alarm.armed() || !s.polling }

// pathTable returns what the Stats of a loop share. The first Stat makes it.
func (l *Loop) pathTable() *pathwatch.Table {
	if l.paths == nil {
		l.paths = pathwatch.NewTable(l.ownFD)
	}
	return l.paths
}

// update watches the path anew, and polls if that is not reliable.
func (s *Stat) update() {
	s.polling = !s.watch.Update()
	timers := &s.loop.timers
	switch {
	case s.polling && !s.alarm.armed():
		timers.add(&s.alarm, after(s.loop.now(), s.interval))
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
	now, _ := s.at.Look()
	if s.at.Same(s.current, now) {
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
