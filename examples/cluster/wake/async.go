package wake

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/goevlib/ev"
)

// Async is an ev.Async that all processes of a fleet can send, by its name. It
// belongs to its loop, as watchers do. A name may have any number of Asyncs: each
// is called.
//
// It costs a subscription and the goroutine that nats.go has for one.
type Async struct {
	conn  *Conn
	name  string
	local *ev.Async
	look  *ev.Timer
	sub   *nats.Subscription
	stats struct{ messages, confirmed, looks, callbacks atomic.Uint64 }
}

// Stats counts what has woken an Async. The first three together are its
// wake-ups, which collapse: Callbacks is not above their sum.
type Stats struct {
	Messages  uint64 // that came from Senders
	Confirmed uint64 // times that its subscription was found to be in force
	Looks     uint64 // times that nothing had happened for long
	Callbacks uint64
}

// Listen makes an Async that is active until Close. fn is called on the loop,
// where it should begin to read the state: once soon after Listen, for what was
// sent before; after every Send of a Sender of that name, many of which may have
// one call; after the connection was lost and made again; and when it was not
// called for the time every. That bounds what a loss costs that nobody
// could notice, and is otherwise a read in vain: minutes rather than seconds.
//
// Listen waits for no server. It must be called where watchers of the loop may
// be touched, and panics when l or fn is nil. It fails when name is not what a
// subject of NATS can be made of (one to 256 bytes without spaces, control
// characters and wildcards, no empty part between dots), when every is not
// positive, and after Conn.Close.
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
	// The first message may come while Subscribe still runs; a Send before Start
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

// receive is called on the subscription's goroutine. The answer comes after the
// Send: whoever has it need not repeat the message. An answer that cannot be
// sent is one that does not come.
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

// Stats may be called from any goroutine. Its counts are not of one moment.
func (a *Async) Stats() Stats {
	return Stats{
		Messages:  a.stats.messages.Load(),
		Confirmed: a.stats.confirmed.Load(),
		Looks:     a.stats.looks.Load(),
		Callbacks: a.stats.callbacks.Load(),
	}
}

// Close ends the subscription; no callback begins after it. It must be called
// on the loop's goroutine, does not wait, and may be repeated.
func (a *Async) Close() {
	a.conn.remove(a)
	a.local.Stop()
	a.look.Stop()
	// It fails only if there is no subscription any more, after Conn.Close.
	_ = a.sub.Unsubscribe()
}
