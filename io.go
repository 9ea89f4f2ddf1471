package ev

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// IO calls back while a file descriptor is readable or writable; libev's ev_io.
// It is level-triggered: there is a callback in every iteration in which the
// condition holds. Any number of watchers may watch one descriptor; each gets
// only the events that it asked for. Thousands of descriptors cost neither a
// goroutine nor a thread: each loop has a set of its own, nested in the runtime's
// poller, made by the first Start of an IO.
//
// A readiness can be spurious; descriptors should be non-blocking. An error or
// hang-up is reported as every event asked for: the read or write then tells.
// Regular files are always ready. Nothing else is offered: no edge-triggering,
// no exclusive wake-up, no priority data.
//
// Stop the watcher before the descriptor is closed. A descriptor found closed
// when the loop next tells the system about it stops its watchers, with a last
// callback of Error|Read|Write; one closed later just has no more events. If its
// file lives on, under a dup or in a child process, on Linux, and stays ready, up
// to 8 callbacks (of NewConnIO) or 64 (of NewIO) may come before that. When
// the number is used again, Start or Set makes it known; nothing of the old file
// is delivered for the new one, but for an event that was pending at Set.
//
// # Conditions that last
//
// An IO is called in each iteration while its condition holds, whoever caused it.
// When the peer has closed its end or shut down its sending (a half-closed
// connection), Read holds from then on, and a read returns 0: stop the watcher, or
// take Read out with SetEvents. While a socket with IP_RECVERR has a message in its
// error queue, every event holds: read it with MSG_ERRQUEUE. An epoll descriptor can
// be watched, for Read, and so can one that holds another, which holds a third. The
// kernel refuses one level more (ELOOP), and the watcher stops with an Error event.
//
// # Linux: files that tell changes
//
// Some files are always readable and have an event when they change, or forget
// their event when they are polled. These are perf_event_open's, PSI triggers
// (/proc/pressure), the mounts, mountinfo, swaps, mdstat and sys/... of /proc, and the
// files of sysfs and cgroups. An IO on one is called once for each change, and at
// first once for what was before, with every event that it asks for; changes that
// come before the callback collapse into one. It costs a goroutine and a second
// descriptor, of the same file. So the file stays open until the watcher is stopped.
// Watch a perf event by one descriptor in one loop: the kernel gives each wake-up to
// only one of several pollers, an epoll set of your own included.
//
// BackendChan has no descriptors: Start answers errors.ErrUnsupported.
type IO struct {
	_ noCopy
	watcher
	fd       int
	interest Events
	relayed  bool            // as Start found it: see relays
	next     *IO             // the next active watcher of the same descriptor
	conn     syscall.RawConn // NewConnIO: whose descriptor it is
	fn       func(*IO, Events)
	internal func(Events) // watchFD: called in the poll phase
}

// NewIO makes an IO for a descriptor and the events Read, Write, both, or none.
// The loop does not own the descriptor: it neither closes it nor makes it
// non-blocking. It panics when l or fn is nil; what is wrong with fd or events,
// Start reports.
func NewIO(l *Loop, fd int, events Events, fn func(*IO, Events), opts ...Option) *IO {
	w := &IO{fd: fd, interest: events, fn: fn}
	w.watcher.init("NewIO", w, l, fn == nil, opts)
	return w
}

// NewConnIO makes an IO for the descriptor of c: a net.Conn, an *os.File, the
// connection of a hijacked request. The watcher keeps c alive, and never parks on
// it: the callback may read, write or close it. Reads of c by other goroutines go
// on as ever, and compete for the data.
func NewConnIO(l *Loop, c syscall.Conn, events Events, fn func(*IO, Events), opts ...Option) *IO {
	if c == nil {
		panic("ev: NewConnIO: nil connection")
	}
	w := &IO{fd: -1, interest: events, fn: fn}
	w.watcher.init("NewConnIO", w, l, fn == nil, opts)
	conn, err := c.SyscallConn()
	if err != nil {
		conn = lostConn{err}
	}
	w.conn = conn
	_ = conn.Control(func(fd uintptr) { w.fd = int(fd) }) // for FD; Start tries again, and reports
	return w
}

// lostConn stands for a connection that had no descriptor to give.
type lostConn struct{ err error }

func (c lostConn) Control(func(uintptr)) error    { return c.err }
func (c lostConn) Read(func(uintptr) bool) error  { return c.err }
func (c lostConn) Write(func(uintptr) bool) error { return c.err }

