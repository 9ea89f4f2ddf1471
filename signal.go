package ev

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// Signal calls back on the loop when the process receives a signal; libev's
// ev_signal. Signals that come before the callback collapse into one. Any number
// of watchers, in any number of loops, may watch one signal, each gets it, and
// os/signal's own users do too. When the last watcher of a signal stops, the
// signal does again what it did before the first; if it was ignored by
// signal.Ignore, that ends what others have asked of signal.Notify meanwhile.
type Signal struct {
	_ noCopy
	request
	watcher
	sig os.Signal
	fn  func(*Signal)
}

// NewSignal makes a Signal. It panics when l or fn is nil; what is wrong with
// sig, Start reports.
func NewSignal(l *Loop, sig os.Signal, fn func(*Signal), opts ...Option) *Signal {
	s := &Signal{sig: sig, fn: fn}
	s.watcher.init("NewSignal", s, l, fn == nil, opts)
	s.request.init(&s.watcher, SignalEvent)
	return s
}

// Signal returns the signal watched.
func (s *Signal) Signal() os.Signal { return s.sig }

// Start begins to watch. It fails for a signal that does not exist or cannot be
// caught, and with ErrClosed on a closed loop. It has no effect on an active
// watcher.
//
// Start uses os/signal, whose goroutine is started by the first use in the
// process and never ends: in a testing/synctest bubble, see that
// signal.Notify was called once outside of one before.
func (s *Signal) Start() error {
	s.own("Start")
	number, err := signalNumber(s.sig)
	if err != nil {
		return fmt.Errorf("ev: Signal.Start: %w", err)
	}
	if s.loop.isClosed() {
		return ErrClosed
	}
	if s.begin() {
		s.loop.requests.activate(&s.request)
		signals.add(number, s)
	}
	return nil
}

// SetCallback replaces the callback, from the next call on.
func (s *Signal) SetCallback(fn func(*Signal)) {
	s.own("SetCallback")
	if fn == nil {
		panic("ev: Signal.SetCallback: nil callback")
	}
	s.fn = fn
}

func (s *Signal) call()         { s.fn(s) }
func (s *Signal) callback() any { return s.fn }

func (s *Signal) halt() {
	s.loop.requests.deactivate(&s.request)
	number, _ := signalNumber(s.sig)
	signals.remove(number, s)
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
	if why := uncatchable[n]; why != "" {
		return 0, fmt.Errorf("signal %v %s", n, why)
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

// signals is who watches which signal, in the whole process.
var signals = signalTable{watched: make(map[syscall.Signal]*watchedSignal)}

type signalTable struct {
	mu      sync.Mutex
	watched map[syscall.Signal]*watchedSignal
}

type watchedSignal struct {
	ignored bool // as the program had it, before the first watcher
	sources []*signalSource
}

// signalSource is one loop's subscription to one signal: a channel and a
// goroutine of its own, so that nothing made in one testing/synctest bubble is
// used in another.
type signalSource struct {
	loop     *Loop
	received chan os.Signal // holds one: signals collapse
	quit     chan struct{}
	watchers []*Signal // guarded by signals.mu
}

func (t *signalTable) add(n syscall.Signal, s *Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ws := t.watched[n]
	if ws == nil {
		ws = &watchedSignal{ignored: signal.Ignored(n)}
		t.watched[n] = ws
	}
	src := ws.source(s.loop)
	if src == nil {
		src = &signalSource{loop: s.loop, received: make(chan os.Signal, 1), quit: make(chan struct{})}
		ws.sources = append(ws.sources, src)
		signal.Notify(src.received, n)
		go t.forward(src)
	}
	src.watchers = append(src.watchers, s)
}

func (t *signalTable) remove(n syscall.Signal, s *Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ws := t.watched[n]
	src := ws.source(s.loop)
	i := len(src.watchers) - 1 // Close stops the last first
	for src.watchers[i] != s {
		i--
	}
	src.watchers = slices.Delete(src.watchers, i, i+1)
	if len(src.watchers) > 0 {
		return
	}
	signal.Stop(src.received)
	close(src.quit)
	i = slices.Index(ws.sources, src)
	ws.sources = slices.Delete(ws.sources, i, i+1)
	if len(ws.sources) > 0 {
		return
	}
	delete(t.watched, n)
	if ws.ignored {
		signal.Ignore(n)
	}
}

// forward turns received signals into requests, until the source is removed. A
// signal still in the channel then is dropped: the watchers are gone.
func (t *signalTable) forward(src *signalSource) {
	for {
		select {
		case <-src.received:
			t.mu.Lock()
			src.request()
			t.mu.Unlock()
		case <-src.quit:
			return
		}
	}
}

func (t *signalTable) feed(n syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ws := t.watched[n]; ws != nil {
		for _, src := range ws.sources {
			src.request()
		}
	}
}

func (t *signalTable) watchersIn(l *Loop, n syscall.Signal) []*Signal {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ws := t.watched[n]; ws != nil {
		if src := ws.source(l); src != nil {
			return slices.Clone(src.watchers)
		}
	}
	return nil
}

func (ws *watchedSignal) source(l *Loop) *signalSource {
	for _, src := range ws.sources {
		if src.loop == l {
			return src
		}
	}
	return nil
}

// request asks for a callback of each watcher, as Async.Send does.
func (src *signalSource) request() {
	for _, s := range src.watchers {
		s.send(src.loop)
	}
}
