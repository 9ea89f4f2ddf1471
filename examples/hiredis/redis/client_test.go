//go:build cgo

package redis_test

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/hiredis/redis"
)

func TestCommandsArePipelinedAndAnsweredInTheirOrder(t *testing.T) {
	const n = 5000
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	var order []int
	for i := range n {
		key := strconv.Itoa(i)
		set := do(t, c, "SET", key, strings.Repeat("x", i))
		require.NoError(t, c.Do(func(reply any, err error) {
			assert.NoError(t, err)
			assert.Equal(t, int64(i), reply)
			assert.Equal(t, outcome{"OK", nil, 1}, *set)
			order = append(order, i)
		}, "STRLEN", key))
	}
	assert.Equal(t, 2*n, c.InProgress())
	run(t, loop)
	assert.Zero(t, c.InProgress())
	assert.Len(t, order, n)
	assert.IsIncreasing(t, order)
	assert.Less(t, c.Calls(), uint64(n), "the calls of C are for many commands each")
}

func TestRepliesOfEachType(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	binary := "a\x00b\r\n\xff"
	for _, x := range []struct {
		want any
		args []string
	}{
		{"OK", []string{"SET", "key", binary}},
		{binary, []string{"GET", "key"}},
		{"OK", []string{"SET", "empty", ""}},
		{"", []string{"GET", "empty"}},
		{nil, []string{"GET", "nothing"}},
		{int64(-1 << 63), []string{"DECRBY", "least", strconv.Itoa(1<<63 - 1)}},
		{[]any{}, []string{"KEYS", "none*"}},
		{[]any{int64(1), []any{"two", []any{nil, redis.ServerError("ERR three")}}, "four"},
			[]string{"EVAL", "return {1, {'two', {false, redis.error_reply('three')}}, 'four'}", "0"}},
	} {
		if x.args[0] == "DECRBY" {
			_, err := ask(t, loop, c, "SET", "least", "-1")
			require.NoError(t, err)
		}
		reply, err := ask(t, loop, c, x.args...)
		assert.NoError(t, err, x.args)
		assert.Equal(t, x.want, reply, x.args)
	}
	reply, err := ask(t, loop, c, "INCR", "key")
	assert.Nil(t, reply)
	assert.Equal(t, redis.ServerError("ERR value is not an integer or out of range"), err)
}

func TestALargeReplyComesWhole(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	large := strings.Repeat("0123456789abcdef", 1<<19)
	set, get := do(t, c, "SET", "key", large), do(t, c, "GET", "key") // more than a socket's buffers hold
	run(t, loop)
	assert.Equal(t, outcome{"OK", nil, 1}, *set)
	require.NoError(t, get.err)
	assert.True(t, large == get.reply)
}

func TestTCP(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	address := listen(t, func(from net.Conn) {
		to, err := net.Dial("unix", s.Address)
		if !assert.NoError(t, err) {
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(from, to) }()
		_, _ = io.Copy(to, from)
	})
	c := newClient(t, loop, redis.Options{Address: address})
	reply, err := ask(t, loop, c, "ECHO", "over TCP")
	assert.NoError(t, err)
	assert.Equal(t, "over TCP", reply)
	c.Close()
}

// hiredis asks for Write, writes, and does not ask for it any more, within each command. None of
// that comes to the loop.
func TestACommandChangesNoInterest(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	_, err := ask(t, loop, c, "PING")
	require.NoError(t, err)
	before := loop.Stats().InterestChanges
	for range 100 {
		_, err := ask(t, loop, c, "PING")
		require.NoError(t, err)
	}
	assert.Equal(t, before, loop.Stats().InterestChanges)
}

func TestAnIdleConnectionDoesNotKeepRunGoing(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	run(t, loop) // at once: nobody waits for the connection
	for range 3 {
		o := do(t, c, "PING")
		run(t, loop)
		assert.Equal(t, outcome{"PONG", nil, 1}, *o)
		assert.True(t, c.Connected())
	}
	assert.Equal(t, 1+1, loop.Active(), "the socket, and the Cleanup")
	c.Close()
	assert.Zero(t, loop.Active())
}

func TestCallbacksMayCallEverything(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	var order []string
	var next func(any, error)
	next = func(reply any, err error) {
		assert.NoError(t, err)
		order = append(order, reply.(string))
		switch len(order) {
		case 1:
			require.NoError(t, c.Do(next, "ECHO", "second"))
		case 2:
			require.NoError(t, c.Do(next, "ECHO", "third"))
			run(t, loop) // nested
			assert.Equal(t, []string{"first", "second", "third"}, order)
			require.NoError(t, c.Do(func(any, error) { assert.Fail(t, "called after Close") }, "PING"))
			c.Close()
			assert.Equal(t, redis.ErrClosed, c.Do(next, "PING"))
			c.Close()
		}
	}
	require.NoError(t, c.Do(next, "ECHO", "first"))
	run(t, loop)
	assert.Len(t, order, 3)
}

func TestAPanicInACallbackLosesNoOther(t *testing.T) {
	const n = 100
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	var order []int
	for i := range n {
		require.NoError(t, c.Do(func(any, error) {
			order = append(order, i)
			if i%10 == 3 {
				panic(i)
			}
		}, "PING"))
	}
	panics := 0
	for range n/10 + 1 {
		func() {
			defer func() {
				if v := recover(); v != nil {
					assert.Equal(t, order[len(order)-1], v)
					panics++
				}
			}()
			run(t, loop)
		}()
	}
	assert.Equal(t, n/10, panics)
	assert.Len(t, order, n)
	assert.IsIncreasing(t, order)
}

func TestCommandsThatAreNotSentAreRefused(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	c := newClient(t, loop, redis.Options{Address: s.Address})
	silent := func(any, error) { assert.Fail(t, "it was sent") }
	assert.EqualError(t, c.Do(silent), "redis: no command")
	assert.EqualError(t, c.Do(silent, "Subscribe", "news"), "redis: a Client cannot SUBSCRIBE: use a Subscriber")
	assert.EqualError(t, c.Do(silent, "MONITOR"), "redis: a Client cannot MONITOR: use a Subscriber")
	assert.Zero(t, c.InProgress())
	run(t, loop)
	require.NoError(t, loop.Close())
	assert.Equal(t, redis.ErrClosed, c.Do(silent, "PING"))
}

func TestAClientThatCannotBe(t *testing.T) {
	_, err := redis.NewClient(newLoop(t, ev.WithBackend(ev.BackendChan)), redis.Options{Address: "/tmp/socket"})
	assert.ErrorContains(t, err, "unsupported operation")
	loop := newLoop(t)
	for address, want := range map[string]string{
		"":             "redis: no address",
		"localhost:1":  "not an IP address and port",
		"127.0.0.1":    "not an IP address and port",
		"socket":       "not an IP address and port",
		"127.0.0.1:-1": "not an IP address and port",
	} {
		_, err := redis.NewClient(loop, redis.Options{Address: address})
		assert.ErrorContains(t, err, want)
	}
	_, err = redis.NewSubscriber(loop, redis.Options{Address: "/tmp/socket", Retry: -time.Second})
	assert.ErrorContains(t, err, "negative time")
	assert.Zero(t, loop.Active())
	require.NoError(t, loop.Close())
	_, err = redis.NewClient(loop, redis.Options{Address: "/tmp/socket"})
	assert.ErrorIs(t, err, ev.ErrClosed)
}
