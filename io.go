package ev

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/goevlib/ev/internal/descriptor"
	"github.com/goevlib/ev/internal/relay"
)

// IO calls back while a file descriptor is readable or writable; libev's ev_io. It is
// level-triggered: there is a callback in every iteration in which the condition holds. Any
// number of watchers may watch one descriptor. Each gets only the events that it asked for.
// Thousands of descriptors cost neither a goroutine nor a thread: each loop has a set of its
// own, nested in the runtime's poller, which the first Start of an IO opens.
//
// A readiness can be spurious: descriptors should be non-blocking. An error or hang-up is
// reported as every event asked for, and the read or write then returns it. Regular files
// are always ready. There is no edge-triggering, no exclusive wake-up and no priority data.
// BackendChan has no descriptors: Start returns errors.ErrUnsupported. On Windows a descriptor
// is a socket.
//
// # Closing
//
// Stop the watcher before the descriptor is closed. If the loop finds a descriptor closed when
// it next passes a change to the system, its watchers stop, with a last callback of
// Error|Read|Write. A descriptor that is closed later has no more events. There is one
// exception, on Linux: if its file lives on (under a dup, or in a child process) and stays
// ready, up to 8 more callbacks (of NewConnIO) or 64 (of NewIO) may come. When the number is
// used again, Start or Set tells the loop. No event of the old file is delivered for the new
// one, except an event that was pending at Set.
//
// # Conditions that last
//
// An IO is called in each iteration while its condition holds.
//
//   - When the peer has closed its end or shut down its sending (a half-closed connection),
//     Read holds from then on, and a read returns 0: stop the watcher, or remove Read with
//     SetEvents.
//   - While a socket with IP_RECVERR has a message in its error queue, every event holds:
//     read it with MSG_ERRQUEUE.
//
// An epoll descriptor can be watched for Read. It may hold another, and that one a third. The
// kernel refuses one level more (ELOOP), and the watcher stops with an Error event.
//
// # Windows
//
// An IO watches sockets: of package net by NewConnIO, others by NewIO with the handle. For
// anything else (a file, pipe or console) Start returns an error that wraps
// errors.ErrUnsupported: read and write it on a goroutine (see Go and Await). These are the
// differences from the other systems:
//
//   - The sockets of package net block. Their methods may be called in the callback, as
//     elsewhere. A call of Winsock by the handle may wait, unless you set FIONBIO.
//   - Data arrive later than the call that sends them returns, even on one machine.
//   - A TCP socket that is neither connected nor listens is not ready.
//   - Watch a socket in one loop only, and by one handle. Windows 10 and Windows Server 2016 and
//     2019 can lose events of a socket that two ask for.
//   - If a socket is closed in a callback, and its number is used again before the loop looks,
//     a watcher that was not stopped has the events of the new socket. Stop the watcher first.
//   - The first IO of a loop starts a goroutine, which takes one OS thread while the loop is
//     parked, and opens two handles, and one more for every 32 sockets.
//
// # Linux: files that report changes
//
// Some files are always readable and have an event when they change, or forget their event when
// they are polled:
//
//   - the files of perf_event_open;
//   - PSI triggers (/proc/pressure);
//   - mounts, mountinfo, swaps, mdstat and sys/... in /proc;
//   - the files of sysfs and of cgroups.
//
// An IO on one is called once for each change, and once at first for the state before, with
// every event that it asks for. Changes before the callback collapse into one. It costs a
// goroutine and a second descriptor of the same file, so the file stays open until the watcher
// is stopped. Watch a perf event by one descriptor in one loop: the kernel gives each wake-up
// to only one of several pollers, an epoll set of your own included.
type IO struct {
	_ noCopy
	watcher
	fd       int
	interest Events
	relayed  bool            // as Start found it: see relays
	next     *IO             // the next active watcher of the same descriptor
	conn     syscall.RawConn // of NewConnIO: the connection of fd
	fn       func(*IO, Events)
	internal func(Events) // watchFD: called in the poll phase
}

// NewIO makes an IO for a descriptor and the events Read, Write, both, or none. The loop does
// not own the descriptor: it neither closes it nor makes it non-blocking. NewIO panics if l or
// fn is nil. Start reports a wrong fd or wrong events.
func NewIO(l *Loop, fd int, events Events, fn func(*IO, Events), opts ...Option) *IO {
	w := &IO{fd: fd, interest: events, fn: fn}
	w.watcher.init("NewIO", w, l, fn == nil, opts)
	return w
}

// NewConnIO makes an IO for the descriptor of c: a net.Conn, an *os.File, the connection of a
// hijacked request. The watcher keeps c alive, and never parks on it: the callback may read,
// write or close it. Other goroutines may go on to read c, and compete for the data. NewConnIO
// panics if l, c or fn is nil.
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

