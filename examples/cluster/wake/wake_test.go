package wake_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/cluster/wake"
)

// state is the state that the senders write and the owners read: the number of
// writes.
type state struct{ written atomic.Int64 }

// owner reads the state on a loop of its own whenever it is woken.
type owner struct {
	*wake.Async
	loop *ev.Loop
	seen atomic.Int64
}

// own returns an owner whose subscription is confirmed.
func own(t *testing.T, c *wake.Conn, name string, every time.Duration, s *state) *owner {
	t.Helper()
	o := &owner{loop: running(t)}
	o.Async = on(t, o.loop, func() (*wake.Async, error) {
		return c.Listen(o.loop, name, every, func(*wake.Async) { o.seen.Store(s.written.Load()) })
	})
	eventually(t, "the subscription is confirmed", func() bool { return o.Stats().Callbacks > 0 })
	return o
}

func (o *owner) sees(t *testing.T, s *state) {
	t.Helper()
	want := s.written.Load()
	eventually(t, "the owner sees the last write", func() bool { return o.seen.Load() == want })
}

func newSender(t *testing.T, c *wake.Conn, name string) *wake.Sender {
	t.Helper()
	l := running(t)
	return on(t, l, func() (*wake.Sender, error) { return c.NewSender(l, name) })
}

// raw returns a client of NATS without Asyncs and Senders.
func raw(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func wire(t *testing.T, name string) string {
	t.Helper()
	subject, err := wake.Subject(name)
	require.NoError(t, err)
	return subject
}

func TestSendsBeforeTheLoopRunsAreOneMessage(t *testing.T) {
	c := connect(t, serve(t).ClientURL(), never)
	l := newLoop(t)
	s, err := c.NewSender(l, "x")
	require.NoError(t, err)
	for range 1000 {
		s.Send()
	}
	s.Close()
	run(t, l)
	assert.EqualValues(t, 1, s.Messages())
	assert.NoError(t, s.Err())
}

func TestSendsDuringARoundTripAreOneMoreMessage(t *testing.T) {
	url := serve(t).ClientURL()
	messages := make(chan *nats.Msg, 100)
	nc := raw(t, url)
	_, err := nc.ChanSubscribe(wire(t, "x"), messages)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	s := newSender(t, connect(t, url, never), "x")
	s.Send()
	first := receive(t, messages)
	assert.Empty(t, first.Data)
	for range 1000 {
		s.Send()
	}
	require.NoError(t, first.Respond(nil))
	second := receive(t, messages)
	require.NoError(t, second.Respond(nil))
	s.Send()
	require.NoError(t, receive(t, messages).Respond(nil))
	assert.EqualValues(t, 3, s.Messages())
	assert.Empty(t, messages)
}

func TestMessagesBeforeTheLoopComesToThemAreOneCallback(t *testing.T) {
	url := serve(t).ClientURL()
	l := newLoop(t)
	calls := 0
	a, err := connect(t, url, never).Listen(l, "x", never, func(*wake.Async) { calls++ })
	require.NoError(t, err)
	eventually(t, "the subscription is confirmed", func() bool { return a.Stats().Confirmed == 1 })
	nc := raw(t, url)
	for range 100 {
		require.NoError(t, nc.Publish(wire(t, "x"), nil))
	}
	eventually(t, "all messages arrive", func() bool { return a.Stats().Messages == 100 })
	require.NoError(t, l.RunNoWait())
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
	assert.Equal(t, wake.Stats{Messages: 100, Confirmed: 1, Callbacks: 1}, a.Stats())
}

func TestEveryOwnerOfANameIsWokenAndNoOther(t *testing.T) {
	url := serve(t).ClientURL()
	var s state
	one, two := own(t, connect(t, url, never), "a.b", never, &s), own(t, connect(t, url, never), "a.b", never, &s)
	other := own(t, connect(t, url, never), "a.c", never, &s)
	sender := newSender(t, connect(t, url, never), "a.b")
	s.written.Add(1)
	sender.Send()
	one.sees(t, &s)
	two.sees(t, &s)
	assert.Zero(t, other.Stats().Messages)
	assert.Equal(t, "a.b", one.Name())
}

func TestOwnersAndSendersOfOneConnectionReachEachOther(t *testing.T) {
	c, err := wake.Connect(serve(t).ClientURL(), nats.NoEcho())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	var s state
	o := own(t, c, "x", never, &s)
	s.written.Add(1)
	newSender(t, c, "x").Send()
	o.sees(t, &s)
}

func TestANewAsyncWakesNoOtherOfItsConnection(t *testing.T) {
	c := connect(t, serve(t).ClientURL(), never)
	var s state
	one := own(t, c, "x", never, &s)
	own(t, c, "y", never, &s)
	own(t, c, "x", never, &s)
	assert.Equal(t, wake.Stats{Confirmed: 1, Callbacks: 1}, one.Stats())
}

func TestABadNameIsRefused(t *testing.T) {
	c := connect(t, serve(t).ClientURL(), never)
	l := newLoop(t)
	for name, want := range map[string]string{
		"":                       "empty name",
		"two words":              `name "two words": contains ' '`,
		"tab\t":                  `contains '\t'`,
		"line\r\nPUB":            `contains '\r'`,
		"nul\x00":                `contains '\x00'`,
		"\u00a0":                 `contains '\u00a0'`,
		"all.*":                  `name "all.*": '*' is a wildcard`,
		"all.>":                  `'>' is a wildcard`,
		".a":                     `name ".a": nothing before`,
		"a..b":                   "nothing before, between or after dots",
		"a.":                     "nothing before",
		"\xff":                   "not UTF-8",
		strings.Repeat("x", 257): "a name of 257 bytes, above 256",
	} {
		_, err := c.Listen(l, name, never, func(*wake.Async) {})
		assert.ErrorContains(t, err, want)
		_, err = c.NewSender(l, name)
		assert.ErrorContains(t, err, want)
	}
	assert.Zero(t, l.Active(), "what was refused leaves no watcher")
}

func TestTheLongestAndTheStrangestNamesWork(t *testing.T) {
	url := serve(t).ClientURL()
	for _, name := range []string{strings.Repeat("x", 256), "Grüße.世界", "$SYS", "a-b_c/d:e@f"} {
		var s state
		o := own(t, connect(t, url, never), name, never, &s)
		s.written.Add(1)
		newSender(t, connect(t, url, never), name).Send()
		o.sees(t, &s)
	}
}

func TestOtherMistakesAreNamed(t *testing.T) {
	c := connect(t, serve(t).ClientURL(), never)
	l := newLoop(t)
	_, err := c.Listen(l, "x", 0, func(*wake.Async) {})
	assert.ErrorContains(t, err, `name "x": the time between looks must be positive: 0s`)
	assert.PanicsWithValue(t, "wake: Listen: nil loop or callback", func() { _, _ = c.Listen(l, "x", never, nil) })
	assert.PanicsWithValue(t, "wake: NewSender: nil loop", func() { _, _ = c.NewSender(nil, "x") })
	_, err = wake.Connect("nats://user@:port")
	assert.Error(t, err)
	c.Close()
	_, err = c.Listen(l, "x", never, func(*wake.Async) {})
	assert.ErrorIs(t, err, nats.ErrConnectionClosed)
	assert.Zero(t, l.Active())
}
