package ev_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// How a program made of timers and retries is tested: a day of it takes
// milliseconds, and every moment in it is exact. docs/testing.md is the recipe.

// client is the program: it keeps up a connection, sends a heartbeat a minute,
// and dials again when one fails. It belongs to the loop.
type client struct {
	loop  *ev.Loop
	dial  func() error // slow: not for the loop's goroutine
	ping  func() error
	beat  *ev.Timer
	retry *evtime.Retry

	beats, attempts int
	reconnected     []time.Time
}

func newClient(ctx context.Context, l *ev.Loop, dial, ping func() error) *client {
	c := &client{loop: l, dial: dial, ping: ping}
	c.beat = ev.NewTimer(l, 0, time.Minute, func(*ev.Timer) { c.heartbeat(ctx) })
	c.retry = evtime.NewRetry(l, evtime.Backoff{First: time.Second, Max: 10 * time.Minute}, func(a *evtime.Attempt) {
		c.attempts++
		ev.Go(l, func() (struct{}, error) { return struct{}{}, c.dial() }, func(_ struct{}, err error) { a.Report(err) })
	}, c.connected)
	c.beat.Reset()
	return c
}

func (c *client) heartbeat(ctx context.Context) {
	if c.ping() == nil {
		c.beats++
		return
	}
	c.beat.Stop()
	c.retry.Start(ctx)
}

func (c *client) connected(_ *evtime.Retry, err error) {
	if err == nil {
		c.reconnected = append(c.reconnected, c.loop.Now())
		c.beat.Reset()
	}
}

func TestADayWithAServerThatIsDownForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, err := ev.New(ev.WithBackend(ev.BackendChan)) // made inside the bubble
		require.NoError(t, err)
		defer loop.Close()
		midnight := loop.Now() // a bubble begins at midnight in UTC, 1 January 2000

		up := func() error {
			if now := time.Since(midnight); now >= 2*time.Hour && now < 8*time.Hour {
				return errors.New("down")
			}
			return nil
		}
		slow := func() error {
			time.Sleep(30 * time.Second) // on the goroutine of an ev.Go; the loop's timers go on
			return up()
		}
		c := newClient(t.Context(), loop, slow, up)
		hours := 0
		ev.NewPeriodic(loop, 0, time.Hour, func(*ev.Periodic) { hours++ }).Start()
		ev.NewTimer(loop, 24*time.Hour, 0, func(*ev.Timer) { loop.Stop() }).Start()

		require.NoError(t, loop.Run(t.Context()))
		assert.Equal(t, 24*time.Hour, time.Since(midnight))
		assert.Equal(t, 24, hours)

		// Lost at 2:00. An attempt takes 30 s, the waits grow from 1 s to 10 min: the
		// 43rd attempt begins at 7:58:03 and fails, the next is 10 min 30 s later.
		assert.Equal(t, 44, c.attempts)
		assert.Equal(t, []time.Time{midnight.Add(8*time.Hour + 9*time.Minute + 3*time.Second)}, c.reconnected)
		assert.Equal(t, 119+950, c.beats, "one a minute, before and after")
	})
}