// lostConn is a connection whose descriptor could not be had.
type lostConn struct{ err error }

func (c lostConn) Control(func(uintptr)) error    { return c.err }
func (c lostConn) Read(func(uintptr) bool) error  { return c.err }
func (c lostConn) Write(func(uintptr) bool) error { return c.err }

// Start begins to watch. It has no effect on an active watcher. It returns ErrClosed on a
// closed loop, and an error
//
//   - if the descriptor is not open (syscall.EBADF, or os.ErrClosed for a connection);
//   - if the events are not a set of Read and Write;
//   - if the process has too many open files (syscall.EMFILE), at the first IO of a loop;
//   - if the backend has no descriptors, or, on Windows, if it is not a socket
//     (errors.ErrUnsupported).
func (w *IO) Start() error {
	w.own("Start")
	if w.index != 0 {
		return nil
	}
	if err := w.start(); err == ErrClosed {
		return err
	} else if err != nil {
		return w.startError(err)
	}
	return nil
}

func (w *IO) start() error {
	if w.loop.isClosed() {
		return ErrClosed
	}
	if err := w.prepare(); err != nil {
		return err
	}
	if !w.begin() {
		w.dropRelays()
		return ErrClosed // Close came meanwhile
	}
	w.loop.files.add(w.loop, w)
	return nil
}

// prepare checks everything, then opens what the loop needs to watch. The order matters: a
// descriptor that the loop opens first may take the number of a closed one, and that would be
// watched then.
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

// openSet opens the poller's set for the first IO. While the loop waits in the system, with
// SetRelease, its goroutine is using the poller. Then flushFiles opens the set, and an error
// becomes the watcher's Error event.
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

// findFD looks up the descriptor of a connection, checks that the descriptor is open, and finds
// out whether it needs a relay.
func (w *IO) findFD() error {
	if w.conn == nil {
		return w.inspect()
	}
	gone, err := w.pinned((*IO).inspectFD)
	if gone != nil {
		return fmt.Errorf("%w: %w", os.ErrClosed, gone) // its only reason to refuse
	}
	return err
}

func (w *IO) inspectFD(fd int) error {
	w.fd = fd
	return w.inspect()
}

func (w *IO) inspect() (err error) {
	if w.fd < 0 {
		return fmt.Errorf("negative descriptor %d", w.fd)
	}
	if relay.Supported {
		w.relayed, err = relay.Needed(w.fd)
	} else {
		err = descriptor.Check(w.fd)
	}
	if err != nil {
		return fmt.Errorf("descriptor %d: %w", w.fd, err)
	}
	return nil
}

// FD returns the descriptor, or -1 if the connection was closed.
func (w *IO) FD() int {
	w.own("FD")
	return w.fd
}

// Interest returns the events watched for.
func (w *IO) Interest() Events {
	w.own("Interest")
	return w.interest
}

// Set gives an inactive watcher another descriptor and other events (ev_io_set). It returns an
// error while the watcher is active, and for a negative descriptor or other events than Read
// and Write.
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

// SetEvents changes the events, also while active (ev_io_modify). It returns an error for other
// events than Read and Write. The loop passes the change to the system at most once per
// iteration, and not at all if the result is the same as before. A pending event that is no
// longer asked for is cleared.
func (w *IO) SetEvents(events Events) error {
	w.own("SetEvents")
	if err := checkEvents(events); err != nil {
		return fmt.Errorf("ev: IO.SetEvents: %w", err)
	}
	w.interest = events
	if w.index != 0 {
		w.loop.files.change(w.fd)
		w.loop.publishIfIdle()
	}
	if w.pending {
		if got := w.Clear() & (events | ^(Read | Write)); got != None {
			w.Feed(got)
		}
	}
	return nil
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (w *IO) SetCallback(fn func(*IO, Events)) {
	w.own("SetCallback")
	w.checkCallback(fn == nil)
	w.fn = fn
}

func (w *IO) call()         { w.fn(w, w.events) }
func (w *IO) callback() any { return w.fn }
func (w *IO) onStop()       { w.loop.files.remove(w) }

// FeedFD acts as if the system had reported events on fd: every active IO on it gets the events
// that it asked for (ev_feed_fd_event). It must be called on the loop's goroutine. It ignores a
// descriptor that no watcher watches.
func (l *Loop) FeedFD(fd int, events Events) {
	l.own("FeedFD")
	if fd >= 0 && fd < len(l.files.table) {
		l.files.table[fd].deliver(l, events)
	}
	l.publishIfIdle()
}
