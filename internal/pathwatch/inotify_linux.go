package pathwatch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Notes on inotify:
//
//	a. It watches inodes, not paths. A path keeps its meaning while, in every directory
//	   on the way, the entry that it goes through stays what it is, or stays missing.
//	   So each of these directories is watched for its entry, and the inode at the end
//	   of the path for everything. These are many watches, but of few inodes: Watches
//	   share them.
//	b. Events on an inode about its own move or deletion are unreliable: they can be
//	   late or never come. If a directory is removed while it is open or being looked
//	   into, there is no event before the kernel forgets the inode. And a new watch can
//	   be of an inode that was moved away just before. Rely on the parent directory's
//	   events: they come at once, after the change is visible, and always.
//	c. Adding a watch for an inode that has one returns the same number. IN_MASK_ADD
//	   makes its mask grow, which leaves the bits of the others alone. The mask does not
//	   shrink before the last of them has gone, which costs a wake-up now and then.
//	   Numbers are not used again.
//	d. Adding a watch and then looking misses nothing. So a directory is watched before
//	   its entry is looked up, from the root on, and the caller's lstat comes last:
//	   changes made meanwhile are events.
//	e. A file that has another hard link changes when that link is made, renamed or
//	   removed, and no directory on the way has an event. The inode has all three.
//	f. A directory's watch reports what happens to the inodes of its entries, too. So
//	   each bit in its mask wakes the loop for all of these; see targetMask.
//	g. It does not report mounts; see watchMounts.
//	h. Reading a file is an event only if the mask says so. No mask here does: a
//	   callback that reads the file would be called for ever.

// Table has one inotify descriptor and one descriptor pair for the mount table, from the
// first open Watch to the last.
type Table struct {
	register Register
	open     *inotify // nil while there is no Watch
}

// NewTable returns a Table without descriptors.
func NewTable(register Register) *Table { return &Table{register: register} }

// inotify is an open Table.
type inotify struct {
	table   *Table
	fd      int
	release func() // of fd
	mounts  func() // stop of watchMounts; nil: the mount table is not watched
	orders  uint64
	all     watchSet
	inodes  map[int32]*inode
	dirty   []*Watch
	buf     [16 << 10]byte // for at least one event with the longest name
}

// Watch is one path.
type Watch struct {
	in     *inotify // nil: closed, or there are no descriptors
	path   Path
	notify Notify
	order  uint64 // of Open
	refs   []watchRef
	failed bool // not all could be watched
	blind  bool // the mount table was not watched
	dirty  bool // it is in inotify.dirty
	moved  bool // one of the events means that the path must be watched anew
}

type watchSet map[*Watch]struct{}

// inode is one that inotify watches.
type inode struct {
	id      inodeID             // as it was found
	entries map[string]watchSet // of a directory: the paths that go through each entry
	targets watchSet            // the paths that end here
}

