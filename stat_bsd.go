//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"cmp"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// statNotice is a kqueue of the Stat's own, with EVFILT_VNODE for the file and
// for the directory that it is in, which tells of a file that appears or is
// renamed over. The filter wants a descriptor open for each. A kqueue can be
// watched for reading, by the loop's.
//
// Directories further up are not watched, and neither is what cannot be opened
// for reading. So a Stat polls all the same; the notices only make it prompt, and
// nothing depends on them.
//
// What one must know about EVFILT_VNODE, from kqueue(2), as in netpoll_bsd.go; it
// was not tried out either:
//
//	a. The seven notes below are on all five [EVFILT_VNODE]. OpenBSD has
//	   NOTE_TRUNCATE too; a truncation changes attributes as well.
//	b. In a directory an entry that comes or goes is a NOTE_WRITE, and on FreeBSD
//	   NOTE_EXTEND if by a rename.
//	c. EV_CLEAR resets the notes when they are taken, so all are taken.
//	d. Not every file system tells [BUGS: macOS; DragonFly names HAMMER, tmpfs and
//	   UFS, OpenBSD UFS, NFS and MS-DOS]: the filter is refused, or is silent.
//	e. On macOS a descriptor keeps its volume from being unmounted, but for one
//	   opened with O_EVTONLY [open(2)].
type statNotice struct {
	vnodes *vnodes
	opened *resource // vnodes
	stop   func()    // of watchFD; nil when there are no notices
}

// vnodes is a kqueue, and the descriptors that it has a filter for.
type vnodes struct {
	kq  int
	fds []int
}

const statNotes = unix.NOTE_DELETE | unix.NOTE_WRITE | unix.NOTE_EXTEND | unix.NOTE_ATTRIB |
	unix.NOTE_LINK | unix.NOTE_RENAME | unix.NOTE_REVOKE

func (sn *statNotice) open(s *Stat) {
	kq, err := newKqueue()
	if err != nil {
		return
	}
	v := &vnodes{kq: kq}
	opened := s.loop.resources.add(v.close)
	stop, err := s.loop.watchFD(kq, Read, func(Events) { sn.noticed(s) })
	if err != nil {
		opened.release()
		return
	}
	sn.vnodes, sn.opened, sn.stop = v, opened, stop
}

// watch puts in the file that the path names now. It reports false: polling goes
// on.
func (sn *statNotice) watch(s *Stat) bool {
	if sn.stop == nil {
		return false
	}
	v := sn.vnodes
	v.forget()
	name := strings.LastIndexByte(strings.TrimRight(s.at, "/"), '/') + 1
	v.add(cmp.Or(s.at[:name], "/")) // not filepath.Dir, to which "link/.." is nothing
	// Opening a device or a FIFO could do something.
	if info, err := os.Lstat(s.at); err == nil && (info.Mode().IsRegular() || info.IsDir()) {
		v.add(s.at)
	}
	return false
}

func (v *vnodes) add(path string) {
	mode := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	if onDarwin {
		mode |= 0x8000 // O_EVTONLY (note e)
	}
	fd, err := unix.Open(path, mode, 0)
	if err != nil {
		return
	}
	var e kevent
	unix.SetKevent(&e, fd, unix.EVFILT_VNODE, unix.EV_ADD|unix.EV_CLEAR)
	e.Fflags = statNotes
	if register(v.kq, e) != nil {
		_ = unix.Close(fd)
		return
	}
	v.fds = append(v.fds, fd)
}

// noticed looks before and after it watches anew: what changes between the two is
// seen by one of them.
func (sn *statNotice) noticed(s *Stat) {
	var events [8]kevent
	for pollEvents(sn.vnodes.kq, events[:]) == len(events) {
	}
	if s.look() {
		s.watch()
		s.look()
	}
}

// forget closes the descriptors, which takes their filters out.
func (v *vnodes) forget() {
	for _, fd := range v.fds {
		_ = unix.Close(fd)
	}
	v.fds = v.fds[:0]
}

func (v *vnodes) close() {
	v.forget()
	_ = unix.Close(v.kq)
}

func (sn *statNotice) close(*Stat) {
	if sn.stop == nil {
		return
	}
	sn.stop()
	sn.stop = nil
	sn.opened.release()
}

func (*statNotice) retry() bool { return false }
