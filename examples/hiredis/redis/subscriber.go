//go:build cgo

package redis

import (
	"errors"

	"github.com/goevlib/ev"
)

// Subscriber receives messages that are published on channels. It keeps Run going while it has a
// subscription.
type Subscriber struct {
	link
	subscriptions map[string]*subscription
	asked         map[string]int // SUBSCRIBEs of each channel that the server has not confirmed
}

// subscription is a channel's callbacks.
type subscription struct {
	ready   func()
	message func(payload string)
	over    bool
}

// NewSubscriber makes a Subscriber, as NewClient makes a Client.
func NewSubscriber(l *ev.Loop, o Options) (*Subscriber, error) {
	s := &Subscriber{subscriptions: make(map[string]*subscription), asked: make(map[string]int)}
	if err := s.open(l, s, o); err != nil {
		return nil, err
	}
	return s, nil
}

// Subscribe asks for the messages of a channel, for each connection. ready, if not nil, is called
// when the server has confirmed that, again after each loss of the connection: the messages sent
// meanwhile are lost. Subscribe returns ErrClosed after Close, and an error if there is a
// subscription of the channel already.
func (s *Subscriber) Subscribe(channel string, ready func(), message func(payload string)) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.subscriptions[channel] != nil:
		return errors.New("redis: subscribed already: " + channel)
	}
	s.subscriptions[channel] = &subscription{ready: ready, message: message}
	if s.up {
		s.ask(channel)
	}
	s.keep()
	return nil
}

// Unsubscribe ends a subscription. No callback of it begins after that.
func (s *Subscriber) Unsubscribe(channel string) {
	sub := s.subscriptions[channel]
	if sub == nil || s.closed {
		return
	}
	sub.over = true
	delete(s.subscriptions, channel)
	if s.up {
		s.enqueue("UNSUBSCRIBE", channel)
	}
	s.keep()
}

// Close ends the connection. No callback begins after it. Further calls have no effect.
func (s *Subscriber) Close() {
	s.close()
	clear(s.subscriptions)
}

func (s *Subscriber) waits() bool { return len(s.subscriptions) > 0 }
func (s *Subscriber) lost(error)  { clear(s.asked) }

func (s *Subscriber) connected() {
	for channel := range s.subscriptions {
		s.ask(channel)
	}
}

func (s *Subscriber) ask(channel string) {
	s.asked[channel]++
	s.enqueue("SUBSCRIBE", channel)
}

// confirm reports whether the last SUBSCRIBE of a channel is confirmed. An earlier one was taken
// back by Unsubscribe.
func (s *Subscriber) confirm(channel string) bool {
	if s.asked[channel]--; s.asked[channel] > 0 {
		return false
	}
	delete(s.asked, channel)
	return true
}

// received is for ["subscribe", channel, n], ["unsubscribe", channel, n] and ["message", channel,
// payload].
func (s *Subscriber) received(v any) {
	parts, ok := v.([]any)
	if !ok || len(parts) != 3 {
		return
	}
	kind, _ := parts[0].(string)
	channel, _ := parts[1].(string)
	sub := s.subscriptions[channel]
	switch {
	case kind == "subscribe":
		if s.confirm(channel) && sub != nil && sub.ready != nil {
			s.queue(sub.confirmed, nil, nil)
		}
	case kind == "message" && sub != nil:
		payload, _ := parts[2].(string)
		s.queue(sub.received, payload, nil)
	}
}

func (sub *subscription) received(payload any, _ error) {
	if !sub.over {
		sub.message(payload.(string))
	}
}

func (sub *subscription) confirmed(any, error) {
	if !sub.over {
		sub.ready()
	}
}