// Start begins to watch. It has no effect on an active watcher. It fails when
// the descriptor is not open or the events are not a set of Read and Write, when
// the system has no more room (syscall.EMFILE, at the first IO of a loop), with
// errors.ErrUnsupported where the backend has no descriptors, and with ErrClosed.
func (w *IO) Start() error {
	w.own("Start")
	if w.index != 0 {
		return nil
	}
	if w.loop.isClosed() {
		return ErrClosed
	}
	if err := w.prepare(); err != nil {
		return fmt.Errorf("ev: IO.Start: %w", err)
	}
	if !w.begin() {
		w.dropRelays()
		return ErrClosed // Close came meanwhile
	}
	w.loop.files.add(w.loop, w)
	return nil
}

// prepare checks everything, then opens what the loop needs to watch. The order
// matters: a descriptor that the loop opens first may take the number of a closed
// one, which would be watched then.
func (w *IO) prepare() error {
	if err := checkEvents(w.interest); err != nil {
		return err
	}
	if err := w.findFD(); err != nil {
		return err
	}
	if err := w.loop.openSet(); err != nil {
		return err
	}
	return w.holdRelays()
}

// openSet opens the poller's set for the first IO. While the loop waits in the
// system, with SetRelease, its goroutine is using the poller: then flushFiles
// opens the set, and an error becomes the watcher's Error event.
func (l *Loop) openSet() error {
	if l.waiting && l.backend != BackendChan {
		return nil
	}
	return l.poller.openSet()
}

func checkEvents(events Events) error {
	if events&^(Read|Write) != 0 {
		return fmt.Errorf("events %v are not a set of Read and Write", events)
	}
	return nil
}

// findFD checks that the descriptor is open, which it is for a connection, and
// whether it needs a relay.
func (w *IO) findFD() error {
	if w.conn == nil {
		return w.inspect()
	}
	var err error
	gone := w.conn.Control(func(fd uintptr) {
		w.fd = int(fd)
		err = w.inspect()
	})
	if gone != nil {
		return fmt.Errorf("%w: %w", os.ErrClosed, gone) // its only reason to refuse
	}
	return err
}

func (w *IO) inspect() (err error) {
	if w.fd < 0 {
		return fmt.Errorf("negative descriptor %d", w.fd)
	}
	if w.relayed, err = needsRelay(w.fd); err != nil {
		return fmt.Errorf("descriptor %d: %w", w.fd, err)
	}
	return nil
}

// FD returns the descriptor; -1 if the connection had none any more.
func (w *IO) FD() int {
	w.own("FD")
	return w.fd
}

// Interest returns the events watched for.
func (w *IO) Interest() Events {
	w.own("Interest")
	return w.interest
}

// Set gives an inactive watcher another descriptor and other events
// (ev_io_set). It fails while the watcher is active, and for a negative
// descriptor or other events than Read and Write.
func (w *IO) Set(fd int, events Events) error {
	w.own("Set")
	if w.index != 0 {
		return errors.New("ev: IO.Set: the watcher is active")
	}
	if fd < 0 {
		return fmt.Errorf("ev: IO.Set: negative descriptor %d", fd)
	}
	if err := checkEvents(events); err != nil {
		return fmt.Errorf("ev: IO.Set: %w", err)
	}
	w.fd, w.interest, w.conn = fd, events, nil
	return nil
}

