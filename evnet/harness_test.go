package evnet_test

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
	"github.com/goevlib/ev/internal/leak"
)

// patience bounds every wait in the tests.
const patience = 30 * time.Second

// onEveryLoop runs the test on a new loop for each supported backend.
func onEveryLoop(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	t.Helper()
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			l, err := ev.New(ev.WithBackend(backend))
			require.NoError(t, err)
			t.Cleanup(func() {
				assert.NoError(t, l.Verify())
				assert.Zero(t, l.Active(), "the parts of connections are not counted")
				assert.NoError(t, l.Close())
			})
			test(t, l)
		})
	}
}

// run runs the loop to its end. The test fails if Run does not return in time.
func run(t testing.TB, l *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.Run(ctx), "the loop did not come to its end")
}

// spawn starts a task. The test fails if its function returns an error.
func spawn(t testing.TB, l *ev.Loop, fn func(task *ev.Task) error) *ev.Task {
	return ev.Spawn(l, func(task *ev.Task) error {
		err := fn(task)
		assert.NoError(t, err)
		return err
	})
}

// pair returns a wrapped connection and its peer, which has goroutines' methods. Both are closed
// after the test.
func pair(t testing.TB, l *ev.Loop, network string) (net.Conn, net.Conn) {
	t.Helper()
	near, far := plainPair(t, network)
	c, err := evnet.Wrap(l, near)
	require.NoError(t, err)
	return c, far
}

func plainPair(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	if network == "pipe" {
		near, far = net.Pipe()
	} else {
		ln, err := net.Listen(network, address(t, network))
		require.NoError(t, err)
		near, err = net.Dial(network, ln.Addr().String())
		require.NoError(t, err)
		far, err = ln.Accept()
		require.NoError(t, err)
		require.NoError(t, ln.Close())
	}
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return near, far
}

// taskPair returns two wrapped connections.
func taskPair(t testing.TB, l *ev.Loop, network string) (net.Conn, net.Conn) {
	t.Helper()
	a, far := pair(t, l, network)
	b, err := evnet.Wrap(l, far)
	require.NoError(t, err)
	return a, b
}

func address(t testing.TB, network string) string {
	if network == "unix" {
		dir, err := os.MkdirTemp("", "evnet") // short: t.TempDir may be too long for a socket
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return filepath.Join(dir, "s")
	}
	return "127.0.0.1:0"
}

// networks are the kinds of connections under test. net.Pipe has no descriptor. Wine 8 has no
// unix sockets.
var networks = append(socketNetworks(), "pipe")

func socketNetworks() []string {
	dir, err := os.MkdirTemp("", "evnet")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return []string{"tcp"}
	}
	_ = ln.Close()
	return []string{"tcp", "unix"}
}

func onEveryConn(t *testing.T, test func(t *testing.T, l *ev.Loop, network string)) {
	t.Helper()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, network := range networks {
			t.Run(network, func(t *testing.T) { test(t, l, network) })
		}
	})
}

// TestMain checks after all tests that no goroutine and no descriptor is left.
func TestMain(m *testing.M) {
	before := leak.Look()
	code := m.Run()
	// Benchmarks of io.Copy leave pipes in the pool of package net.
	if code == 0 && flag.Lookup("test.bench").Value.String() == "" {
		code = leak.Exit(before, patience)
	}
	os.Exit(code)
}

// needsSockets skips a test of what the system's sockets do. On js and wasip1, package net
// simulates connections in memory: without half-closes, resets and refusals, and it allocates.
func needsSockets(t testing.TB) {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("package net has no sockets on WebAssembly")
	}
}
