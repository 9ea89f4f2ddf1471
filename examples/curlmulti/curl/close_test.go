//go:build cgo

package curl_test

import (
	"io"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/curlmulti/curl"
)

// descriptors returns the number of this process's open descriptors.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be counted: %v", err)
	}
	return len(open)
}

func TestCancelInTheMiddleOfABody(t *testing.T) {
	left := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			<-left
			_, _ = io.WriteString(w, "other")
			return
		}
		hold(w, r)
		close(left)
	})
	loop, m := newMulti(t)
	other := get(t, m, s.URL+"/other")
	var transfer *curl.Transfer
	parts := 0
	transfer, err := m.Start(curl.Request{
		URL: s.URL,
		Body: func(part []byte) {
			parts++
			assert.Equal(t, "beginning", string(part))
			assert.Equal(t, 2, m.Active())
			transfer.Cancel()
			assert.Equal(t, 1, m.Active())
		},
		Done: func(_ curl.Result, err error) { assert.Fail(t, "called after Cancel", "%v", err) },
	})
	require.NoError(t, err)
	run(t, loop) // ends only if the server has seen the connection closed
	assert.Equal(t, 1, parts)
	assert.NoError(t, other.err)
	assert.Equal(t, "other", other.body.String())
	transfer.Cancel() // again: no effect
}

func TestCancelAtAnyTimeIsFinal(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })
	loop, m := newMulti(t)
	silent := func(_ curl.Result, err error) { assert.Fail(t, "called after Cancel", "%v", err) }

	unborn, err := m.Start(curl.Request{URL: s.URL, Done: silent})
	require.NoError(t, err)
	unborn.Cancel() // before the loop has run
	run(t, loop)
	assert.Zero(t, s.connections.Load())

	cancelled, err := m.Start(curl.Request{URL: s.URL, Done: silent})
	require.NoError(t, err)
	runUntil(t, loop, func() bool { return m.Active() == 0 })
	cancelled.Cancel() // libcurl has reported the end, Done has not been called
	run(t, loop)

	var itself *curl.Transfer
	calls := 0
	itself, err = m.Start(curl.Request{URL: s.URL, Done: func(curl.Result, error) {
		calls++
		itself.Cancel()
	}})
	require.NoError(t, err)
	run(t, loop)
	assert.Equal(t, 1, calls)
}

func TestCancelByAnotherTransfersCallback(t *testing.T) {
	s := serve(t, hold)
	loop, m := newMulti(t)
	const n = 10
	transfers := make([]*curl.Transfer, n)
	begun := 0
	for i := range transfers {
		var err error
		transfers[i], err = m.Start(curl.Request{
			URL: s.URL,
			Body: func([]byte) {
				if begun++; begun < n {
					return
				}
				for _, transfer := range transfers {
					transfer.Cancel()
				}
			},
			Done: func(_ curl.Result, err error) { assert.Fail(t, "called after Cancel", "%v", err) },
		})
		require.NoError(t, err)
	}
	run(t, loop)
	assert.Equal(t, n, begun)
	assert.Zero(t, m.Active())
}

func TestCloseWithTransfersUnderWayFreesEverything(t *testing.T) {
	const n = 50
	for name, end := range map[string]func(*ev.Loop, *curl.Multi){
		"the Multi's":                  func(_ *ev.Loop, m *curl.Multi) { m.Close() },
		"the loop's":                   func(loop *ev.Loop, _ *curl.Multi) { _ = loop.Close() },
		"the loop's, then the Multi's": func(loop *ev.Loop, m *curl.Multi) { _ = loop.Close(); m.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var gone atomic.Int64
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/idle" {
					return
				}
				hold(w, r)
				gone.Add(1)
			})
			before := descriptors(t)
			loop, m := newMulti(t)
			get(t, m, s.URL+"/idle") // its connection is kept
			run(t, loop)
			begun := 0
			for range n {
				_, err := m.Start(curl.Request{
					URL:     s.URL,
					Timeout: time.Hour,
					Body:    func([]byte) { begun++ },
					Done:    func(_ curl.Result, err error) { assert.Fail(t, "it ended", "%v", err) },
				})
				require.NoError(t, err)
			}
			runUntil(t, loop, func() bool { return begun == n })
			require.GreaterOrEqual(t, descriptors(t), before+2*n, "both ends are ours")

			end(loop, m)
			assert.Zero(t, m.Active())
			assert.Zero(t, loop.Active())
			_, err := m.Start(curl.Request{URL: s.URL, Done: func(curl.Result, error) {}})
			assert.ErrorIs(t, err, curl.ErrClosed)
			require.NoError(t, loop.Close()) // its own descriptors
			assert.Eventually(t, func() bool { return descriptors(t) <= before }, patience, time.Millisecond)
			assert.Eventually(t, func() bool { return gone.Load() == n }, patience, time.Millisecond)
		})
	}
}

func TestCloseInACallback(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			hold(w, r)
		}
		_, _ = io.WriteString(w, "body")
	})
	loop, m := newMulti(t)
	_, err := m.Start(curl.Request{
		URL:  s.URL + "/held",
		Done: func(_ curl.Result, err error) { assert.Fail(t, "it ended", "%v", err) },
	})
	require.NoError(t, err)
	_, err = m.Start(curl.Request{
		URL:  s.URL,
		Body: func([]byte) { m.Close() },
		Done: func(_ curl.Result, err error) { assert.Fail(t, "called after Close", "%v", err) },
	})
	require.NoError(t, err)
	run(t, loop)
	assert.Zero(t, m.Active())
}

func TestATransferThatHasEndedIsNotKept(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })
	loop, m := newMulti(t)
	const n = 20
	var collected atomic.Int64
	for i := range n {
		transfer, err := m.Start((&outcome{}).request(s.URL))
		require.NoError(t, err)
		runtime.AddCleanup(transfer, func(int) { collected.Add(1) }, 0)
		if i%2 == 0 {
			transfer.Cancel()
		}
	}
	run(t, loop)
	assert.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load() == n
	}, patience, time.Millisecond)
	runtime.KeepAlive(m)
}

func TestAMultiThatWasClosedIsNotKept(t *testing.T) {
	loop := newLoop(t)
	var collected atomic.Bool
	m, err := curl.NewMulti(loop)
	require.NoError(t, err)
	runtime.AddCleanup(m, func(int) { collected.Store(true) }, 0)
	m.Close()
	assert.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load()
	}, patience, time.Millisecond)
}
