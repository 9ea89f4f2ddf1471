package wake

import (
	"fmt"
	"sync/atomic"

	"github.com/goevlib/ev"
)

// Sender wakes the Asyncs of a name in all processes of the fleet. It belongs
// to its loop. Only Send and Messages are safe for concurrent use.
//
// One message is in flight at a time, until it is answered. All Sends meanwhile
// make one more message. So an idle Sender publishes at once, and a busy one
// publishes once per round trip. While the server is away, a Sender keeps a
// single wake-up for it.
type Sender struct {
	conn     *Conn
	loop     *ev.Loop
	subject  string
	local    *ev.Async
	busy     bool // a message is in flight
	again    bool // there was a Send since
	err      error
	messages atomic.Uint64
}

// NewSender makes a Sender that is active until Close. It must be called on the
// loop's goroutine. It panics if l is nil. It refuses the same names as Listen.
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

// Send makes the owners of the name read the state again. The caller must have
// written the state before. Send is safe for concurrent use, never blocks, and
// costs as much as ev.Async.Send.
func (s *Sender) Send() { s.local.Send() }

// publish sends off the loop, because nats.go may wait for its socket.
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

// Messages returns the number of published messages, repeated ones included. It
// is safe for concurrent use.
func (s *Sender) Messages() uint64 { return s.messages.Load() }

// Err returns an error if Conn.Close has kept a Send from being published.
func (s *Sender) Err() error { return s.err }

// Close ends the Sender. Earlier Sends are still published. They keep Run going
// until they are answered, for ever if no server returns. Conn.Close, or the
// end of Run's context, drops them. Close must be called on the loop's
// goroutine. It does not wait. Further calls have no effect.
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
