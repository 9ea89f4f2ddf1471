//go:build cgo

package curl_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/curlmulti/curl"
)

// barrier holds requests until it has a given number.
type barrier struct {
	mu   sync.Mutex
	left int
	open chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{left: n, open: make(chan struct{})} }

func (b *barrier) wait(r *http.Request) bool {
	b.mu.Lock()
	if b.left--; b.left == 0 {
		close(b.open)
	}
	b.mu.Unlock()
	select {
	case <-b.open:
		return true
	case <-r.Context().Done():
		return false
	}
}

func TestTwoHundredTransfersAreUnderWayAtOnce(t *testing.T) {
	const n = 200
	b := newBarrier(n)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !b.wait(r) {
			return
		}
		for i := range 10 {
			fmt.Fprintf(w, "%s %d\n", r.URL.Path, i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	loop, m := newMulti(t)
	outcomes := make([]*outcome, n)
	for i := range outcomes {
		outcomes[i] = get(t, m, s.URL+"/"+strconv.Itoa(i))
	}
	assert.Equal(t, n, m.Active())
	run(t, loop)
	assert.Zero(t, m.Active())
	for i, o := range outcomes {
		require.NoError(t, o.err)
		require.Equal(t, 1, o.ends)
		var want bytes.Buffer
		for j := range 10 {
			fmt.Fprintf(&want, "/%d %d\n", i, j)
		}
		assert.Equal(t, want.String(), o.body.String())
		assert.Equal(t, curl.Result{Status: 200, Size: int64(want.Len()), Connects: 1}, o.result)
	}
	assert.EqualValues(t, n, s.connections.Load())
}

func TestALargeBodyComesWholeAndThenDone(t *testing.T) {
	body := make([]byte, 8<<20)
	for i := range body {
		body[i] = byte(i ^ i>>8 ^ i>>16)
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	loop, m := newMulti(t)
	var got []byte
	ends := 0
	_, err := m.Start(curl.Request{
		URL: s.URL,
		Body: func(part []byte) {
			assert.NotEmpty(t, part)
			assert.Zero(t, ends, "a part after Done")
			got = append(got, part...)
		},
		Done: func(_ curl.Result, err error) {
			assert.NoError(t, err)
			ends++
		},
	})
	require.NoError(t, err)
	run(t, loop)
	assert.Equal(t, 1, ends)
	assert.True(t, bytes.Equal(body, got), "%d bytes came of %d", len(got), len(body))
}

func TestABodyThatNobodyWantsIsCounted(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", http.StatusNotFound) })
	loop, m := newMulti(t)
	o := &outcome{}
	r := o.request(s.URL)
	r.Body = nil
	_, err := m.Start(r)
	require.NoError(t, err)
	run(t, loop)
	assert.NoError(t, o.err, "a status is no error")
	assert.Equal(t, curl.Result{Status: 404, Size: int64(len("no such thing\n")), Connects: 1}, o.result)
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	loop, m := newMulti(t)
	var connects []int
	var next func(curl.Result, error)
	start := func() {
		_, err := m.Start(curl.Request{URL: s.URL, Done: next})
		require.NoError(t, err)
	}
	next = func(r curl.Result, err error) {
		assert.NoError(t, err)
		if connects = append(connects, r.Connects); len(connects) < 5 {
			start()
		}
	}
	start()
	run(t, loop)
	assert.Equal(t, []int{1, 0, 0, 0, 0}, connects)
	assert.EqualValues(t, 1, s.connections.Load())

	start() // after a Run, too: an idle connection does not keep a loop going
	run(t, loop)
	assert.Equal(t, []int{1, 0, 0, 0, 0, 0}, connects)
}

// Each connection is closed while others are opened, so that numbers of
// descriptors are used again all the time.
func TestDescriptorsThatAreUsedAgainAreNotTakenForOldOnes(t *testing.T) {
	const chains, rounds = 40, 15
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, r.URL.Path)
	})
	loop, m := newMulti(t)
	finished := 0
	var start func(chain, round int)
	start = func(chain, round int) {
		path := fmt.Sprintf("/%d/%d", chain, round)
		var body bytes.Buffer
		_, err := m.Start(curl.Request{
			URL:  s.URL + path,
			Body: func(part []byte) { body.Write(part) },
			Done: func(_ curl.Result, err error) {
				assert.NoError(t, err)
				assert.Equal(t, path, body.String())
				finished++
				if round+1 < rounds {
					start(chain, round+1)
				}
			},
		})
		require.NoError(t, err)
	}
	for chain := range chains {
		start(chain, 0)
	}
	run(t, loop)
	assert.Equal(t, chains*rounds, finished)
	assert.EqualValues(t, chains*rounds, s.connections.Load())
}

