package wake

import (
	"time"

	"github.com/nats-io/nats.go"
)

// SetAttempt must be called before anything is listened to or sent.
func (c *Conn) SetAttempt(d time.Duration) { c.attempt = d }

func (a *Async) Subscription() *nats.Subscription { return a.sub }

func Subject(name string) (string, error) { return subject(name) }
