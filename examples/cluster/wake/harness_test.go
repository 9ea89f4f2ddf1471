package wake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/cluster/wake"
	"github.com/goevlib/ev/internal/leak"
)

const (
	patience = 20 * time.Second // bounds every wait
	never    = 24 * time.Hour
)

// TestMain checks that no goroutine has outlived the tests.
func TestMain(m *testing.M) {
	before := leak.Look()
	code := m.Run()
	if code == 0 {
		code = leak.Exit(before, patience)
	}
	os.Exit(code)
}

// serve starts a server.
func serve(t *testing.T) *server.Server {
	t.Helper()
	return serveAt(t, freePort(t))
}

func serveAt(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { stop(s) })
	require.True(t, s.ReadyForConnections(patience))
	return s
}

// freePort returns a port outside of the range that systems give to clients. A
// client that dials a server that is away may be given that very port, and
// reach itself.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.Fail(t, "no free port")
	return 0
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// restart starts a server with the address of an old one.
func restart(t *testing.T, old *server.Server) *server.Server {
	t.Helper()
	stop(old)
	url, err := url.Parse(old.ClientURL())
	require.NoError(t, err)
	port, err := strconv.Atoi(url.Port())
	require.NoError(t, err)
	return serveAt(t, port)
}

// connect makes a connection that reconnects soon, repeats a message only after
// attempt, and is closed after the test.
func connect(t *testing.T, url string, attempt time.Duration) *wake.Conn {
	t.Helper()
	c, err := wake.Connect(url, nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	require.NoError(t, err)
	c.SetAttempt(attempt)
	t.Cleanup(c.Close)
	return c
}

func newLoop(t *testing.T) *ev.Loop {
	t.Helper()
	l, err := ev.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// running returns a loop that runs on a goroutine of its own until the test
// ends.
func running(t *testing.T) *ev.Loop {
	t.Helper()
	l := newLoop(t)
	ev.NewAsync(l, func(*ev.Async) {}).Start()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		require.ErrorIs(t, receive(t, ended), ev.ErrClosed)
	})
	return l
}

// on runs fn on a running loop.
func on[T any](t *testing.T, l *ev.Loop, fn func() (T, error)) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := ev.Call(ctx, l, fn)
	require.NoError(t, err)
	return v
}

// run runs a loop to its end.
func run(t *testing.T, l *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.Run(ctx), "the loop did not come to its end")
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "not within %v: %s", patience, what)
	}
}

func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		require.Fail(t, "nothing received")
	}
	return v
}
