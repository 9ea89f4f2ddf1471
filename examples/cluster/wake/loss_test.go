package wake_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/examples/cluster/wake"
)

func TestWhatWasSentBeforeTheOwnerListensIsRead(t *testing.T) {
	url := serve(t).ClientURL()
	var s state
	s.written.Add(1)
	l := newLoop(t)
	sender, err := connect(t, url, never).NewSender(l, "x")
	require.NoError(t, err)
	sender.Send()
	sender.Close()
	run(t, l) // the server has answered that there is no subscription
	o := own(t, connect(t, url, never), "x", never, &s)
	o.sees(t, &s)
	assert.Zero(t, o.Stats().Messages)
}

func TestAnOwnerThatIsThereBeforeTheServerIsWoken(t *testing.T) {
	server := serve(t)
	stop(server)
	c := connect(t, server.ClientURL(), 50*time.Millisecond)
	l := running(t)
	a := on(t, l, func() (*wake.Async, error) { return c.Listen(l, "x", never, func(*wake.Async) {}) })
	restart(t, server)
	eventually(t, "the subscription is confirmed", func() bool { return a.Stats().Callbacks > 0 })
}

// The connection does not break.
func TestAConfirmationThatGotLostIsRepeated(t *testing.T) {
	p := newProxy(t, serve(t).ClientURL())
	c := connect(t, p.url(), 20*time.Millisecond)
	l := running(t)
	p.toServer.on.Store(true)
	a := on(t, l, func() (*wake.Async, error) { return c.Listen(l, "x", never, func(*wake.Async) {}) })
	eventually(t, "two attempts are lost", func() bool { return p.toServer.count.Load() >= 2 })
	assert.Zero(t, a.Stats().Callbacks)
	p.toServer.on.Store(false)
	eventually(t, "the subscription is confirmed", func() bool { return a.Stats().Callbacks > 0 })
}

func TestSendsWhileTheServerIsAwayAreOneMessage(t *testing.T) {
	server := serve(t)
	var s state
	o := own(t, connect(t, server.ClientURL(), 50*time.Millisecond), "x", never, &s)
	l := running(t)
	c := connect(t, server.ClientURL(), never)
	sender := on(t, l, func() (*wake.Sender, error) { return c.NewSender(l, "x") })
	stop(server)
	for range 1000 {
		s.written.Add(1)
		sender.Send()
		on(t, l, func() (int, error) { return 0, nil }) // the loop has seen it
	}
	eventually(t, "a message is under way", func() bool { return sender.Messages() == 1 })
	restart(t, server)
	o.sees(t, &s)
}

// The sender and its message are gone when the server returns.
func TestAnOwnerWakesItselfWhenItsConnectionIsBack(t *testing.T) {
	server := serve(t)
	var s state
	o := own(t, connect(t, server.ClientURL(), 50*time.Millisecond), "x", never, &s)
	c := connect(t, server.ClientURL(), never)
	sender := newSender(t, c, "x")
	stop(server)
	s.written.Add(1)
	sender.Send()
	eventually(t, "the message is under way", func() bool { return sender.Messages() == 1 })
	c.Close()
	restart(t, server)
	o.sees(t, &s)
	assert.Zero(t, o.Stats().Messages)
	assert.GreaterOrEqual(t, o.Stats().Confirmed, uint64(2))
}

// Only the sender's connection breaks: the owner has no reason to wake itself.
func TestASenderRepeatsAMessageThatGotLost(t *testing.T) {
	server := serve(t)
	var s state
	o := own(t, connect(t, server.ClientURL(), never), "x", never, &s)
	p := newProxy(t, server.ClientURL())
	sender := newSender(t, connect(t, p.url(), 50*time.Millisecond), "x")
	p.toServer.on.Store(true)
	s.written.Add(1)
	sender.Send()
	eventually(t, "the message is lost", func() bool { return p.toServer.count.Load() > 0 })
	p.cut()
	assert.NotEqual(t, s.written.Load(), o.seen.Load())
	p.toServer.on.Store(false)
	o.sees(t, &s)
	assert.Equal(t, uint64(1), o.Stats().Confirmed)
	assert.Greater(t, sender.Messages(), uint64(1))
}

