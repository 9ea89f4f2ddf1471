//go:build cgo

package curl_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/curlmulti/curl"
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

func newMulti(t *testing.T, opts ...ev.LoopOption) (*ev.Loop, *curl.Multi) {
	t.Helper()
	loop := newLoop(t, opts...)
	m, err := curl.NewMulti(loop)
	require.NoError(t, err)
	return loop, m
}

// run runs the loop until there is no transfer any more.
func run(t *testing.T, loop *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, loop.Run(ctx), "the loop did not come to its end")
	assert.LessOrEqual(t, loop.Active(), 1, "a watcher is left that is not the Cleanup")
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

// server answers until the test has ended, and counts its connections.
type server struct {
	*httptest.Server
	connections atomic.Int64
}

func serve(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	s := &server{Server: httptest.NewUnstartedServer(handle)}
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		s.connections.Add(1)
		return ctx
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// hold answers with the beginning of a body, and waits for the client to leave.
func hold(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "beginning")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// outcome has the arguments of a request's callbacks.
type outcome struct {
	body   bytes.Buffer
	result curl.Result
	err    error
	ends   int // calls of Done
}

// get starts a transfer whose callbacks store their arguments.
func get(t *testing.T, m *curl.Multi, url string) *outcome {
	t.Helper()
	o := &outcome{}
	_, err := m.Start(o.request(url))
	require.NoError(t, err)
	return o
}

func (o *outcome) request(url string) curl.Request {
	return curl.Request{
		URL:  url,
		Body: func(part []byte) { o.body.Write(part) },
		Done: func(r curl.Result, err error) {
			o.result, o.err = r, err
			o.ends++
		},
	}
}
