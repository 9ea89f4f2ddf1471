package ev

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What one must know about inotify:
//
//	a. It watches inodes, not paths. A path goes on to mean the same file as long as
//	   every directory and symbolic link on the way stays what and where it is, so
//	   all of these are watched too, and the directory in which something is
//	   missing. They are many watches, but of few inodes: Stats share them.
//	b. Adding a watch for an inode that has one gives the same number. Its mask
//	   can be made to grow (IN_MASK_ADD), which leaves the others' part alone; that
//	   it does not shrink again before the last of them is gone costs a wake-up
//	   now and then. Numbers are not used again.
//	c. Whoever adds a watch and then looks misses nothing. So watches are added
//	   from the root on, then comes lstat; what changes meanwhile is an event.
//	d. Reading a file is an event only for those who ask; nobody does here, or the
//	   callback that reads the file would be called for ever.

// inotify is a loop's inotify descriptor: made with the first Stat, closed with
// the last.
type inotify struct {
	fd      int
	stop    func() // of watchFD
	opened  uint64
	stats   map[*Stat]struct{}
	watches map[int32]map[*Stat]struct{} // who is interested, by watch
	dirty   []*Stat
	buf     [16 << 10]byte // for at least one event with the longest name
}

// inotifies has the loops' inotify descriptors. They are not in Loop, which knows
// no kind of watcher.
var inotifies = struct {
	mu sync.Mutex
	of map[*Loop]*inotify
}{of: make(map[*Loop]*inotify)}

// statNotice is what one Stat watches by inotify.
type statNotice struct {
	in      *inotify // nil: the loop has none
	order   uint64   // among its Stats
	clues   []clue
	failed  bool // not all could be watched
	dirty   bool // it is in inotify.dirty
	stirred bool // one of the events tells of a move
}

// clue is an event that matters to a Stat.
type clue struct {
	watch int32
	role  role
	name  string // for missing
}

type role uint8

const (
	way     role = iota // a directory or link on the way: where it is, what it is
	missing             // the directory in which name is not: that it appears
	target              // what the path names: everything
)

const (
	selfMask    = unix.IN_ATTRIB | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
	entryMask   = unix.IN_CREATE | unix.IN_MOVED_TO
	contentMask = entryMask | unix.IN_DELETE | unix.IN_MOVED_FROM
	endMask     = unix.IN_IGNORED | unix.IN_UNMOUNT
)

var maskOf = [...]uint32{way: selfMask, missing: selfMask | entryMask, target: selfMask | contentMask | unix.IN_MODIFY}

// open joins the loop's inotify. A failure (EMFILE: 128 per user are usual) means
// to poll.
func (sn *statNotice) open(s *Stat) {
	l := s.loop
	if l.backend == BackendChan {
		return
	}
	inotifies.mu.Lock()
	in := inotifies.of[l]
	inotifies.mu.Unlock()
	if in == nil {
		var err error
		if in, err = newInotify(l); err != nil {
			return
		}
	}
	in.opened++
	in.stats[s] = struct{}{}
	sn.in, sn.order = in, in.opened
}

func newInotify(l *Loop) (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	in := &inotify{fd: fd, stats: make(map[*Stat]struct{}), watches: make(map[int32]map[*Stat]struct{})}
	if in.stop, err = l.watchFD(fd, Read, in.read); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	inotifies.mu.Lock()
	defer inotifies.mu.Unlock()
	inotifies.of[l] = in
	return in, nil
}

func (sn *statNotice) close(s *Stat) {
	in := sn.in
	if in == nil {
		return
	}
	in.release(s)
	delete(in.stats, s)
	*sn = statNotice{clues: sn.clues}
	if len(in.stats) > 0 {
		return
	}
	in.stop()
	_ = unix.Close(in.fd)
	inotifies.mu.Lock()
	defer inotifies.mu.Unlock()
	delete(inotifies.of, s.loop)
}

func (sn *statNotice) incomplete() bool { return sn.failed }

// watch starts from nothing, so that masks do not grow for ever (note b). What
// happens before the new watches are there, the look that follows sees.
func (sn *statNotice) watch(s *Stat) bool {
	if sn.in == nil {
		return false
	}
	sn.in.release(s)
	local, err := sn.in.walk(s)
	sn.failed = err != nil
	return local && err == nil
}

func (in *inotify) release(s *Stat) {
	for _, c := range s.notice.clues {
		users := in.watches[c.watch]
		if delete(users, s); users != nil && len(users) == 0 {
			delete(in.watches, c.watch)
			_, _ = unix.InotifyRmWatch(in.fd, uint32(c.watch))
		}
	}
	s.notice.clues = s.notice.clues[:0]
}

// maxLinks is how many symbolic links the kernel follows in a path.
const maxLinks = 40

