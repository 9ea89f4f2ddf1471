//go:build cgo

package redis_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/hiredis/redis"
	"github.com/goevlib/ev/examples/hiredis/server"
	"github.com/goevlib/ev/internal/leak"
)

// patience bounds every wait. It is long enough for a busy machine.
const patience = 30 * time.Second

// TestMain checks, after all tests, that nothing is left behind.
func TestMain(m *testing.M) {
	before := leak.Look()
	code := m.Run()
	if code == 0 {
		code = leak.Exit(before, patience)
	}
	os.Exit(code)
}

func newLoop(t *testing.T, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	loop, err := ev.New(opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, loop.Verify())
		assert.NoError(t, loop.Close())
	})
	return loop
}

// serve starts a redis-server that ends with the test.
func serve(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.Start()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("redis-server is not installed (Debian: redis-server)")
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Stop()) })
	return s
}

// listen returns a listener on a port of this machine, whose clients are served by handle.
func listen(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return l.Addr().String()
}

func newClient(t *testing.T, loop *ev.Loop, o redis.Options) *redis.Client {
	t.Helper()
	c, err := redis.NewClient(loop, o)
	require.NoError(t, err)
	return c
}

func newSubscriber(t *testing.T, loop *ev.Loop, o redis.Options) *redis.Subscriber {
	t.Helper()
	s, err := redis.NewSubscriber(loop, o)
	require.NoError(t, err)
	return s
}

// run runs the loop until nothing is in progress.
func run(t *testing.T, loop *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, loop.Run(ctx), "the loop did not come to its end")
}

// runUntil runs the loop, which has more to do, iteration by iteration.
func runUntil(t *testing.T, loop *ev.Loop, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !so() {
		require.NoError(t, loop.RunOnce(ctx), "it does not come to that")
	}
}

// outcome has the arguments of a command's callback.
type outcome struct {
	reply any
	err   error
	calls int
}

func do(t *testing.T, c *redis.Client, args ...string) *outcome {
	t.Helper()
	o := &outcome{}
	require.NoError(t, c.Do(func(reply any, err error) {
		o.reply, o.err = reply, err
		o.calls++
	}, args...))
	assert.Zero(t, o.calls, "Do does not call back")
	return o
}

// ask sends a command, and runs the loop until the reply has come.
func ask(t *testing.T, loop *ev.Loop, c *redis.Client, args ...string) (any, error) {
	t.Helper()
	o := do(t, c, args...)
	runUntil(t, loop, func() bool { return o.calls > 0 })
	return o.reply, o.err
}

// log keeps the arguments of Options.Changed.
type log []error

func (l *log) add(err error) { *l = append(*l, err) }

func (l *log) ups() (n int) {
	for _, err := range *l {
		if err == nil {
			n++
		}
	}
	return n
}