// watchRef is what a path needs of an inode: an entry of the directory or, without a
// name, the inode itself, as the end of the path.
type watchRef struct {
	number int32
	path   string // by which the inode was found
	name   string
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

// Open adds the path to the table. If the table gets no descriptors (EMFILE: 128 per
// user are usual), the Watch stays closed.
func (w *Watch) Open(t *Table, path Path, notify Notify) {
	if t.open == nil && t.openInotify() != nil {
		return
	}
	in := t.open
	in.orders++
	in.all[w] = struct{}{}
	w.in, w.path, w.notify, w.order = in, path, notify, in.orders
}

func (t *Table) openInotify() error {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	in := &inotify{table: t, fd: fd, all: make(watchSet), inodes: make(map[int32]*inode)}
	if in.release, err = t.register(fd, func() { _ = unix.Close(fd) }, in.read); err != nil {
		return err
	}
	in.watchMounts()
	t.open = in
	return nil
}

// Close removes the path from the table. The last one closes the table's descriptors.
func (w *Watch) Close() {
	in := w.in
	if in == nil {
		return
	}
	in.forget(w)
	delete(in.all, w)
	*w = Watch{refs: w.refs}
	if len(in.all) == 0 {
		in.close()
	}
}

func (in *inotify) close() {
	in.release()
	if in.mounts != nil {
		in.mounts()
	}
	in.table.open = nil
}

// watchMounts watches the mount table if it is not watched. It reports whether it is now.
func (in *inotify) watchMounts() bool {
	if in.mounts == nil {
		stop, err := watchMounts(in.table.register, in.remounted)
		if err != nil {
			return false
		}
		in.mounts = stop
	}
	return true
}

// remounted is called when the mount table has changed. No inode has an event then, so
// every path is looked at. That is not enough: a path may lead through other inodes now
// although it names nothing before and after. So the directories are compared, each
// once, since the Watches share them.
func (in *inotify) remounted(lost bool) {
	if lost {
		in.mounts()
		in.mounts = nil // the callers poll, and Retry opens it again
	}
	now := make(map[string]inodeID)
	for w := range in.all {
		in.mark(w, in.mounts == nil || in.rerouted(w, now))
	}
	in.notifyDirty()
}

// rerouted reports whether a directory on the way of w is another inode than the one
// that is watched. It adds the paths that it has compared to now.
func (in *inotify) rerouted(w *Watch, now map[string]inodeID) bool {
	for _, ref := range w.refs {
		id, known := now[ref.path]
		if !known {
			id = inodeAt(ref.path)
			now[ref.path] = id
		}
		if n := in.inodes[ref.number]; n == nil || n.id != id {
			return true
		}
	}
	return false
}

// Retry reports whether another Update might do better than the last. It opens the mount
// table before Update walks the path, as a directory is watched before its entry is
// looked up (note d).
func (w *Watch) Retry() bool {
	return w.failed || w.blind && w.in.watchMounts()
}

// Update starts from nothing: otherwise masks would grow for ever (note c). The caller's
// look afterwards finds changes made before the new watches are there.
func (w *Watch) Update() (reliable bool) {
	if w.in == nil {
		return false
	}
	w.in.forget(w)
	reliable, err := w.in.walk(w)
	w.failed, w.blind = err != nil, w.in.mounts == nil
	return reliable && !w.failed && !w.blind
}

// forget removes all that is watched for w.
func (in *inotify) forget(w *Watch) {
	for _, ref := range w.refs {
		n := in.inodes[ref.number]
		if n == nil {
			continue // the path goes through it twice
		}
		if n.remove(w, ref.name); len(n.entries) == 0 && len(n.targets) == 0 {
			delete(in.inodes, ref.number)
			_, _ = unix.InotifyRmWatch(in.fd, uint32(ref.number))
		}
	}
	w.refs = w.refs[:0]
}

func (n *inode) add(w *Watch, name string) {
	if name == "" {
		n.targets[w] = struct{}{}
		return
	}
	if n.entries[name] == nil {
		n.entries[name] = make(watchSet)
	}
	n.entries[name][w] = struct{}{}
}

func (n *inode) remove(w *Watch, name string) {
	if name == "" {
		delete(n.targets, w)
		return
	}
	delete(n.entries[name], w)
	if len(n.entries[name]) == 0 {
		delete(n.entries, name)
	}
}

// add watches one inode for w: a directory for the entry of that name or, without a
// name, the end of the path.
func (in *inotify) add(w *Watch, path, name string, mask uint32) error {
	// Before the watch: if another inode comes between the two, that one is watched, with
	// an id that is not its own. Then rerouted is true too often, never too seldom.
	id := inodeAt(path)
	for {
		got, err := unix.InotifyAddWatch(in.fd, path, mask|unix.IN_DONT_FOLLOW|unix.IN_MASK_ADD)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		number := int32(got)
		n := in.inodes[number]
		if n == nil {
			n = &inode{id: id, entries: make(map[string]watchSet), targets: make(watchSet)}
			in.inodes[number] = n
		}
		n.add(w, name)
		w.refs = append(w.refs, watchRef{number, path, name})
		return nil
	}
}

// read reads once. If there is more, the descriptor stays readable.
func (in *inotify) read(lost bool) {
	n, err := unix.Read(in.fd, in.buf[:])
	if lost || n <= 0 && err != unix.EAGAIN && err != unix.EINTR {
		in.lose()
		return
	}
	in.parse(in.buf[:max(n, 0)])
	in.notifyDirty()
}

// notifyDirty calls Notify for each dirty Watch.
func (in *inotify) notifyDirty() {
	// In the order of Open: a map's order would differ each time.
	slices.SortFunc(in.dirty, func(a, b *Watch) int { return cmp.Compare(a.order, b.order) })
	for _, w := range in.dirty {
		moved := w.moved
		w.dirty, w.moved = false, false
		w.notify(moved)
	}
	clear(in.dirty)
	in.dirty = in.dirty[:0]
}

// lose closes all: there will be no more events, and the callers poll.
func (in *inotify) lose() {
	for w := range in.all {
		notify := w.notify
		w.Close()
		notify(true)
	}
}

// parse marks the Watches that the events concern.
func (in *inotify) parse(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		number := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		size := binary.NativeEndian.Uint32(events[12:])
		events = events[unix.SizeofInotifyEvent:]
		name := string(bytes.TrimRight(events[:size], "\x00"))
		events = events[size:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			in.markAll(in.all, true)
			continue
		}
		in.event(number, mask, name)
	}
}

// event marks the Watches that one event concerns. With a name, the event is of an entry
// in the watched directory. If the inode is gone, each of its Watches is updated and so
// forgets it; the kernel then refuses to remove the watch a second time.
func (in *inotify) event(number int32, mask uint32, name string) {
	n := in.inodes[number]
	if n == nil {
		return // it is from before the watch was removed
	}
	gone := mask&goneMask != 0
	switch {
	case gone, name == "":
		for _, through := range n.entries {
			in.markAll(through, true)
		}
		in.markAll(n.targets, gone)
	case mask&entryMask != 0:
		in.markAll(n.entries[name], true)
		in.markAll(n.targets, false)
	default: // IN_ATTRIB: the entry may be a directory whose own mask does not have it
		in.markAll(n.entries[name], false)
	}
}

func (in *inotify) markAll(watches watchSet, moved bool) {
	for w := range watches {
		in.mark(w, moved)
	}
}

func (in *inotify) mark(w *Watch, moved bool) {
	w.moved = w.moved || moved
	if !w.dirty {
		w.dirty = true
		in.dirty = append(in.dirty, w)
	}
}
