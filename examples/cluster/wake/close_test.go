package wake_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/examples/cluster/wake"
)

func TestCloseLeavesNoSubscriptionAndNoWatcher(t *testing.T) {
	server := serve(t)
	c := connect(t, server.ClientURL(), never)
	nc := raw(t, server.ClientURL())
	before := server.NumSubscriptions()
	l := newLoop(t)
	calls := 0
	a, err := c.Listen(l, "x", never, func(*wake.Async) { calls++ })
	require.NoError(t, err)
	eventually(t, "the subscription is confirmed", func() bool { return a.Stats().Confirmed == 1 })
	assert.Greater(t, server.NumSubscriptions(), before)
	require.NoError(t, nc.Publish(wire(t, "x"), nil))
	eventually(t, "the message arrives", func() bool { return a.Stats().Messages == 1 })
	a.Close()
	a.Close()
	run(t, l) // at once: nothing is active
	assert.Zero(t, calls, "what was asked for before Close")
	assert.False(t, a.Subscription().IsValid())
	// The connection keeps one subscription for the answers to its requests.
	eventually(t, "the server knows of no subscription", func() bool { return server.NumSubscriptions() == before+1 })
}

func TestAnAsyncMayBeClosedByItsCallback(t *testing.T) {
	c := connect(t, serve(t).ClientURL(), never)
	l := newLoop(t)
	_, err := c.Listen(l, "x", never, func(a *wake.Async) { a.Close() })
	require.NoError(t, err)
	run(t, l)
}

func TestClosePublishesWhatWasSentBefore(t *testing.T) {
	server := serve(t)
	var s state
	o := own(t, connect(t, server.ClientURL(), never), "x", never, &s)
	l := newLoop(t)
	sender, err := connect(t, server.ClientURL(), never).NewSender(l, "x")
	require.NoError(t, err)
	s.written.Add(1)
	sender.Send()
	sender.Close()
	sender.Send() // harmless, without effect
	sender.Close()
	run(t, l)
	assert.EqualValues(t, 1, sender.Messages())
	assert.EqualValues(t, 1, o.Stats().Messages, "Run has waited for the owner's answer")
	o.sees(t, &s)
}

func TestASenderThatSentNothingClosesInSilence(t *testing.T) {
	l := newLoop(t)
	sender, err := connect(t, serve(t).ClientURL(), never).NewSender(l, "x")
	require.NoError(t, err)
	sender.Close()
	run(t, l)
	assert.Zero(t, sender.Messages())
}

func TestASendThatWasGivenUpIsReported(t *testing.T) {
	server := serve(t)
	c := connect(t, server.ClientURL(), never)
	l := newLoop(t)
	sender, err := c.NewSender(l, "x")
	require.NoError(t, err)
	stop(server)
	sender.Send()
	sender.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, l.Run(ctx), context.Canceled)
	require.NoError(t, l.RunNoWait())
	assert.NoError(t, sender.Err(), "it is still tried")
	c.Close()
	run(t, l)
	assert.ErrorContains(t, sender.Err(), "wake: x: connection closed before the last Send was published")
}
