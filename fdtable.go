package ev

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

// files is the loop's table of descriptors: their watchers, and what the poller watches.
type files struct {
	table   []file        // by descriptor
	changed []int         // descriptors for which the poller is not up to date
	always  []int         // descriptors that the poller refuses because they are always ready
	count   int           // active IOs
	calls   uint64        // changes that were made in the poller
	round   uint16        // counts the looks at the poller …
	polled  time.Duration // … and when the last was
	relays  relays        // instead of the poller, for some descriptors
	pin     pin
	attempt *attempt // to be used again by IO.try
}

// pin is a call of Control for an IO. A function made for each would be allocated.
type pin struct {
	w    *IO
	do   func(w *IO, fd int) error // what to do while the descriptor cannot be closed
	want Events                    // for watchFile
	err  error                     // what do has returned
	call func(fd uintptr)
}

// pinned calls do with the descriptor of w's connection, which stays open meanwhile. gone is
// the error if the connection is closed.
func (w *IO) pinned(do func(w *IO, fd int) error) (gone, err error) {
	p := &w.loop.files.pin
	if p.call == nil {
		p.call = func(fd uintptr) { p.err = p.do(p.w, int(fd)) }
	}
	outer := *p // a connection's Control may be the user's
	p.w, p.do, p.err = w, do, nil
	gone = w.conn.Control(p.call)
	err = p.err
	*p = outer
	return gone, err
}

// looked records a look at the poller.
func (f *files) looked(now time.Duration) {
	f.polled = now
	f.round++
}

// file is one descriptor. A generation is a use of the number. The poller returns it with each
// event, so that an event of an older use is recognized.
type file struct {
	first      *IO // in the order of their starts
	generation uint32
	watched    Events // by the poller
	round      uint16 // the last files.round in which it was ready
	streak     uint8  // how many such rounds in a row, modulo 256
	changed    bool   // it is in files.changed
	fresh      bool   // the number may denote another file: tell the poller in any case
	always     bool   // it is in files.always
	byRelay    bool   // a relay must watch it, not the poller; see relays
	relayed    bool   // and does
}

// add adds an active watcher. Watchers with the same number whose connection was closed are
// stopped here. Watchers of a bare number watch the file that it denotes now, as the new
// watcher does.
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
			o.setRelayed(w.relayed)
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
	gone, err := w.pinned((*IO).sameFD)
	return gone != nil || err != nil
}

func (w *IO) sameFD(fd int) error {
	if fd != w.fd {
		return syscall.EBADF
	}
	return nil
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

// flushFiles brings the poller up to date, before it polls. It reports whether that failed for
// a descriptor, whose watchers are pending with Error then.
func (l *Loop) flushFiles() (failed bool) {
	f := &l.files
	if len(f.changed) == 0 {
		return false
	}
	noSet := l.poller.openSet() // it is open, unless Start has left that to flushFiles
	// By index: a failure can stop more, such as the eventfd of the relays, whose number is
	// appended meanwhile.
	for i := 0; i < len(f.changed); i++ {
		fd := f.changed[i]
		f.table[fd].changed = false
		err := noSet
		if err == nil {
			err = l.updatePoller(fd, &f.table[fd])
		}
		if err != nil {
			l.stopWatchers(fd)
			f.table[fd].watched, f.table[fd].fresh = None, false
			failed = true
		}
	}
	f.changed = f.changed[:0]
	return failed
}

// stopWatchers stops all watchers of a descriptor that cannot be watched.
func (l *Loop) stopWatchers(fd int) {
	for l.files.table[fd].first != nil {
		l.fail(l.files.table[fd].first)
	}
}

// updatePoller has the poller watch a descriptor for the events that its watchers ask for.
func (l *Loop) updatePoller(fd int, e *file) error {
	f := &l.files
	want := None
	for w := e.first; w != nil; w = w.next {
		want |= w.interest
	}
	if want == e.watched && !(e.fresh && want != None) {
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
		e.watched, e.fresh = want, false
	}
	return err
}

// watchPinned is watchFile with the descriptor of a connection pinned, so that the number
// cannot denote another file by then.
func (l *Loop) watchPinned(fd int, e *file, want Events) (err error) {
	if e.first == nil || e.first.conn == nil {
		return l.watchFile(fd, e, want)
	}
	l.files.pin.want = want
	gone, err := e.first.pinned((*IO).watch)
	return errors.Join(gone, err)
}

func (w *IO) watch(fd int) error {
	if err := w.sameFD(fd); err != nil {
		return err
	}
	f := &w.loop.files
	return w.loop.watchFile(fd, &f.table[fd], f.pin.want)
}

// watchFile has the poller or a relay watch fd. A relay serves all events alike, and a relay
// of the file stays.
func (l *Loop) watchFile(fd int, e *file, want Events) error {
	if e.relayed {
		if want != None && !e.fresh {
			return nil
		}
		l.files.stopRelay(fd, e)
	}
	err := l.poller.watch(fd, e.generation, e.watched != None, want)
	if err != nil || want == None || !e.byRelay {
		return err
	}
	_ = l.poller.watch(fd, e.generation, true, None) // the first has shown that fd can be polled
	return l.startRelay(fd, e)
}

// fail stops a watcher whose descriptor cannot be watched.
func (l *Loop) fail(w *IO) {
	w.Stop()
	if w.internal != nil {
		w.internal(Error)
		return
	}
	l.pending.mark(&w.watcher, Error|Read|Write)
}

// none reports whether no descriptor is watched, and the poller knows that.
func (f *files) none() bool { return f.count == 0 && len(f.changed) == 0 && len(f.always) == 0 }

// markReady makes the watchers pending whose descriptors are ready.
func (l *Loop) markReady() {
	f := &l.files
	stale := false
	for _, r := range l.poller.take() {
		if r.fd >= len(f.table) || f.table[r.fd].generation != r.generation || f.table[r.fd].watched == None ||
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

// A descriptor that is closed while it is watched must have no more events. epoll forgets a
// file when it is closed, but not while it lives on under another descriptor: a dup, or one
// that a child process has inherited. Then epoll goes on to report it under the old number, in
// each iteration, because the data cannot be read by that number any more.
//
// A file that is not ready twice in a row therefore needs no check. A file that is ready
// repeatedly is checked at the second time, and then
//
//   - after each eighth, for a connection: it is known without a system call whether a
//     connection is closed;
//   - after each 64th, for a bare number: the kernel must be asked.
const (
	checkConn   = 8
	checkNumber = 64
)

// goneStale reports whether the descriptor, which is ready, no longer denotes the file that is
// watched. From then on the loop ignores it, until a Start or Set registers the number again.
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
	e.watched = None
	return true
}

func (l *Loop) holds(fd int, e *file) bool {
	switch {
	case e.first == nil: // stopped since the poller was brought up to date
		return true
	case e.first.conn != nil:
		return !e.first.lost()
	}
	return e.streak%checkNumber != checkNumber-checkConn+2 || l.poller.holds(fd, e.generation, e.watched)
}

// rebuildFiles makes a new set. epoll goes on to report a file that was closed and lives on
// under another descriptor, and there is no other way to make it stop.
func (l *Loop) rebuildFiles() {
	if l.poller.reopenSet() != nil {
		return // the next event tries again
	}
	for fd := range l.files.table {
		if e := &l.files.table[fd]; e.watched != None && !e.always && !e.relayed {
			e.watched = None
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
