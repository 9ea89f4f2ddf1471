package signals

import (
	"os"
	"sync"
	"syscall"
)

// Source calls a function whenever the process receives one signal, or Feed is called. Each
// has a channel and a goroutine of its own, so that nothing made in one testing/synctest
// bubble is used in another.
type Source struct {
	signal   syscall.Signal
	deliver  func()
	received chan os.Signal // holds one: signals collapse
	quit     chan struct{}
}

// sources are all Sources that are not closed.
var sources = struct {
	mu sync.Mutex
	of map[syscall.Signal]map[*Source]struct{}
}{of: make(map[syscall.Signal]map[*Source]struct{})}

// NewSource makes a Source for a number from Number. It must be renewed before it receives
// signals. deliver is called on other goroutines. It must not call this package. The calls
// can overlap, and one that has begun can outlast Close.
func NewSource(n syscall.Signal, deliver func()) *Source {
	s := &Source{signal: n, deliver: deliver, received: make(chan os.Signal, 1), quit: make(chan struct{})}
	sources.mu.Lock()
	if sources.of[n] == nil {
		sources.of[n] = make(map[*Source]struct{})
	}
	sources.of[n][s] = struct{}{}
	sources.mu.Unlock()
	go s.forward()
	return s
}

// Renew subscribes to the signal, and renews all other subscriptions to it in the process:
// signal.Ignore or signal.Reset may have ended them.
func (s *Source) Renew() { Notify(s.received, s.signal) }

// Close ends the subscription. It must be called once, after Renew.
func (s *Source) Close() {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	Stop(s.received, s.signal)
	close(s.quit)
	delete(sources.of[s.signal], s)
	if len(sources.of[s.signal]) == 0 {
		delete(sources.of, s.signal)
	}
}

// forward calls deliver for received signals until the Source is closed. A signal that is
// still in the channel then is dropped.
func (s *Source) forward() {
	for {
		select {
		case <-s.received:
			s.deliver()
		case <-s.quit:
			return
		}
	}
}

// Feed acts as if the process had received signal n.
func Feed(n syscall.Signal) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	for s := range sources.of[n] {
		s.deliver()
	}
}