// Another owner answers, so that the sender does not repeat; no connection breaks.
func TestALossThatNobodyNoticesIsMadeGoodByALook(t *testing.T) {
	server := serve(t)
	p := newProxy(t, server.ClientURL())
	var s state
	other := own(t, connect(t, server.ClientURL(), never), "x", never, &s)
	o := own(t, connect(t, p.url(), never), "x", 50*time.Millisecond, &s)
	sender := newSender(t, connect(t, server.ClientURL(), never), "x")
	p.fromServer.on.Store(true)
	s.written.Add(1)
	sender.Send()
	other.sees(t, &s)
	eventually(t, "the message is lost", func() bool { return p.fromServer.count.Load() == 1 })
	o.sees(t, &s)
	stats := o.Stats()
	assert.Zero(t, stats.Messages)
	assert.Equal(t, uint64(1), stats.Confirmed)
	assert.NotZero(t, stats.Looks)
}

func TestALookComesWhenThereWasNoCallbackForLong(t *testing.T) {
	const every = 60 * time.Millisecond
	url := serve(t).ClientURL()
	l := newLoop(t)
	var last time.Time // callback
	a, err := connect(t, url, never).Listen(l, "x", every, func(*wake.Async) { last = l.Now() })
	require.NoError(t, err)
	eventually(t, "the subscription is confirmed", func() bool { return a.Stats().Confirmed == 1 })
	require.NoError(t, l.RunNoWait())
	time.Sleep(every / 2) // not needed; but a read would come soon if the next callback did not postpone it
	require.NoError(t, raw(t, url).Publish(wire(t, "x"), nil))
	eventually(t, "the message arrives", func() bool { return a.Stats().Messages == 1 })
	require.NoError(t, l.RunNoWait())
	require.False(t, last.IsZero())
	for looks := a.Stats().Looks; a.Stats().Looks == looks; {
		before := last
		require.NoError(t, l.RunOnce(context.Background()))
		if a.Stats().Looks > looks {
			assert.GreaterOrEqual(t, l.Now().Sub(before), every)
		}
	}
}

func TestMessagesThatASlowClientDropsAreNotMissed(t *testing.T) {
	server := serve(t)
	var s state
	o := own(t, connect(t, server.ClientURL(), never), "x", never, &s)
	require.NoError(t, o.Subscription().SetPendingLimits(2, -1)) // a limit that is reached
	nc := raw(t, server.ClientURL())
	for round, dropped := 0, 0; round < 100 || dropped == 0; round++ {
		require.Less(t, round, 10000, "nothing was ever dropped")
		for range 100 { // in one write or two, without waiting for answers
			s.written.Add(1)
			require.NoError(t, nc.Publish(wire(t, "x"), nil))
		}
		require.NoError(t, nc.Flush())
		o.sees(t, &s)
		var err error
		dropped, err = o.Subscription().Dropped()
		require.NoError(t, err)
	}
	assert.Equal(t, uint64(1), o.Stats().Confirmed)
}

// All of the above at once, in random order. Both owners see the last write. No
// timed read helps.
func TestBothOwnersEndWithTheLastWriteWhateverBreaks(t *testing.T) {
	server := serve(t)
	var s state
	var proxies []*proxy
	through := func() *wake.Conn {
		p := newProxy(t, server.ClientURL())
		proxies = append(proxies, p)
		return connect(t, p.url(), 50*time.Millisecond)
	}
	one, two := own(t, through(), "x", never, &s), own(t, through(), "x", never, &s)
	senders := []*wake.Sender{newSender(t, through(), "x"), newSender(t, through(), "x"), newSender(t, through(), "x")}
	for range 20 {
		var writers sync.WaitGroup
		for _, sender := range senders {
			for range 2 {
				writers.Go(func() {
					for range 200 {
						s.written.Add(1)
						sender.Send()
					}
				})
			}
		}
		for range 3 {
			proxies[rand.IntN(len(proxies))].cut()
		}
		if rand.IntN(4) == 0 {
			server = restart(t, server)
		}
		writers.Wait()
		one.sees(t, &s)
		two.sees(t, &s)
	}
	assert.Zero(t, one.Stats().Looks)
}

func TestTheCallersHandlerOfReconnectionsIsCalledToo(t *testing.T) {
	server := serve(t)
	called := make(chan struct{}, 10)
	c, err := wake.Connect(server.ClientURL(), nats.ReconnectWait(time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		nats.ReconnectHandler(func(*nats.Conn) { called <- struct{}{} }))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	restart(t, server)
	receive(t, called)
}
