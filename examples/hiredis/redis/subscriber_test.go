//go:build cgo

package redis_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/examples/hiredis/redis"
)

func TestMessagesComeInTheirOrder(t *testing.T) {
	const n = 2000
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	sub := newSubscriber(t, loop, redis.Options{Address: s.Address})
	var news, other []string
	require.NoError(t, sub.Subscribe("other", nil, func(payload string) { other = append(other, payload) }))
	require.NoError(t, sub.Subscribe("news", func() {
		for i := range n {
			do(t, c, "PUBLISH", "news", strconv.Itoa(i))
		}
		do(t, c, "PUBLISH", "other", "last")
	}, func(payload string) { news = append(news, payload) }))
	runUntil(t, loop, func() bool { return len(other) == 1 })
	require.Len(t, news, n)
	for i, payload := range news {
		require.Equal(t, strconv.Itoa(i), payload)
	}
	sub.Close()
	run(t, loop)
}

func TestSubscriptionsComeAndGo(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	sub := newSubscriber(t, loop, redis.Options{Address: s.Address})
	publish := func(channel string) int64 {
		t.Helper()
		receivers, err := ask(t, loop, c, "PUBLISH", channel, "message")
		require.NoError(t, err)
		return receivers.(int64)
	}
	got, confirmed := 0, 0
	subscribe := func() {
		t.Helper()
		require.NoError(t, sub.Subscribe("news", func() { confirmed++ }, func(string) { got++ }))
	}
	assert.Equal(t, int64(0), publish("news"))
	for round := range 3 {
		subscribe()
		assert.EqualError(t, sub.Subscribe("news", nil, nil), "redis: subscribed already: news")
		runUntil(t, loop, func() bool { return confirmed == round+1 })
		assert.Equal(t, int64(1), publish("news"))
		runUntil(t, loop, func() bool { return got == round+1 })
		sub.Unsubscribe("news")
		sub.Unsubscribe("news")
		for publish("news") != 0 { // which runs the loop
		}
	}
	run(t, loop) // without a subscription, it ends
	assert.Equal(t, 3, got, "none after Unsubscribe")

	subscribe() // taken back before it was sent
	sub.Unsubscribe("news")
	subscribe()
	runUntil(t, loop, func() bool { return confirmed == 4 })
	assert.Equal(t, int64(1), publish("news"))
	runUntil(t, loop, func() bool { return got == 4 })

	require.NoError(t, sub.Subscribe("last", nil, func(string) { sub.Close() }))
	for publish("last") != 1 {
	}
	run(t, loop)
	assert.Equal(t, redis.ErrClosed, sub.Subscribe("news", nil, func(string) {}))
	sub.Unsubscribe("news")
	sub.Close()
}

func TestUnsubscribeDropsTheMessagesThatHaveComeToo(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	sub := newSubscriber(t, loop, redis.Options{Address: s.Address})
	got := 0
	require.NoError(t, sub.Subscribe("news", func() {
		for range 100 {
			do(t, c, "PUBLISH", "news", "message")
		}
	}, func(string) {
		got++
		sub.Unsubscribe("news")
	}))
	run(t, loop)
	assert.Equal(t, 1, got)
}

func TestASubscriberSubscribesAgainAfterAKill(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	o := redis.Options{Address: s.Address, Retry: time.Millisecond}
	c, sub := newClient(t, loop, o), newSubscriber(t, loop, o)
	confirmed := map[string]int{}
	var got []string
	for _, channel := range []string{"a", "b", "c"} {
		require.NoError(t, sub.Subscribe(channel, func() { confirmed[channel]++ }, func(payload string) {
			got = append(got, channel+" "+payload)
		}))
	}
	all := func(n int) func() bool {
		return func() bool { return confirmed["a"] == n && confirmed["b"] == n && confirmed["c"] == n }
	}
	runUntil(t, loop, all(1))
	require.NoError(t, s.Kill())
	runUntil(t, loop, func() bool { return !c.Connected() })
	sub.Unsubscribe("b") // in between
	require.NoError(t, s.Restart())
	runUntil(t, loop, func() bool { return confirmed["a"] == 2 && confirmed["c"] == 2 && c.Connected() })
	for _, channel := range []string{"a", "b", "c"} {
		do(t, c, "PUBLISH", channel, "after the kill")
	}
	runUntil(t, loop, func() bool { return len(got) == 2 })
	assert.Equal(t, []string{"a after the kill", "c after the kill"}, got)
	assert.Equal(t, 1, confirmed["b"])
}
