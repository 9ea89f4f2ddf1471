package ev

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"weak"
)

// signals is who watches which signal, in the whole process.
var signals = signalTable{watched: make(map[syscall.Signal]map[uint64]*signalSource)}

type signalTable struct {
	mu      sync.Mutex
	watched map[syscall.Signal]map[uint64]*signalSource // by the loop's ID
}

// A loop's watchers of one signal are in two parts, so that a loop that is
// dropped without Close can be collected. signalGroup is the loop's: it is
// reached from the watchers, which the loop's list of active watchers reaches.
// signalSource is the table's and its goroutine's, and knows the group by a weak
// pointer. As long as anybody can run the loop, the group is reachable and the
// pointer is good; when it is nil, there is no loop to wake.
type signalGroup struct {
	watchers []*Signal // guarded by signals.mu
	source   *signalSource
	resource *resource
}

// signalSource is one loop's subscription to one signal: a channel and a
// goroutine of its own, so that nothing made in one testing/synctest bubble is
// used in another.
type signalSource struct {
	signal   syscall.Signal
	loop     uint64
	group    weak.Pointer[signalGroup]
	received chan os.Signal // holds one: signals collapse
	quit     chan struct{}
}

// add is called on the loop's goroutine, as remove is: nobody else makes or ends
// a group of this loop between the two steps of either.
func (t *signalTable) add(n syscall.Signal, s *Signal) {
	g := t.groupOf(s.loop, n)
	if g == nil {
		g = t.open(s.loop, n)
	}
	t.mu.Lock()
	s.group = g
	g.watchers = append(g.watchers, s)
	t.mu.Unlock()
	subscribe(g.source.received, n) // at each Start: somebody may have ended it
	if g.resource == nil {
		src := g.source
		g.resource = s.loop.resources.add(func() { t.close(src) })
	}
}

func (t *signalTable) open(l *Loop, n syscall.Signal) *signalGroup {
	src := &signalSource{signal: n, loop: l.id, received: make(chan os.Signal, 1), quit: make(chan struct{})}
	g := &signalGroup{source: src}
	src.group = weak.Make(g)
	t.mu.Lock()
	if t.watched[n] == nil {
		t.watched[n] = make(map[uint64]*signalSource)
	}
	t.watched[n][l.id] = src
	t.mu.Unlock()
	go t.forward(src)
	return g
}

func (t *signalTable) remove(s *Signal) {
	g := s.group
	s.group = nil
	t.mu.Lock()
	i := len(g.watchers) - 1 // Close stops the last first
	for g.watchers[i] != s {
		i--
	}
	g.watchers = slices.Delete(g.watchers, i, i+1)
	last := len(g.watchers) == 0
	t.mu.Unlock()
	if last {
		g.resource.release()
	}
}

// close ends a subscription. It is called once, for a group that has no watchers,
// or that was collected.
func (t *signalTable) close(src *signalSource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	unsubscribe(src.received, src.signal)
	close(src.quit)
	delete(t.watched[src.signal], src.loop)
	if len(t.watched[src.signal]) == 0 {
		delete(t.watched, src.signal)
	}
}

// forward turns received signals into requests, until the source is closed. A
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
	for _, src := range t.watched[n] {
		src.request()
	}
}

func (t *signalTable) groupOf(l *Loop, n syscall.Signal) *signalGroup {
	t.mu.Lock()
	defer t.mu.Unlock()
	if src := t.watched[n][l.id]; src != nil {
		return src.group.Value()
	}
	return nil
}

func (t *signalTable) watchersIn(l *Loop, n syscall.Signal) []*Signal {
	g := t.groupOf(l, n)
	if g == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(g.watchers)
}

// request asks for a callback of each watcher, as Async.Send does. It requires
// that signals.mu is held.
func (src *signalSource) request() {
	g := src.group.Value()
	if g == nil {
		return
	}
	for _, s := range g.watchers {
		s.send(s.loop)
	}
}
