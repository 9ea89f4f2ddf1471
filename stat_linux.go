package ev

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

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
//	e. A file that has another hard link changes when that is made, renamed or
//	   removed, and no directory on the way tells. The inode tells of all three.
//	f. A directory's watch tells what happens to the inodes of its entries, too. So
//	   what is asked of it wakes the loop for each of these; see endsMask.
//	g. Mounts are not its business; see watchMounts.
//	h. Reading a file is an event only for those who ask; nobody does here, or the
//	   callback that reads the file would be called for ever.

// inotify is a loop's inotify descriptor: made with the first Stat, closed with
// the last. The loop keeps it, under inotifyKey.
type inotify struct {
	loop    *Loop
	fd      int
	opened  *resource // fd
	stop    func()    // of watchFD
	mounts  func()    // stop of watchMounts; nil: the mount table is not watched
	orders  uint64
	stats   statSet
	watches map[int32]*watched
	dirty   []*Stat
	buf     [16 << 10]byte // for at least one event with the longest name
}

type inotifyKey struct{}

// statNotice is what one Stat watches by inotify.
type statNotice struct {
	in      *inotify // nil: the loop has none
	order   uint64   // among its Stats
	clues   []clue
	failed  bool // not all could be watched
	blind   bool // the mount table was not watched
	dirty   bool // it is in inotify.dirty
	stirred bool // one of the events tells of a move
}

// watched is an inode.
type watched struct {
	id      inodeID            // what it was found as
	through map[string]statSet // whose path goes on by the entry of that name
	ends    statSet            // whose path ends here
}

type statSet map[*Stat]struct{}

// clue is what a Stat wants to know of a watch: of an entry of the directory, or,
// without a name, of the inode that its path ends at.
type clue struct {
	watch int32
	path  string // by which the inode was found
	name  string
}

// inodeID is 0 for none.
type inodeID struct{ dev, ino uint64 }

func inodeAt(path string) inodeID {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return inodeID{}
	}
	return inodeID{uint64(st.Dev), st.Ino}
}

// open joins the loop's inotify. A failure (EMFILE: 128 per user are usual) means
// to poll.
func (sn *statNotice) open(s *Stat) {
	l := s.loop
	if l.backend == BackendChan {
		return
	}
	in, _ := l.kept[inotifyKey{}].(*inotify)
	if in == nil {
		var err error
		if in, err = newInotify(l); err != nil {
			return
		}
	}
	in.orders++
	in.stats[s] = struct{}{}
	sn.in, sn.order = in, in.orders
}

func newInotify(l *Loop) (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	in := &inotify{loop: l, fd: fd, stats: make(statSet), watches: make(map[int32]*watched)}
	in.opened = l.resources.add(func() { _ = unix.Close(fd) })
	if in.stop, err = l.watchFD(fd, Read, in.read); err != nil {
		in.opened.release()
		return nil, err
	}
	in.watchMounts()
	l.keep(inotifyKey{}, in)
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
	if len(in.stats) == 0 {
		in.close()
	}
}

func (in *inotify) close() {
	in.stop()
	in.opened.release()
	if in.mounts != nil {
		in.mounts()
	}
	delete(in.loop.kept, inotifyKey{})
}

// watchMounts has the mount table watched if it is not. It reports whether it is.
func (in *inotify) watchMounts() bool {
	if in.mounts == nil {
		stop, err := in.loop.watchMounts(in.remounted)
		if err != nil {
			return false
		}
		in.mounts = stop
	}
	return true
}

// remounted is called when the mount table has changed. No inode tells of that, so
// every Stat looks. That is not enough: a path may lead through other inodes now
// although it names nothing before and after. So the directories are compared, each
// once, since the Stats share them.
func (in *inotify) remounted(got Events) {
	if got == Error {
		in.mounts()
		in.mounts = nil // the Stats poll, and try again when they do
	}
	now := make(map[string]inodeID)
	for s := range in.stats {
		in.mark(s, in.mounts == nil || in.rerouted(s, now))
	}
	in.lookAgain()
}

// rerouted reports whether a path on the way of s leads to another inode than the one
// that is watched. It completes now, in which are the paths compared before.
func (in *inotify) rerouted(s *Stat, now map[string]inodeID) bool {
	for _, c := range s.notice.clues {
		id, known := now[c.path]
		if !known {
			id = inodeAt(c.path)
			now[c.path] = id
		}
		if w := in.watches[c.watch]; w == nil || w.id != id {
			return true
		}
	}
	return false
}

// retry opens the mount table before watch walks the path, as a directory is
// watched before its entry is looked up (note d).
func (sn *statNotice) retry() bool {
	return sn.failed || sn.blind && sn.in.watchMounts()
}

// watch starts from nothing, so that masks do not grow for ever (note c). What
// happens before the new watches are there, the look that follows sees.
func (sn *statNotice) watch(s *Stat) bool {
	if sn.in == nil {
		return false
	}
	sn.in.release(s)
	told, err := sn.in.walk(s)
	sn.failed, sn.blind = err != nil, sn.in.mounts == nil
	return told && !sn.failed && !sn.blind
}

func (in *inotify) release(s *Stat) {
	for _, c := range s.notice.clues {
		w := in.watches[c.watch]
		if w == nil {
			continue // the path came by it twice
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

// add watches one inode for a Stat: a directory for the entry of that name, or
// what the path ends at for all that happens to it.
func (in *inotify) add(s *Stat, path, name string, mask uint32) error {
	// Before the watch: if another inode comes between the two, it is the one watched,
	// with an id that is not its own. Then rerouted is true too often, never too seldom.
	id := inodeAt(path)
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
			w = &watched{id: id, through: make(map[string]statSet), ends: make(statSet)}
			in.watches[watch] = w
		}
		w.add(s, name)
		s.notice.clues = append(s.notice.clues, clue{watch, path, name})
		return nil
	}
}

// read is called in the poll phase. It reads once: if there is more, the
// descriptor stays readable.
func (in *inotify) read(got Events) {
	n, err := unix.Read(in.fd, in.buf[:])
	if got == Error || n <= 0 && err != unix.EAGAIN && err != unix.EINTR {
		in.lose()
		return
	}
	in.parse(in.buf[:max(n, 0)])
	in.lookAgain()
}

// lookAgain has the Stats look that are dirty.
func (in *inotify) lookAgain() {
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
// of an entry in the directory watched. If the inode is gone, all its Stats watch
// anew, and so release it: the kernel then refuses to end the watch once more.
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
	default: // IN_ATTRIB: the entry's inode may be a directory that is not asked itself
		in.markAll(w.through[name], false)
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
