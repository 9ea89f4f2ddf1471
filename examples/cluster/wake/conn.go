package wake

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// attempt is how long an answer is waited for before the question is repeated:
// much longer than a round trip, and a delay that is bearable after a loss.
const attempt = time.Second

// Conn is a connection to NATS for any number of Asyncs and Senders, of any
// loops. It has one goroutine beside those of nats.go.
type Conn struct {
	nc      *nats.Conn
	attempt time.Duration
	ctx     context.Context // done after Close
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	check   chan struct{} // of capacity one: some of asyncs are to be confirmed

	mu     sync.Mutex
	asyncs map[*Async]bool // whether woken, or about to be, since the connection was made
}

// Connect connects to the servers of a URL, as nats.Connect does, with its
// options. It does not wait for a server to be up, and the connection never
// gives up: the processes of a fleet start and restart in any order. Options
// that would change that, or keep a process from waking itself, are overruled.
//
// Refused subscriptions and messages are reported to nats.ErrorHandler, or to
// stderr without one. The servers must know headers (2.2 or newer).
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
	// Not Conn.StatusChanged: up to nats.go 1.53 that forgets a listener that is a
	// little behind. Handlers are queued without limit.
	also := o.ReconnectedCB
	o.ReconnectedCB = func(nc *nats.Conn) {
		c.reconnected()
		if also != nil {
			also(nc)
		}
	}
	return nil
}

// Close closes the connection. Any goroutine may call it, once the Asyncs are
// closed and the Senders have ended; what is open still hears nothing more, and
// a Sender's Err says so.
func (c *Conn) Close() {
	c.cancel()
	c.nc.Close()
	c.ended.Wait()
}

// confirm wakes the Asyncs whose subscriptions are new to the server, when they
// are known to be in force: not before, since a message may pass the server
// between the read and the subscription.
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

// unconfirmed takes all that are. It marks them now, so that a connection that
// breaks during the round trip can mark them back.
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

// doubt has Asyncs confirmed, if they are still open.
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

// roundTrip publishes a message and returns nil when somebody has received it or
// the server has found that nobody listens. Either way the server has seen all
// that this connection wrote before. An error comes when the time of an attempt
// is over, whatever it is: it is safe to try again at once.
//
// Flush would seem to do. But it takes the next PONG for its own, and the one for
// a PING that was buffered while the connection was down is not: nats.go has
// forgotten who asked. Answers to requests cannot be mistaken.
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
