package ev

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// subscriptions are all channels that this package has at signal.Notify: one for
// each loop and signal that Signals watch, and one for each Child that needs
// SIGCHLD. They have to know of each other for the sake of what others do with
// the same signal:
//
// signal.Ignore and signal.Reset end every subscription, and nothing tells. So
// each add renews all of them. Were it to renew its own alone, the end of that
// one would be the end of the last, and the signal might end the process while
// others think that they watch it.
//
// A signal that was ignored is to be ignored again when the last channel goes. It
// was if signal.Ignored says so when a channel comes: with a subscription in
// force it says no, so that yes means that there is none, or none any more, since
// somebody has called signal.Ignore. (A signal.Reset does not show.)
type subscriptions struct {
	mu sync.Mutex
	of map[syscall.Signal]*subscription
}

type subscription struct {
	channels map[chan os.Signal]struct{}
	ignored  bool
}

var subscribed = subscriptions{of: make(map[syscall.Signal]*subscription)}

// subscribe has signal n sent to c, and takes it up again for all others.
func subscribe(c chan os.Signal, n syscall.Signal) {
	t := &subscribed
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.of[n]
	if s == nil {
		s = &subscription{channels: make(map[chan os.Signal]struct{})}
		t.of[n] = s
	}
	s.ignored = s.ignored || signal.Ignored(n)
	s.channels[c] = struct{}{}
	for c := range s.channels {
		signal.Notify(c, n) // no effect where the subscription is in force
	}
}

// unsubscribe ends that. Nothing is sent to c after it has returned.
func unsubscribe(c chan os.Signal, n syscall.Signal) {
	t := &subscribed
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.of[n]
	delete(s.channels, c)
	if len(s.channels) == 0 {
		delete(t.of, n)
		if s.ignored {
			signal.Ignore(n) // before Stop: in between, the signal could end the process
		}
	}
	signal.Stop(c)
}