// walk watches everything that the meaning of the path depends on, as the kernel
// would resolve it. It reports whether all of it is on local file systems, and
// fails when something cannot be watched.
func (in *inotify) walk(s *Stat) (local bool, err error) {
	at, names := split(".", s.path)
	if strings.HasSuffix(s.path, "/") {
		names = append(names, ".") // a link is followed then
	}
	if err := in.add(s, at, way, ""); err != nil {
		return false, err
	}
	local = isLocal(at)
	for links := 0; len(names) > 0; {
		name, next, r := names[0], strings.TrimSuffix(at, "/")+"/"+names[0], way
		if len(names) == 1 {
			r = target
		}
		err := in.add(s, next, r, "")
		if err == unix.ENOENT {
			if err = in.add(s, at, missing, name); err == nil {
				err = in.add(s, next, r, "") // it may have come just before
			}
		}
		switch err {
		case nil:
		case unix.ENOENT, unix.ENOTDIR:
			// Nothing is there, or a file is in the way; or what was there a moment
			// ago is not, and that is an event.
			return local, nil
		default:
			return false, err
		}
		to, notLink := os.Readlink(next)
		switch {
		case notLink != nil:
			at, names = next, names[1:]
			local = local && isLocal(at)
		case r == target || links == maxLinks:
			return local, nil
		default:
			links++
			var more []string
			at, more = split(at, to)
			names = append(more, names[1:]...)
		}
	}
	return local, nil
}

// split takes a path that is relative to dir apart: where it begins, and the
// names that follow.
func split(dir, path string) (at string, names []string) {
	if filepath.IsAbs(path) {
		dir = "/"
	}
	return dir, strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// add watches one inode for a Stat.
func (in *inotify) add(s *Stat, path string, r role, name string) error {
	for {
		n, err := unix.InotifyAddWatch(in.fd, path, maskOf[r]|unix.IN_DONT_FOLLOW|unix.IN_MASK_ADD)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		watch := int32(n)
		users := in.watches[watch]
		if users == nil {
			users = make(map[*Stat]struct{})
			in.watches[watch] = users
		}
		users[s] = struct{}{}
		s.notice.clues = append(s.notice.clues, clue{watch, r, name})
		return nil
	}
}

// isLocal reports whether the kernel knows of all that happens on the file system
// of path. One that is not in the list may be a remote one, or make up its
// contents as it is read.
func isLocal(path string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC,
		unix.EXFAT_SUPER_MAGIC, unix.REISERFS_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC,
		unix.ISOFS_SUPER_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.UDF_SUPER_MAGIC, unix.JFFS2_SUPER_MAGIC,
		jfsMagic, ntfsMagic, zfsMagic, bcachefsMagic:
		return true
	}
	return false
}

// Those that golang.org/x/sys/unix does not have.
const (
	jfsMagic      = 0x3153464a
	ntfsMagic     = 0x7366746e // ntfs3, the kernel's own
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)

// read is called in the poll phase. It reads once: if there is more, the
// descriptor stays readable.
func (in *inotify) read(Events) {
	n, err := unix.Read(in.fd, in.buf[:])
	if err != nil || n <= 0 {
		return
	}
	in.parse(in.buf[:n])
	// The order is that of the starts: a map's would be another each time.
	slices.SortFunc(in.dirty, func(a, b *Stat) int { return cmp.Compare(a.notice.order, b.notice.order) })
	for _, s := range in.dirty {
		moved := s.notice.stirred
		s.notice.dirty, s.notice.stirred = false, false
		s.noticed(moved)
	}
	clear(in.dirty)
	in.dirty = in.dirty[:0]
}

// noticed is called when something has happened to the path; with moved, perhaps
// to what it names or how that is reached, so that other things are to be watched
// now.
func (s *Stat) noticed(moved bool) {
	if moved {
		s.watch()
	}
	s.look()
}

// parse makes those Stats dirty that the events matter to.
func (in *inotify) parse(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		watch := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		size := binary.NativeEndian.Uint32(events[12:])
		events = events[unix.SizeofInotifyEvent:]
		name := string(bytes.TrimRight(events[:size], "\x00"))
		events = events[size:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			for s := range in.stats {
				in.mark(s, true)
			}
			continue
		}
		users := in.watches[watch]
		for s := range users {
			if matters, moved := s.notice.matters(watch, mask, name); matters {
				in.mark(s, moved)
			}
		}
		if mask&unix.IN_IGNORED != 0 {
			delete(in.watches, watch)
		}
	}
}

func (in *inotify) mark(s *Stat, moved bool) {
	sn := &s.notice
	sn.stirred = sn.stirred || moved
	if !sn.dirty {
		sn.dirty = true
		in.dirty = append(in.dirty, s)
	}
}

// matters reports whether the Stat has to look because of an event, and whether
// the path may lead elsewhere now. A name says that the event is of an entry in
// the directory watched.
func (sn *statNotice) matters(watch int32, mask uint32, name string) (matters, moved bool) {
	for _, c := range sn.clues {
		if c.watch != watch {
			continue
		}
		switch {
		case mask&endMask != 0, name == "" && mask&selfMask != 0:
			return true, true
		case c.role == missing && name == c.name && mask&entryMask != 0:
			return true, true
		case c.role == target && (name == "" && mask&unix.IN_MODIFY != 0 || mask&contentMask != 0):
			matters = true
		}
	}
	return matters, false
}
