package ev

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
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
//	   in every directory on the way the entry by which it goes on stays what it is,
//	   or stays missing. So all these directories are watched, for that entry, and
//	   what the path ends at. They are many watches, but of few inodes: Stats share
//	   them.
//	b. That an inode itself was moved or deleted is not to be relied on. A directory
//	   that somebody has open, or looked into at the moment when it was removed,
//	   tells nothing before the kernel forgets it, which may be never; and who adds
//	   a watch may get it for an inode that was moved away just before. Only the
//	   directory tells at once, after the change can be seen, and always.
//	c. Adding a watch for an inode that has one gives the same number. Its mask
//	   can be made to grow (IN_MASK_ADD), which leaves the others' part alone; that
//	   it does not shrink again before the last of them is gone costs a wake-up
//	   now and then. Numbers are not used again.
//	d. Whoever adds a watch and then looks misses nothing. So a directory is watched
//	   before its entry is looked up, from the root on, and lstat comes last: what
//	   changes meanwhile is an event.
//	e. Reading a file is an event only for those who ask; nobody does here, or the
//	   callback that reads the file would be called for ever.

// inotify is a loop's inotify descriptor: made with the first Stat, closed with
// the last.
type inotify struct {
	fd      int
	stop    func() // of watchFD
	opened  uint64
	stats   statSet
	watches map[int32]*watched
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

// watched is an inode.
type watched struct {
	through map[string]statSet // whose path goes on by the entry of that name
	ends    statSet            // whose path ends here
}

type statSet map[*Stat]struct{}

// clue is what a Stat wants to know of a watch: of an entry of the directory, or,
// without a name, of the inode that its path ends at.
type clue struct {
	watch int32
	name  string
}

const (
	entryMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	wayMask   = entryMask | unix.IN_ATTRIB // who may pass has changed, perhaps
	endsMask  = wayMask | unix.IN_MODIFY
	goneMask  = unix.IN_IGNORED | unix.IN_UNMOUNT // they come unasked
)

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
	in := &inotify{fd: fd, stats: make(statSet), watches: make(map[int32]*watched)}
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

// watch starts from nothing, so that masks do not grow for ever (note c). What
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
		w := in.watches[c.watch]
		if w == nil {
			continue // the inode is gone, or the path came by it twice
		}
		if w.remove(s, c.name); len(w.through) == 0 && len(w.ends) == 0 {
			delete(in.watches, c.watch)
			_, _ = unix.InotifyRmWatch(in.fd, uint32(c.watch))
		}
	}
	s.notice.clues = s.notice.clues[:0]
}

func (w *watched) add(s *Stat, name string) {
	if name == "" {
		w.ends[s] = struct{}{}
		return
	}
	if w.through[name] == nil {
		w.through[name] = make(statSet)
	}
	w.through[name][s] = struct{}{}
}

func (w *watched) remove(s *Stat, name string) {
	if name == "" {
		delete(w.ends, s)
		return
	}
	delete(w.through[name], s)
	if len(w.through[name]) == 0 {
		delete(w.through, name)
	}
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
	local = true
	for links := 0; len(names) > 0; {
		name, next := names[0], strings.TrimSuffix(at, "/")+"/"+names[0]
		if err := in.add(s, at, name); err != nil {
			return local, unlessGone(err)
		}
		local = local && isLocal(at)
		if len(names) == 1 {
			at = next
			break
		}
		to, err := os.Readlink(next)
		switch {
		case err == nil && links == maxLinks:
			return local, nil
		case err == nil:
			links++
			var more []string
			at, more = split(at, to)
			names = append(more, names[1:]...)
		case errors.Is(err, unix.EINVAL): // not a link
			at, names = next, names[1:]
		default:
			return local, unlessGone(err)
		}
	}
	if err := in.add(s, at, ""); err != nil {
		return local, unlessGone(err)
	}
	return local && isLocal(at), nil
}

// unlessGone takes it for an answer that something does not exist, or that a file
// is where a directory should be. The directory before it is watched: when it
// comes, or if it went just now, there is an event.
func unlessGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

// split takes a path that is relative to dir apart: where it begins, and the
// names that follow.
func split(dir, path string) (at string, names []string) {
	if filepath.IsAbs(path) {
		dir = "/"
	}
	return dir, strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// add watches one inode for a Stat: a directory for the entry of that name, or
// what the path ends at for all that happens to it.
func (in *inotify) add(s *Stat, path, name string) error {
	mask := uint32(wayMask)
	if name == "" {
		mask = endsMask
	}
	for {
		n, err := unix.InotifyAddWatch(in.fd, path, mask|unix.IN_DONT_FOLLOW|unix.IN_MASK_ADD)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		watch := int32(n)
		w := in.watches[watch]
		if w == nil {
			w = &watched{through: make(map[string]statSet), ends: make(statSet)}
			in.watches[watch] = w
		}
		w.add(s, name)
		s.notice.clues = append(s.notice.clues, clue{watch, name})
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
func (in *inotify) read(got Events) {
	n, err := unix.Read(in.fd, in.buf[:])
	if got == Error || n <= 0 && err != unix.EAGAIN && err != unix.EINTR {
		in.lose()
		return
	}
	in.parse(in.buf[:max(n, 0)])
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

// lose has the Stats poll: there will be no more notices.
func (in *inotify) lose() {
	for s := range in.stats {
		s.notice.close(s)
		s.noticed(true)
	}
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
			in.markAll(in.stats, true)
			continue
		}
		in.tell(watch, mask, name)
	}
}

// tell makes those Stats dirty that one event matters to. A name says that it is
// of an entry in the directory watched.
func (in *inotify) tell(watch int32, mask uint32, name string) {
	w := in.watches[watch]
	if w == nil {
		return // of before the last one was not interested any more
	}
	gone := mask&goneMask != 0
	switch {
	case gone, name == "":
		for _, through := range w.through {
			in.markAll(through, true)
		}
		in.markAll(w.ends, gone)
	case mask&entryMask != 0:
		in.markAll(w.through[name], true)
		in.markAll(w.ends, false)
	}
	if mask&unix.IN_IGNORED != 0 {
		delete(in.watches, watch)
	}
}

func (in *inotify) markAll(stats statSet, moved bool) {
	for s := range stats {
		in.mark(s, moved)
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
