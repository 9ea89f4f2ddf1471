package wake

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/goevlib/ev"
)

// Async is an ev.Async with a name, to which all processes of a fleet can send.
// It belongs to its loop, as watchers do. A name may have any number of Asyncs.
// All of them are called.
//
// It costs a subscription, for which nats.go has a goroutine.
type Async struct {
	conn  *Conn
	name  string
	local *ev.Async
	look  *ev.Timer
	sub   *nats.Subscription
	stats struct{ messages, confirmed, looks, callbacks atomic.Uint64 }
}

// Stats counts the causes of an Async's wake-ups. Wake-ups collapse, so
// Callbacks does not exceed the sum of the first three.
type Stats struct {
	Messages  uint64 // messages from Senders
	Confirmed uint64 // times that the server confirmed its subscription
	Looks     uint64 // times that it had not been called for long
	Callbacks uint64
}

// Listen makes an Async that is active until Close. fn is called on the loop,
// where it should begin to read the state. It is called once soon after Listen,
// for earlier Sends; after every Send of a Sender of that name, where one call
// may follow many Sends; after the connection was lost and made again; and when
// it has not been called for the time every. That time bounds the delay after a
// loss that cannot be detected. Otherwise it causes useless reads, so use
// minutes rather than seconds.
//
// Listen does not wait for a server. It must be called on the loop's goroutine.
// It panics if l or fn is nil. It returns an error if name is not a valid
// subject of NATS (one to 256 bytes without spaces, control characters and
// wildcards, no empty part between dots), if every is not positive, and after
// Conn.Close.
func (c *Conn) Listen(l *ev.Loop, name string, every time.Duration, fn func(*Async)) (*Async, error) {
	if l == nil || fn == nil {
		panic("wake: Listen: nil loop or callback")
	}
	subject, err := subject(name)
	if err != nil {
		return nil, err
	}
	if every <= 0 {
		return nil, fmt.Errorf("wake: name %q: the time between looks must be positive: %v", name, every)
	}
	a := &Async{conn: c, name: name}
	a.local = ev.NewAsync(l, func(*ev.Async) {
		a.stats.callbacks.Add(1)
		a.look.Reset()
		fn(a)
	}, ev.Name(name))
	a.look = ev.NewTimer(l, every, every, func(*ev.Timer) {
		a.stats.looks.Add(1)
		a.local.Send()
	}, ev.Name(name))
	// The first message may come while Subscribe still runs, and a Send before Start
	// would be forgotten.
	a.local.Start()
	a.look.Start()
	if a.sub, err = c.nc.Subscribe(subject, a.receive); err != nil {
		a.local.Stop()
		a.look.Stop()
		return nil, fmt.Errorf("wake: name %q: %w", name, err)
	}
	c.add(a)
	return a, nil
}

// receive is called on the subscription's goroutine. It answers after the Send,
// so a sender that has the answer need not repeat the message. An answer that
// cannot be sent is treated like one that is lost.
func (a *Async) receive(m *nats.Msg) {
	a.stats.messages.Add(1)
	a.local.Send()
	if m.Reply != "" {
		_ = m.Respond(nil)
	}
}

func (a *Async) confirmed() {
	a.stats.confirmed.Add(1)
	a.local.Send()
}

// Name returns the name.
func (a *Async) Name() string { return a.name }

// Stats is safe for concurrent use. Its counts are not a consistent snapshot.
func (a *Async) Stats() Stats {
	return Stats{
		Messages:  a.stats.messages.Load(),
		Confirmed: a.stats.confirmed.Load(),
		Looks:     a.stats.looks.Load(),
		Callbacks: a.stats.callbacks.Load(),
	}
}

// Close ends the subscription. No callback begins after it. It must be called
// on the loop's goroutine. It does not wait. Further calls have no effect.
func (a *Async) Close() {
	a.conn.remove(a)
	a.local.Stop()
	a.look.Stop()
	// It fails only after Conn.Close, which has ended the subscription.
	_ = a.sub.Unsubscribe()
}
