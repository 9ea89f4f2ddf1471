package ev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Some files forget an event as soon as they are polled for it. The loop's set is
// polled twice, by the runtime's poller, in which it is nested, and by the loop,
// which then finds nothing. Others say that they can be read at any time, and tell
// a change by EPOLLPRI. These are:
//
//	a. perf_event_open's. They forget.
//	b. /proc/pressure and the pressure files of cgroups (PSI triggers),
//	   /proc/self/mounts and mountinfo, /proc/swaps, the files of /proc/sys that can
//	   be polled at all. They can always be read, and forget the change.
//	c. The files of sysfs and of cgroups, /proc/mdstat. They can always be read, and
//	   tell the change until it was read.
//
// A relay is for these: a goroutine that waits for one such file in the runtime's
// poller directly. That is edge-triggered, and each change is an edge. So there is
// an event for each change. What has changed before the relay waits is not told
// (the runtime discards it), hence one more event, at first, without a change.
//
// The goroutine must not refer to the loop, or a loop that is dropped would never be
// collected. It tells a notice, which wakes the loop by an eventfd in the loop's set.

// relays are the relays of a loop. They belong to its goroutine.
type relays struct {
	holders int            // active IOs that need one; there are a notice and release, then
	open    map[int]*relay // by descriptor
	notice  *notice
	release func() // of ownFD, for the eventfd
	refused bool   // the set refuses the eventfd: there cannot be relays
}

// relay is one file. It is a descriptor of its own, since the runtime's poller
// must not lose it: the user may close the other at any time.
type relay struct {
	fd     int // the user's
	file   *os.File
	handle *resource

	// Guarded by notice.mu.
	told   bool // it is in notice.ready
	broken bool // the runtime's poller has refused to wait
	closed bool
}

// notice is what the goroutines of the relays know of the loop.
type notice struct {
	mu     sync.Mutex
	fd     int // the eventfd; -1 when it is closed
	ready  []*relay
	taking []*relay // the loop's
}

// tell makes the relay ready, and wakes the loop by the first that is.
func (n *notice) tell(r *relay, broken bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r.broken = r.broken || broken
	if r.told || r.closed {
		return
	}
	r.told = true
	n.ready = append(n.ready, r)
	if len(n.ready) == 1 && n.fd >= 0 {
		signalEventfd(n.fd)
	}
}

// take returns the relays that are ready, until the next take.
func (n *notice) take() []*relay {
	n.mu.Lock()
	defer n.mu.Unlock()
	var count [8]byte
	_, _ = unix.Read(n.fd, count[:])
	n.ready, n.taking = n.taking[:0], n.ready
	for _, r := range n.taking {
		r.told = false
	}
	return n.taking
}

func (n *notice) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = unix.Close(n.fd)
	n.fd = -1
}

// run waits for the file until that is closed. The runtime calls the function at
// first and after each edge.
func (r *relay) run(n *notice, conn syscall.RawConn) {
	_ = conn.Read(func(uintptr) bool {
		n.tell(r, false)
		return false
	})
	n.tell(r, true) // has no effect on a closed one
}

func (r *relay) close(n *notice) {
	n.mu.Lock()
	r.closed = true
	n.mu.Unlock()
	_ = r.file.Close() // waits for run's function, which takes the lock
}

