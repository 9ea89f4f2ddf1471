package wake

import (
	"fmt"
	"sync/atomic"

	"github.com/goevlib/ev"
)

// Sender wakes the Asyncs of a name, wherever in the fleet they are. It belongs
// to its loop, but for Send and Messages.
//
// One message is under way at a time, until it is answered; all the Sends
// meanwhile are one more message. So an idle Sender publishes at once, a busy one
// once per round trip, and one whose server is away keeps a single wake-up for
// it, however many it was sent.
type Sender struct {
	conn     *Conn
	loop     *ev.Loop
	subject  string
	local    *ev.Async
	busy     bool // a message is under way
	again    bool // there was a Send since
	err      error
	messages atomic.Uint64
}

// NewSender makes a Sender that is active until Close. It must be called where
// watchers of the loop may be touched, and panics when l is nil. It refuses the
// names that Listen does.
func (c *Conn) NewSender(l *ev.Loop, name string) (*Sender, error) {
	if l == nil {
		panic("wake: NewSender: nil loop")
	}
	subject, err := subject(name)
	if err != nil {
		return nil, err
	}
	s := &Sender{conn: c, loop: l, subject: subject}
	s.local = ev.NewAsync(l, func(*ev.Async) { s.publish() }, ev.Name(name))
	s.local.Start()
	return s, nil
}

// Send has the owners of the name read the state again, which the caller has
// written. Any goroutine may call it, at any time; it never blocks, and costs
// what ev.Async.Send costs.
func (s *Sender) Send() { s.local.Send() }

// publish goes off the loop: nats.go may wait for its socket.
func (s *Sender) publish() {
	if s.busy {
		s.again = true
		return
	}
	s.busy, s.again = true, false
	ev.Go(s.loop, func() (struct{}, error) {
		s.messages.Add(1)
		return struct{}{}, s.conn.roundTrip(s.subject)
	}, s.published)
}

func (s *Sender) published(_ struct{}, err error) {
	s.busy = false
	switch {
	case err != nil && s.conn.ctx.Err() != nil:
		s.err = fmt.Errorf("wake: %s: connection closed before the last Send was published", s.local.Name())
	case err != nil || s.again:
		s.publish()
	}
}

// Messages returns how many messages were published, repeated ones included.
// Any goroutine may call it.
func (s *Sender) Messages() uint64 { return s.messages.Load() }

// Err returns an error when Conn.Close has kept a Send from being published.
func (s *Sender) Err() error { return s.err }

// Close ends the Sender. Sends made before are still published: they keep Run
// going until they are answered, while there is no server without end.
// Conn.Close, or the end of Run's context, gives them up. Close must be called on
// the loop's goroutine, does not wait, and may be repeated.
func (s *Sender) Close() {
	if !s.local.Active() {
		return
	}
	late := s.local.Sent() || s.local.Pending()
	s.local.Stop()
	if late {
		s.publish()
	}
}