func TestTheLoopHasAWatcherForEachSocketAndOneForTheDeadline(t *testing.T) {
	s := serve(t, hold)
	loop, m := newMulti(t)
	const n = 5
	begun := 0
	for range n {
		seen := false
		_, err := m.Start(curl.Request{
			URL:     s.URL,
			Timeout: time.Hour,
			Body: func([]byte) {
				if !seen {
					seen = true
					begun++
				}
			},
			Done: func(_ curl.Result, err error) { assert.Fail(t, "it ended", "%v", err) },
		})
		require.NoError(t, err)
	}
	runUntil(t, loop, func() bool { return begun == n })
	assert.Equal(t, n+1+1, loop.Active(), "and the Cleanup")
	m.Close()
	assert.Zero(t, loop.Active())
}

func TestATimeoutIsTheLoopsTimer(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	loop, m := newMulti(t)
	o := &outcome{}
	r := o.request(s.URL)
	r.Timeout = 60 * time.Millisecond
	start := time.Now()
	_, err := m.Start(r)
	require.NoError(t, err)
	run(t, loop)
	assert.ErrorIs(t, o.err, curl.TimedOut)
	assert.GreaterOrEqual(t, time.Since(start), r.Timeout-time.Millisecond, "libcurl counts milliseconds")
	assert.Equal(t, 1, o.ends)
	assert.Zero(t, o.result.Status)
}

func TestAPanicInACallbackTakesNothingElseWithIt(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "body") })
	loop, m := newMulti(t)
	o := &outcome{}
	r := o.request(s.URL)
	r.Body = func([]byte) { panic("mine") }
	_, err := m.Start(r)
	require.NoError(t, err)
	other := get(t, m, s.URL)
	assert.PanicsWithValue(t, "mine", func() { _ = loop.Run(t.Context()) })
	run(t, loop)
	assert.Equal(t, 1, o.ends)
	assert.NoError(t, o.err)
	assert.NoError(t, other.err)
	assert.Equal(t, "body", other.body.String())
}

func TestACallbackMayRunTheLoop(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	loop, m := newMulti(t)
	inner := &outcome{}
	outer := &outcome{}
	r := outer.request(s.URL + "/outer")
	r.Body = func(part []byte) {
		_, err := m.Start(inner.request(s.URL + "/inner"))
		require.NoError(t, err)
		runUntil(t, loop, func() bool { return inner.ends == 1 })
		outer.body.Write(part) // it has not changed
	}
	_, err := m.Start(r)
	require.NoError(t, err)
	run(t, loop)
	assert.Equal(t, "/inner", inner.body.String())
	assert.Equal(t, "/outer", outer.body.String())
	assert.NoError(t, outer.err)
}

func TestAnotherGoroutineStartsATransferByPost(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "posted") })
	loop, m := newMulti(t)
	keep := ev.NewAsync(loop, func(*ev.Async) {})
	keep.Start()
	o := &outcome{}
	r := o.request(s.URL)
	done := r.Done
	r.Done = func(res curl.Result, err error) {
		done(res, err)
		keep.Stop()
	}
	go func() {
		_ = loop.Post(func() {
			_, err := m.Start(r)
			assert.NoError(t, err)
		})
	}()
	run(t, loop)
	assert.Equal(t, "posted", o.body.String())
}

func TestAPartStaysWhatItIsWhileTheNextComes(t *testing.T) {
	first := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-first:
			_, _ = io.WriteString(w, "other")
		case <-r.Context().Done():
		}
	})
	loop, m := newMulti(t)
	o := &outcome{}
	r := o.request(s.URL)
	var parts []string
	r.Body = func(part []byte) {
		if parts = append(parts, string(part)); len(parts) == 1 {
			close(first)
			runUntil(t, loop, func() bool { return o.ends == 1 })
			assert.Equal(t, "first", string(part))
		}
	}
	_, err := m.Start(r)
	require.NoError(t, err)
	run(t, loop)
	assert.Equal(t, []string{"first", "other"}, parts)
	assert.NoError(t, o.err)
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	t.Setenv("http_proxy", fmt.Sprintf("http://127.0.0.1:%d/", deafPort(t)))
	t.Setenv("no_proxy", "")
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") })
	loop, m := newMulti(t)
	o := get(t, m, s.URL)
	run(t, loop)
	assert.NoError(t, o.err)
	assert.Equal(t, "direct", o.body.String())
}