// SetEvents changes the events, also while active (ev_io_modify). The system is
// told once per iteration at most, and not at all when nothing changed in effect.
// An event that is pending and no longer asked for is taken back.
func (w *IO) SetEvents(events Events) error {
	w.own("SetEvents")
	if err := checkEvents(events); err != nil {
		return fmt.Errorf("ev: IO.SetEvents: %w", err)
	}
	w.interest = events
	if w.index != 0 {
		w.loop.files.change(w.fd)
	}
	if w.pending {
		if got := w.Clear() & (events | ^(Read | Write)); got != None {
			w.Feed(got)
		}
	}
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (w *IO) SetCallback(fn func(*IO, Events)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *IO) call()         { w.fn(w, w.events) }
func (w *IO) callback() any { return w.fn }
func (w *IO) onStop()       { w.loop.files.remove(w) }

// FeedFD acts as if the system had reported events on fd: every active IO on it
// that asked for one of them gets those (ev_feed_fd_event). A descriptor that
// nobody watches is ignored.
func (l *Loop) FeedFD(fd int, events Events) {
	l.own("FeedFD")
	if fd >= 0 && fd < len(l.files.table) {
		l.files.table[fd].deliver(l, events)
	}
	l.publishIfIdle()
}

// files is the loop's table of descriptors: who watches them, and what the
// poller was told.
type files struct {
	table   []file        // by descriptor
	changed []int         // descriptors about which the poller has to be told
	always  []int         // descriptors that the poller refuses because they are always ready
	count   int           // active IOs
	calls   uint64        // interest changes that the system was told of
	round   uint16        // counts the looks at the poller …
	polled  time.Duration // … and when the last was
	relays  relays        // instead of the poller, for some
}

// looked notes a look at the poller.
func (f *files) looked(now time.Duration) {
	f.polled = now
	f.round++
}

// file is one descriptor. A generation is a use of the number: the poller gives
// it back with each event, and an event of an old one is recognized.
type file struct {
	first      *IO // in the order of their starts
	generation uint32
	told       Events // what the poller watches for
	round      uint16 // the last files.round in which it was ready
	streak     uint8  // how many such rounds in a row, modulo 256
	changed    bool   // it is in files.changed
	fresh      bool   // the number may denote another file: tell in any case
	always     bool
	byRelay    bool // a relay is to watch it, not the poller; see relays
	relayed    bool // and does
}

// add puts an active watcher in its place. The watchers of a connection that was
// closed, and had the same number, are found out here. Those of a bare number watch
// what it denotes now, as the new one does.
func (f *files) add(l *Loop, w *IO) {
	for len(f.table) <= w.fd {
		f.table = append(f.table, file{})
	}
	e := &f.table[w.fd]
	for o := e.first; o != nil; {
		next := o.next
		if o.conn != nil && o.lost() {
			l.fail(o)
		} else {
			o.regard(w.relayed)
		}
		o = next
	}
	if e.relayed && !w.relayed {
		f.stopRelay(w.fd, e)
	}
	last := &e.first
	for *last != nil {
		last = &(*last).next
	}
	*last = w
	f.count++
	e.fresh, e.byRelay = true, w.relayed
	f.change(w.fd)
}

// lost reports whether the connection no longer has the descriptor.
func (w *IO) lost() bool {
	fd := w.fd
	err := w.conn.Control(func(now uintptr) { fd = int(now) })
	return err != nil || fd != w.fd
}

func (f *files) remove(w *IO) {
	e := &f.table[w.fd]
	at := &e.first
	for *at != w {
		at = &(*at).next
	}
	*at, w.next = w.next, nil
	f.count--
	f.change(w.fd)
	if e.relayed && e.first == nil {
		f.stopRelay(w.fd, e) // now: it has the file open
	}
	w.dropRelays()
}

func (f *files) change(fd int) {
	if e := &f.table[fd]; !e.changed {
		e.changed = true
		f.changed = append(f.changed, fd)
	}
}

// flushFiles tells the poller what has changed, before it polls. It reports
// whether it could not, and watchers were made pending with the Error.
func (l *Loop) flushFiles() (failed bool) {
	f := &l.files
	if len(f.changed) == 0 {
		return false
	}
	noSet := l.poller.openSet() // it is open, but for those that Start has put off
	// By number: what a failure stops besides, such as what all relays share, is
	// appended meanwhile.
	for i := 0; i < len(f.changed); i++ {
		fd := f.changed[i]
		f.table[fd].changed = false
		err := noSet
		if err == nil {
			err = l.tell(fd, &f.table[fd])
		}
		if err != nil {
			l.failAll(fd)
			failed = true
		}
	}
	f.changed = f.changed[:0]
	return failed
}

// failAll stops all watchers of a descriptor that the poller does not take.
func (l *Loop) failAll(fd int) {
	for l.files.table[fd].first != nil {
		l.fail(l.files.table[fd].first)
	}
	e := &l.files.table[fd]
	e.told, e.fresh = None, false
}

// tell brings the poller's view of a descriptor up to date.
func (l *Loop) tell(fd int, e *file) error {
	f := &l.files
	want := None
	for w := e.first; w != nil; w = w.next {
		want |= w.interest
	}
	if want == e.told && !(e.fresh && want != None) {
		return nil
	}
	if e.always {
		e.always = false
		f.always = slices.DeleteFunc(f.always, func(other int) bool { return other == fd })
	}
	if e.fresh {
		e.generation++
	}
	f.calls++
	err := l.watchPinned(fd, e, want)
	if errors.Is(err, errAlwaysReady) {
		e.always = true
		f.always = append(f.always, fd)
		err = nil
	}
	if err == nil {
		e.told, e.fresh = want, false
	}
	return err
}

// watchPinned is the poller's watch, with a connection's descriptor pinned, so
// that it is not another file's by then.
func (l *Loop) watchPinned(fd int, e *file, want Events) (err error) {
	watch := func() { err = l.watchFile(fd, e, want) }
	if e.first == nil || e.first.conn == nil {
		watch()
		return err
	}
	gone := e.first.conn.Control(func(now uintptr) {
		if int(now) != fd {
			err = syscall.EBADF
			return
		}
		watch()
	})
	return errors.Join(gone, err)
}

// watchFile has the poller watch fd, or a relay. A relay is there for all events
// alike, and stays when it is there for the file already.
func (l *Loop) watchFile(fd int, e *file, want Events) error {
	if e.relayed {
		if want != None && !e.fresh {
			return nil
		}
		l.files.stopRelay(fd, e)
	}
	err := l.poller.watch(fd, e.generation, e.told != None, want)
	if err != nil || want == None || !e.byRelay {
		return err
	}
	_ = l.poller.watch(fd, e.generation, true, None) // it could be watched, so it can be polled
	return l.startRelay(fd, e)
}

// fail stops a watcher whose descriptor is of no use.
func (l *Loop) fail(w *IO) {
	w.Stop()
	if w.internal != nil {
		w.internal(Error)
		return
	}
	l.pending.mark(&w.watcher, Error|Read|Write)
}

// markReady makes the watchers pending whose descriptors are ready.
func (l *Loop) markReady() {
	f := &l.files
	stale := false
	for _, r := range l.poller.take() {
		if r.fd >= len(f.table) || f.table[r.fd].generation != r.generation || f.table[r.fd].told == None ||
			l.goneStale(r.fd) {
			stale = true
			continue
		}
		f.table[r.fd].deliver(l, r.events)
	}
	if len(f.always) > 0 {
		l.markAlwaysReady()
	}
	if stale {
		l.rebuildFiles()
	}
}

func (l *Loop) markAlwaysReady() {
	f := &l.files
	f.always = slices.DeleteFunc(f.always, func(fd int) (gone bool) {
		e := &f.table[fd]
		if l.goneStale(fd) {
			e.always = false
			return true
		}
		e.deliver(l, Read|Write)
		return false
	})
}

// A descriptor that is closed while somebody watches it is to have no more events.
// epoll forgets a file when it is closed, but not while it lives on under another
// descriptor: a dup, or one that a child process has inherited. Then it goes on to
// report under the old number, in each iteration, since nobody can read the data
// by that number any more.
//
// So a file that is not ready twice in a row needs no check, and one that is needs
// one now and then: at the second time, and after each eighth, for a connection,
// which knows without a system call whether it is closed; for a bare number, for
// which the kernel has to be asked, at one in 64.
const (
	checkConn   = 8
	checkNumber = 64
)

// goneStale reports whether the descriptor, which is ready, no longer is the one
// watched. From then on the loop takes no notice of it until it is told to watch
// the number again.
func (l *Loop) goneStale(fd int) bool {
	f := &l.files
	e := &f.table[fd]
	if f.round-e.round > 1 {
		e.streak = 0
	}
	e.round = f.round
	e.streak++
	if e.streak%checkConn != 2 || l.holds(fd, e) {
		return false
	}
	e.told = None
	return true
}

func (l *Loop) holds(fd int, e *file) bool {
	switch {
	case e.first == nil: // stopped since the poller was told last
		return true
	case e.first.conn != nil:
		return !e.first.lost()
	}
	return e.streak%checkNumber != checkNumber-checkConn+2 || l.poller.holds(fd, e.generation, e.told)
}

// rebuildFiles makes a new set. A file that was closed and lives on under
// another descriptor goes on to report under its old number, and the system
// offers no other way to make it stop.
func (l *Loop) rebuildFiles() {
	if l.poller.reopenSet() != nil {
		return // the next event tries again
	}
	for fd := range l.files.table {
		if e := &l.files.table[fd]; e.told != None && !e.always && !e.relayed {
			e.told = None
			l.files.change(fd)
		}
	}
}

func (e *file) deliver(l *Loop, events Events) {
	for w := e.first; w != nil; {
		next := w.next
		if got := events & w.interest; got != None {
			if w.internal != nil {
				w.internal(got)
			} else {
				l.pending.mark(&w.watcher, got)
			}
		}
		w = next
	}
}
