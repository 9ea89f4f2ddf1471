package signals

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// subscriptions are all channels that Notify has passed to os/signal. They are in one table
// for two reasons:
//
// signal.Ignore and signal.Reset end every subscription to a signal, and report nothing. So
// Notify renews all of them. If it renewed only its own, then the end of that one would be
// the end of the last, and the signal might end the process while other channels are still
// supposed to receive it.
//
// A signal that was ignored must be ignored again when the last channel goes. It was ignored
// if signal.Ignored reports true when a channel comes: it reports false while a subscription
// is in force. So true means that there is no subscription, or none any more because
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

// Notify has signal n sent to c, and renews the subscriptions of all other channels for n.
func Notify(c chan os.Signal, n syscall.Signal) {
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

// Stop ends that. Nothing is sent to c after Stop has returned.
func Stop(c chan os.Signal, n syscall.Signal) {
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