// holdRelays makes what the relays of a loop share, for the first that an active IO
// needs.
func (w *IO) holdRelays() error {
	rs := &w.loop.files.relays
	if !w.relayed {
		return nil
	}
	if rs.holders > 0 {
		rs.holders++
		return nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	n := &notice{fd: fd}
	if rs.release, err = w.loop.ownFD(fd, n.close, w.loop.relayed); err != nil {
		return err
	}
	rs.notice, rs.open, rs.holders, rs.refused = n, make(map[int]*relay), 1, false
	return nil
}

// dropRelays undoes holdRelays.
func (w *IO) dropRelays() {
	rs := &w.loop.files.relays
	if !w.relayed {
		return
	}
	if rs.holders--; rs.holders == 0 {
		rs.release()
	}
}

// regard is for an active watcher of a number that denotes another file now, of
// which relayed is true or not. So a descriptor is relayed only while each of its
// watchers is counted among the holders.
func (w *IO) regard(relayed bool) {
	if relayed && !w.relayed {
		w.loop.files.relays.holders++ // there is another: it that was started now
	} else if !relayed {
		w.dropRelays()
	}
	w.relayed = relayed
}

func (l *Loop) startRelay(fd int, e *file) error {
	rs := &l.files.relays
	if rs.refused {
		return errors.New("relay: the set refuses its eventfd")
	}
	file, conn, err := openRelay(fd)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r, n := &relay{fd: fd, file: file}, rs.notice
	r.handle = l.resources.add(func() { r.close(n) })
	rs.open[fd], e.relayed = r, true
	go r.run(n, conn)
	return nil
}

func (f *files) stopRelay(fd int, e *file) {
	e.relayed = false
	f.relays.open[fd].handle.release()
	delete(f.relays.open, fd)
}

// openRelay has the runtime's poller watch the file, by a descriptor of its own.
// os.NewFile gives it to the poller if it is non-blocking, which all descriptors of
// a file are or are not; none of these files ever blocks.
func openRelay(fd int) (file *os.File, conn syscall.RawConn, err error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK == 0 {
		err = unix.SetNonblock(own, true)
		defer unix.FcntlInt(uintptr(own), unix.F_SETFL, flags)
	}
	if err != nil {
		_ = unix.Close(own)
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	file = os.NewFile(uintptr(own), "ev-relay")
	if err = file.SetReadDeadline(time.Time{}); err == nil { // else the poller has refused it
		conn, err = file.SyscallConn()
	}
	if err != nil {
		_ = file.Close()
	}
	return file, conn, err
}

// relayed delivers what the relays have told. It is called in the poll phase.
func (l *Loop) relayed(lost bool) {
	rs := &l.files.relays
	if lost {
		rs.refused = true
		for _, r := range rs.open {
			l.failRelay(r)
		}
		return
	}
	for _, r := range rs.notice.take() {
		if rs.open[r.fd] != r {
			continue // stopped since
		}
		e := &l.files.table[r.fd]
		switch {
		case r.isBroken(rs.notice):
			l.failRelay(r)
		case !r.holds():
			l.files.stopRelay(r.fd, e)
			e.told = None
		default:
			e.deliver(l, Read|Write)
		}
	}
}

func (l *Loop) failRelay(r *relay) {
	for l.files.table[r.fd].first != nil {
		l.fail(l.files.table[r.fd].first)
	}
}

func (r *relay) isBroken(n *notice) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return r.broken
}

// holds reports whether the user's descriptor still is the file of the relay.
// Where kcmp is not allowed, it is while it is open.
func (r *relay) holds() bool {
	same := false
	conn, err := r.file.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Control(func(own uintptr) {
		pid := uintptr(os.Getpid())
		const kcmpFile = 0
		order, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, own, uintptr(r.fd), 0)
		switch errno {
		case 0:
			same = order == 0
		case unix.EBADF:
		default:
			same = checkFD(r.fd) == nil
		}
	})
	return err == nil && same
}

// verify is part of Verify: what all relays share is there while a watcher needs it,
// and no relay is there that none of them does.
func (rs *relays) verify(table []file) error {
	holders, open := 0, 0
	for fd := range table {
		e := &table[fd]
		for w := e.first; w != nil; w = w.next {
			if w.relayed {
				holders++
			}
		}
		if e.relayed {
			open++
			if rs.open[fd] == nil || e.first == nil || !e.first.relayed {
				return fmt.Errorf("ev: the relay of descriptor %d is missing or not needed", fd)
			}
		}
	}
	if holders != rs.holders || open != len(rs.open) {
		return fmt.Errorf("ev: %d holders of relays and %d relays; counted %d and %d", rs.holders, len(rs.open), holders, open)
	}
	return nil
}

func signalEventfd(fd int) {
	word := binary.NativeEndian.AppendUint64(nil, 1)
	for {
		if _, err := unix.Write(fd, word); err != unix.EINTR {
			return
		}
	}
}

// needsRelay checks that fd is open, and whether its file is one of those at the
// head. Sockets, pipes, terminals and directories are none, and have a type; what
// remains is looked at by name.
func needsRelay(fd int) (bool, error) {
	var st unix.Stat_t
	err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) })
	if err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	switch st.Mode & unix.S_IFMT {
	case 0: // an anonymous inode
		return fileName(fd) == "anon_inode:[perf_event]", nil
	case unix.S_IFREG:
		// These file systems are on no device. So the disk is not asked, nor most of
		// the servers that may not answer.
		return unix.Major(uint64(st.Dev)) == 0 && tellsChanges(fd), nil
	}
	return false, nil
}

func fileName(fd int) string {
	name, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return name
}

func tellsChanges(fd int) bool {
	var fs unix.Statfs_t
	if ignoringEINTR(func() error { return unix.Fstatfs(fd, &fs) }) != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return true
	case unix.PROC_SUPER_MAGIC:
		return procTellsChanges(fileName(fd))
	}
	return false
}

// procTellsChanges goes by the last names only: proc may be mounted anywhere.
func procTellsChanges(name string) bool {
	dir, base := path.Split(name)
	dirs := strings.Split(strings.Trim(dir, "/"), "/")
	switch base {
	case "mounts", "mountinfo", "swaps", "mdstat":
		return true
	}
	return dirs[len(dirs)-1] == "pressure" || slices.Contains(dirs, "sys")
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
