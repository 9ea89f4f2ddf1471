package ev

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// This file is a loop inside of another program's main loop, which polls a descriptor.
//
// Between two Runs, an exposed loop is parked, as in wakeup.go. The place where it sleeps is the
// other loop's poll(2), and to wake it is to make the descriptor readable:
//
//	a sender                              the loop, at the end of a Run (offer)
//	1. publish the request                a. set the timerfd to the next due time
//	2. parked?          no: done          b. parked := 1
//	3. claim: CAS(parked, 1, 0)           c. a request, or other work? then claim, as a sender
//	   failed: done                       the loop, at the beginning of a Run
//	4. write to the eventfd               d. parked := 0
//	                                      e. poll: take the edges; collect the requests
//
// A Send at any time is answered. If its step 1 comes before c, the loop finds it there. Else b
// comes before 2, and the sender finds the loop parked, unless another has claimed it and writes,
// or the loop is at d, and collects after that. A write makes the descriptor readable: the eventfd
// is in the loop's set, edge-triggered, and the set has the edge until somebody takes it, which
// only e does. So a write that comes before e is taken with the requests of that time, and one
// that comes after e makes the descriptor readable for the next Run. If the sender was slow, and
// its claim was of an earlier park, that Run finds nothing to do. Nothing is missed.
//
// The descriptor does not stay readable: e takes the edges of the eventfd and of the timerfd, which
// are never read. Only the user's descriptors remain. They are level-triggered, and they are work.
//
// A method that changes a watcher between two Runs on the loop's goroutine acts as a sender
// (publishIfIdle): the Run that follows sets the timerfd anew and tells the poller of descriptors.

// exposer is a poller whose wake-ups make a descriptor readable.
type exposer interface {
	// expose returns the descriptor, which belongs to the poller.
	expose() (fd int, err error)
	// wakeAt makes it readable at that time too. It reports whether it could.
	wakeAt(until time.Duration) bool
}

// PollFD returns a descriptor that becomes readable when RunNoWait has something to do: a Send, a
// Post, a signal, a timer that is due, a descriptor that is ready. So the main loop of another
// library, such as GLib or Qt, or any poll(2) drives this loop:
//
//	fd, err := loop.PollFD()
//	for err == nil {
//		// poll fd for reading, among other descriptors, and when it is readable:
//		err = loop.RunNoWait()
//	}
//
// After RunNoWait the descriptor is not readable until there is something to do again. It may be
// readable without a reason. It must only be polled: neither read nor closed. Do not use it after
// Close. All calls of PollFD return the same descriptor.
//
// RunNoWait must be called, once, each time the descriptor is readable, on the goroutine that owns
// the loop. On that goroutine, watchers may be started, changed and stopped between two calls. Run
// and RunOnce work, too. While an Idle is active, the descriptor is readable.
//
// It must be called on the loop's goroutine. From then on the loop is always woken by a write, as
// by WakeWrite, and cannot embed another loop or be embedded.
//
// # Errors
//
// PollFD returns an error that wraps errors.ErrUnsupported on other systems than Linux, and with
// BackendChan. (A kqueue can be polled, but the loop's has a goroutine that takes its events.) It
// returns ErrClosed on a closed loop, and the error of the system if there is no descriptor left.
//
// # Cost
//
// Each RunNoWait polls the loop's descriptors, which is a system call. If the next timer has
// changed, it makes a second one. The first Send after it makes a third.
func (l *Loop) PollFD() (fd int, err error) {
	l.own("PollFD")
	if l.isClosed() {
		return -1, ErrClosed
	}
	if fd, err = l.expose(); err != nil {
		return -1, fmt.Errorf("ev: Loop.PollFD: %w", err)
	}
	if l.depth == 0 {
		l.offer()
	}
	return fd, nil
}

func (l *Loop) expose() (fd int, err error) {
	p, ok := l.poller.(exposer)
	if !ok {
		return -1, fmt.Errorf("%s, backend %v: %w", runtime.GOOS, l.backend, errors.ErrUnsupported)
	}
	embedding.Lock()
	defer embedding.Unlock()
	if l.host != nil || len(l.embedded) > 0 {
		return -1, errors.New("the loop is embedded, or embeds another")
	}
	if fd, err = p.expose(); err == nil {
		l.exposed.Store(1)
	}
	return fd, err
}

// offer is steps a to c. It is a part of the Run. After that, a Close by another goroutine may free
// what offer uses: during the Run, it leaves that to endRun.
func (l *Loop) offer() {
	until, now := l.plan()
	if !now {
		until, now = l.dueAt(until)
	}
	if !now && until < farAway {
		now = !l.poller.(exposer).wakeAt(until)
	}
	l.parked.Store(1)
	if now || l.pending.count > 0 || !l.requests.empty() {
		l.wake()
	}
}
