package ev

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"weak"

	"github.com/goevlib/ev/internal/signals"
)

// Signal calls back on the loop when the process receives a signal; libev's ev_signal.
// Signals that come before the callback collapse into one. Any number of watchers in any
// number of loops may watch one signal. Each of them is called, and os/signal's own users
// receive the signal too.
//
// # After the last Stop
//
// When the last watcher of a signal stops, the previous disposition is restored. If the
// signal was ignored (signal.Ignored) before a Start, it is ignored again. That ends other
// registrations for the signal that were made with signal.Notify meanwhile.
//
// SIGTSTP, SIGTTIN and SIGTTOU are exceptions: they do not suspend the process again. The Go
// runtime keeps its handler for them, and signal.Reset does not change that. To suspend the
// process, a callback sends it SIGSTOP.
//
// # signal.Ignore and signal.Reset
//
// A call of either, anywhere in the process, ends every subscription to the signal. Active
// watchers stay active, but only FeedSignal calls them. The next Start of a watcher of the
// signal, on any loop, renews all subscriptions.
//
// # Faults
//
// SIGSEGV, SIGBUS and SIGFPE are called back when a process has sent them. A fault of the
// program itself is a panic instead.
type Signal struct {
	_ noCopy
	request
	watcher
	sig   os.Signal
	fn    func(*Signal)
	group *signalGroup // of an active watcher
}

// NewSignal makes a Signal. It panics if l or fn is nil. Start reports a sig that cannot be
// watched.
func NewSignal(l *Loop, sig os.Signal, fn func(*Signal), opts ...Option) *Signal {
	s := &Signal{sig: sig, fn: fn}
	s.watcher.init("NewSignal", s, l, fn == nil, opts)
	s.request.init(&s.watcher, SignalEvent)
	return s
}

// Signal returns the signal watched. It is safe for concurrent use.
func (s *Signal) Signal() os.Signal { return s.sig }

// Start begins to watch. It has no effect on an active watcher. It returns ErrClosed on a
// closed loop, and an error that states the reason for a signal that never comes:
//
//   - There is no such signal. The error wraps syscall.EINVAL on Unix.
//   - It cannot be caught (SIGKILL, SIGSTOP).
//   - The Go runtime uses it itself (SIGURG, SIGPROF).
//   - os/signal does not deliver it: 32, 33 and 34 on Linux, with and without cgo, because
//     the C libraries use them.
//
// On Windows only SIGINT and SIGTERM come, and on js and wasip1 none does. There the error for
// the others wraps errors.ErrUnsupported.
//
// Start uses os/signal, whose goroutine is started by the first use in the process and never
// ends. Before a Start in a testing/synctest bubble, call signal.Notify once outside of one.
func (s *Signal) Start() error {
	s.own("Start")
	if s.loop.isClosed() {
		return ErrClosed
	}
	if s.index != 0 {
		return nil
	}
	number, err := signals.Number(s.sig)
	if err != nil {
		return s.startError(err)
	}
	if !s.begin() {
		return ErrClosed // by another goroutine, just now
	}
	s.loop.requests.activate(&s.request)
	s.loop.joinSignalGroup(s, number)
	return nil
}

// SetCallback replaces the callback, from the next call on. It panics if fn is nil.
func (s *Signal) SetCallback(fn func(*Signal)) {
	s.own("SetCallback")
	s.checkCallback(fn == nil)
	s.fn = fn
}

func (s *Signal) call()         { s.fn(s) }
func (s *Signal) callback() any { return s.fn }

func (s *Signal) onStop() {
	s.loop.requests.deactivate(&s.request)
	s.loop.leaveSignalGroup(s)
}

// FeedSignal acts as if the process had received sig: every active watcher of it, in every
// loop, is called back (ev_feed_signal). It is safe for concurrent use. It ignores a signal
// that no watcher watches.
func FeedSignal(sig os.Signal) {
	if n, err := signals.Number(sig); err == nil {
		signals.Feed(n)
	}
}

// FeedSignal makes this loop's active watchers of sig pending, as if the loop had received
// the signal (ev_feed_signal_event). It must be called on the loop's goroutine.
func (l *Loop) FeedSignal(sig os.Signal) {
	l.own("FeedSignal")
	n, err := signals.Number(sig)
	if err != nil {
		return
	}
	if g := l.signals[n]; g != nil {
		for _, s := range slices.Clone(g.watchers) {
			s.Feed(SignalEvent)
		}
	}
}

// signalGroup is a loop's active watchers of one signal, and their source of it. The source
// is reachable from its goroutine, and reaches the group only by a weak pointer, so that a
// loop that is dropped without Close can be collected. While anything can run the loop, its
// list of active watchers keeps the group, and the pointer is valid. When the pointer is nil,
// there is no loop to wake.
type signalGroup struct {
	number   syscall.Signal
	source   *signals.Source
	resource *resource

	mu       sync.Mutex
	watchers []*Signal // changed on the loop's goroutine only, with mu held
}

// signalGroups are a loop's groups. The loop's goroutine alone uses the map.
type signalGroups map[syscall.Signal]*signalGroup

func (l *Loop) joinSignalGroup(s *Signal, n syscall.Signal) {
	if l.signals == nil {
		l.signals = make(signalGroups)
	}
	g := l.signals[n]
	if g == nil {
		g = newSignalGroup(n)
		l.signals[n] = g
	}
	g.add(s)
	s.group = g
	g.source.Renew()
	if g.resource == nil {
		g.resource = l.resources.add(g.source.Close)
	}
}

func (l *Loop) leaveSignalGroup(s *Signal) {
	g := s.group
	s.group = nil
	if last := g.remove(s); last {
		delete(l.signals, g.number)
		g.resource.release()
	}
}

func newSignalGroup(n syscall.Signal) *signalGroup {
	g := &signalGroup{number: n}
	to := weak.Make(g)
	g.source = signals.NewSource(n, func() {
		if g := to.Value(); g != nil {
			g.request()
		}
	})
	return g
}

func (g *signalGroup) add(s *Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watchers = append(g.watchers, s)
}

// remove reports whether the last watcher has gone. No request is made for s after it has
// returned.
func (g *signalGroup) remove(s *Signal) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := len(g.watchers) - 1 // Close stops the last first
	for g.watchers[i] != s {
		i--
	}
	g.watchers = slices.Delete(g.watchers, i, i+1)
	return len(g.watchers) == 0
}

// request asks for a callback of each watcher, as Async.Send does, on any goroutine.
func (g *signalGroup) request() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.watchers {
		s.send(s.loop)
	}
}
