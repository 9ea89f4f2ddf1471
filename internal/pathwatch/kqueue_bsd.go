//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package pathwatch

import (
	"cmp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/kqueue"
)

// Each Watch has a kqueue, with EVFILT_VNODE for the file and for the directory that it
// is in. The directory reports that a file appears or is renamed over. The filter needs
// an open descriptor for each. The event loop watches the kqueue for reading.
//
// Directories further up are not watched, nor is a file that cannot be opened for
// reading. So Update always returns false and the caller polls. Events only make it
// prompt.
//
// Notes on EVFILT_VNODE, from kqueue(2) and, in parentheses, from the kernels, and not tried
// out, as in internal/kqueue:
//
//	a. The seven notes that AddFile asks for are on all five [EVFILT_VNODE]. OpenBSD also
//	   has NOTE_TRUNCATE; a truncation changes attributes, too.
//	b. An entry of a directory that comes or goes is a NOTE_WRITE, and on FreeBSD also a
//	   NOTE_EXTEND if it moves between directories (vop_rename_post; post_rename on macOS;
//	   ufs_rename and its like). A file that is renamed over another one is a NOTE_DELETE
//	   of that one. OpenBSD posts the NOTE_WRITE of the old directory before the rename is
//	   done; the NOTE_RENAME of the file comes after it.
//	c. EV_CLEAR resets the notes when they are taken (kqueue_scan, knote_process). So all
//	   are taken.
//	d. Not every file system reports [BUGS: macOS; DragonFly names HAMMER, tmpfs and
//	   UFS, OpenBSD UFS, NFS and MS-DOS]: the filter is refused, or is silent.
//	e. On macOS a descriptor keeps its volume from being unmounted, unless it was
//	   opened with O_EVTONLY [open(2)] (vnode_ref_ext, v_kusecount).

// Table has no state of its own here.
type Table struct{ register Register }

// NewTable returns a Table.
func NewTable(register Register) *Table { return &Table{register} }

// Watch is one path.
type Watch struct {
	path    Path
	notify  Notify
	vnodes  *vnodes
	release func() // of vnodes; nil: closed, or there is no kqueue
}

// vnodes is a kqueue, and the descriptors that it has a filter for.
type vnodes struct {
	kq  int
	fds []int
}

// Open makes the kqueue. Without one, the Watch stays closed.
func (w *Watch) Open(t *Table, path Path, notify Notify) {
	kq, err := kqueue.New()
	if err != nil {
		return
	}
	v := &vnodes{kq: kq}
	release, err := t.register(kq, v.close, w.read)
	if err != nil {
		return
	}
	*w = Watch{path: path, notify: notify, vnodes: v, release: release}
}

// Update adds the file that the path names now.
func (w *Watch) Update() (reliable bool) {
	if w.release == nil {
		return false
	}
	v := w.vnodes
	v.forget()
	path := w.path.Name
	name := strings.LastIndexByte(strings.TrimRight(path, "/"), '/') + 1
	v.add(cmp.Or(path[:name], "/")) // not filepath.Dir, which would remove "link/.."
	// Opening a device or a FIFO could have effects.
	if info, err := w.path.Look(); err == nil && (info.Mode().IsRegular() || info.IsDir()) {
		v.add(path)
	}
	return false
}

func (v *vnodes) add(path string) {
	mode := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	if kqueue.OnDarwin {
		mode |= 0x8000 // O_EVTONLY (note e)
	}
	fd, err := unix.Open(path, mode, 0)
	if err != nil {
		return
	}
	if kqueue.AddFile(v.kq, fd) != nil {
		_ = unix.Close(fd)
		return
	}
	v.fds = append(v.fds, fd)
}

// read has the path looked at before and after an Update: one of the two finds a change
// made between them.
func (w *Watch) read(bool) {
	var events [8]kqueue.Event
	for kqueue.Poll(w.vnodes.kq, events[:]) == len(events) {
	}
	if w.notify(false) {
		w.notify(true)
	}
}

// forget closes the descriptors, which removes their filters.
func (v *vnodes) forget() {
	for _, fd := range v.fds {
		_ = unix.Close(fd)
	}
	v.fds = v.fds[:0]
}

func (v *vnodes) close() {
	v.forget()
	_ = kqueue.Close(v.kq)
}

// Close closes the kqueue.
func (w *Watch) Close() {
	if w.release != nil {
		w.release()
		w.release = nil
	}
}

// Retry returns false: Update never does better.
func (*Watch) Retry() bool { return false }
