package ev

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Signal calls back on the loop when the process receives a signal; libev's
// ev_signal. Signals that come before the callback collapse into one. Any number
// of watchers, in any number of loops, may watch one signal, each gets it, and
// os/signal's own users do too.
//
// # After the last Stop
//
// When the last watcher of a signal stops, the signal does again what it did
// before the first Start. If signal.Ignored was true then, or before a later Start,
// the signal is ignored again, which ends what others have asked of signal.Notify
// meanwhile.
//
// SIGTSTP, SIGTTIN and SIGTTOU are exceptions: they do not suspend the process
// again. The Go runtime keeps its handler for them, and signal.Reset does not change
// that. To suspend the process, a callback sends it SIGSTOP.
//
// # signal.Ignore and signal.Reset
//
// A call of either by anybody ends every subscription to the signal. Active
// watchers stay active, but only FeedSignal makes them be called. The next Start of
// a watcher of the signal, on any loop, renews the subscriptions of all.
//
// # Faults
//
// SIGSEGV, SIGBUS and SIGFPE are called back when a process has sent them. A fault
// of the program itself is a panic instead.
type Signal struct {
	_ noCopy
	request
	watcher
	sig   os.Signal
	fn    func(*Signal)
	group *signalGroup // of an active watcher
}

// NewSignal makes a Signal. It panics when l or fn is nil; what is wrong with
// sig, Start reports.
func NewSignal(l *Loop, sig os.Signal, fn func(*Signal), opts ...Option) *Signal {
	s := &Signal{sig: sig, fn: fn}
	s.watcher.init("NewSignal", s, l, fn == nil, opts)
	s.request.init(&s.watcher, SignalEvent)
	return s
}

// Signal returns the signal watched. Any goroutine may call it.
func (s *Signal) Signal() os.Signal { return s.sig }

// Start begins to watch. It fails with ErrClosed on a closed loop, and with an
// error that says why for a signal that never comes: one that does not exist
// (wraps syscall.EINVAL on Unix), that cannot be caught (SIGKILL, SIGSTOP), that the
// Go runtime uses itself (SIGURG, SIGPROF), or that os/signal does not deliver (32,
// 33 and 34 on Linux, with and without cgo: the C libraries use them). On Windows,
// where only SIGINT and SIGTERM come, the others are not refused. Start has no effect
// on an active watcher.
//
// Start uses os/signal, whose goroutine is started by the first use in the
// process and never ends: in a testing/synctest bubble, see that
// signal.Notify was called once outside of one before.
func (s *Signal) Start() error {
	s.own("Start")
	if s.loop.isClosed() {
		return ErrClosed
	}
	if s.index != 0 {
		return nil
	}
	number, err := signalNumber(s.sig)
	if err != nil {
		return fmt.Errorf("ev: Signal.Start: %w", err)
	}
	if !s.begin() {
		return ErrClosed // by another goroutine, just now
	}
	s.loop.requests.activate(&s.request)
	signals.add(number, s)
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (s *Signal) SetCallback(fn func(*Signal)) {
	s.own("SetCallback")
	s.checkCallback(fn == nil)
	s.fn = fn
}

func (s *Signal) call()         { s.fn(s) }
func (s *Signal) callback() any { return s.fn }

func (s *Signal) onStop() {
	s.loop.requests.deactivate(&s.request)
	signals.remove(s)
}

// maxSignal is os/signal's: the last real-time signal of Linux.
const maxSignal = 64

func signalNumber(sig os.Signal) (syscall.Signal, error) {
	n, ok := sig.(syscall.Signal)
	switch {
	case sig == nil:
		return 0, errors.New("nil signal")
	case !ok:
		return 0, fmt.Errorf("signal %v is a %T, not a syscall.Signal", sig, sig)
	case n <= 0 || n > maxSignal:
		return 0, fmt.Errorf("signal %d: %w", int(n), errNoSignal)
	}
	if why := undelivered(n); why != "" {
		name := strings.TrimPrefix(n.String(), "signal ") // of one that has no name: "signal 33"
		return 0, fmt.Errorf("signal %s %s", name, why)
	}
	return n, nil
}

// FeedSignal acts as if the process had received sig: every active watcher of
// it, in whatever loop, is called back (ev_feed_signal). Any goroutine may call
// it. A signal that nobody watches is ignored.
func FeedSignal(sig os.Signal) {
	if n, err := signalNumber(sig); err == nil {
		signals.feed(n)
	}
}

// FeedSignal makes this loop's active watchers of sig pending, as if the loop
// had received it (ev_feed_signal_event). It is called on the loop's goroutine.
func (l *Loop) FeedSignal(sig os.Signal) {
	l.own("FeedSignal")
	n, err := signalNumber(sig)
	if err != nil {
		return
	}
	for _, s := range signals.watchersIn(l, n) {
		s.Feed(SignalEvent)
	}
}
