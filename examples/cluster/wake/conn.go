package wake

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// attempt is the time after which a request without an answer is repeated. It
// is much longer than a round trip, and an acceptable delay after a loss.
const attempt = time.Second

// Conn is a connection to NATS for any number of Asyncs and Senders, of any
// loops. It has one goroutine in addition to those of nats.go.
type Conn struct {
	nc      *nats.Conn
	attempt time.Duration
	ctx     context.Context // done after Close
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	check   chan struct{} // of capacity one: some of asyncs must be confirmed

	mu     sync.Mutex
	asyncs map[*Async]bool // whether it was woken, or will be, since the connection was made
}

// Connect connects to the servers of a URL, as nats.Connect does, with its
// options. It does not wait for a server, and the connection retries for ever,
// because the processes of a fleet start and restart in any order. Options that
// would change that, or keep a process from waking itself, are overruled.
//
// Refused subscriptions and messages are reported to nats.ErrorHandler, or to
// stderr without one. The servers must support headers (2.2 or newer).
func Connect(url string, opts ...nats.Option) (*Conn, error) {
	c := &Conn{attempt: attempt, check: make(chan struct{}, 1), asyncs: make(map[*Async]bool)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	nc, err := nats.Connect(url, append(opts, c.options)...)
	if err != nil {
		c.cancel()
		return nil, err
	}
	c.nc = nc
	c.ended.Go(c.confirm)
	return c, nil
}

// options come after the caller's.
func (c *Conn) options(o *nats.Options) error {
	o.AllowReconnect = true
	o.MaxReconnect = -1 // for ever
	o.RetryOnFailedConnect = true
	o.IgnoreAuthErrorAbort = true
	o.NoEcho = false
	// Conn.StatusChanged does not serve: up to nats.go 1.53 it forgets a listener
	// that is a little behind. Handlers are queued without limit.
	also := o.ReconnectedCB
	o.ReconnectedCB = func(nc *nats.Conn) {
		c.reconnected()
		if also != nil {
			also(nc)
		}
	}
	return nil
}

// Close closes the connection. It is safe for concurrent use. Call it after the
// Asyncs are closed and the Senders have ended. Objects that are still open get
// no more messages, and a Sender's Err returns the error.
func (c *Conn) Close() {
	c.cancel()
	c.nc.Close()
	c.ended.Wait()
}

// confirm wakes the Asyncs whose subscriptions are new to the server, after the
// server has confirmed them. An earlier wake-up would not do, because a message
// may pass the server between the read and the subscription.
func (c *Conn) confirm() {
	for {
		select {
		case <-c.check:
		case <-c.ctx.Done():
			return
		}
		asyncs := c.unconfirmed()
		if err := c.roundTrip(c.nc.NewInbox()); err != nil {
			c.doubt(asyncs...)
			continue
		}
		for _, a := range asyncs {
			a.confirmed()
		}
	}
}

// unconfirmed returns all unconfirmed Asyncs. It marks them now, so that a
// connection that breaks during the round trip can unmark them.
func (c *Conn) unconfirmed() (asyncs []*Async) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a, confirmed := range c.asyncs {
		if !confirmed {
			asyncs = append(asyncs, a)
			c.asyncs[a] = true
		}
	}
	return asyncs
}

// doubt marks Asyncs as unconfirmed, if they are still open.
func (c *Conn) doubt(asyncs ...*Async) {
	c.mu.Lock()
	for _, a := range asyncs {
		if _, open := c.asyncs[a]; open {
			c.asyncs[a] = false
		}
	}
	c.mu.Unlock()
	c.checkSoon()
}

func (c *Conn) reconnected() {
	c.mu.Lock()
	for a := range c.asyncs {
		c.asyncs[a] = false
	}
	c.mu.Unlock()
	c.checkSoon()
}

func (c *Conn) checkSoon() {
	select {
	case c.check <- struct{}{}:
	default:
	}
}

func (c *Conn) add(a *Async) {
	c.mu.Lock()
	c.asyncs[a] = false
	c.mu.Unlock()
	c.checkSoon()
}

func (c *Conn) remove(a *Async) {
	c.mu.Lock()
	delete(c.asyncs, a)
	c.mu.Unlock()
}

// roundTrip publishes a message. It returns nil when an owner has received it,
// or the server has reported that there is no subscription. In both cases the
// server has seen everything that this connection wrote before. It returns an
// error only when the time of an attempt is over, so the caller may try again
// at once.
//
// Flush seems to do the same. But it takes the next PONG for its own. That can
// be the PONG for a PING that was buffered while the connection was down, of
// which nats.go keeps no record. Answers to requests cannot be mistaken.
func (c *Conn) roundTrip(subject string) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.attempt)
	defer cancel()
	_, err := c.nc.RequestWithContext(ctx, subject, nil)
	if err == nil || errors.Is(err, nats.ErrNoResponders) {
		return nil
	}
	<-ctx.Done()
	return err
}
