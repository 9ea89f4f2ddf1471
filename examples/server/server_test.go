package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

const patience = 20 * time.Second

// serve runs a server in this process until the test ends. The channel has the error of its run,
// once.
func serve(t *testing.T) (*server, <-chan error) {
	t.Helper()
	loop, err := ev.New()
	require.NoError(t, err)
	s, err := newServer(loop, "127.0.0.1:0", filepath.Join(t.TempDir(), "access.log"))
	require.NoError(t, err)
	ended, result := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		result <- s.run()
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		_ = loop.Post(s.drain)
		<-ended
		assert.NoError(t, s.http.Close())
		assert.NoError(t, loop.Verify())
		assert.NoError(t, loop.Close())
	})
	return s, result
}

// ask calls fn on the loop.
func ask[T any](t *testing.T, s *server, fn func() T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := ev.Call(ctx, s.loop, func() (T, error) { return fn(), nil })
	require.NoError(t, err)
	return v
}

func fetch(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultTransport.RoundTrip(req) // does not follow redirects
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

func TestEndpoints(t *testing.T) {
	s, _ := serve(t)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "/stats"},
		{"GET", "/hello", 200, "Hello, world!\n"},
		{"GET", "/hello?name=Ann%0Aand+Bob", 200, "Hello, Ann\nand Bob!\n"},
		{"GET", "/work?ms=0", 200, "worked for 0 ms\n"},
		{"GET", "/work", 200, "worked for 5 ms\n"},
		{"GET", "/work?ms=2001", 400, "from 0 to 2000"},
		{"GET", "/work?ms=-1", 400, "from 0 to 2000"},
		{"GET", "/work?ms=soon", 400, "from 0 to 2000"},
		{"GET", "/nowhere", 404, "not found"},
		{"POST", "/hello", 405, "Not Allowed"},
		{"HEAD", "/hello", 200, ""},
		{"GET", "/debug/ev/", 200, "Event loops"},
		{"GET", "/debug/ev/0", 404, "it was closed, or never made"},
	} {
		status, body := fetch(t, c.method, s.url()+c.path)
		assert.Equal(t, c.status, status, "%s %s", c.method, c.path)
		assert.Contains(t, body, c.body, "%s %s", c.method, c.path)
	}
}

// statsOf gets /stats until it has this many requests: a record may arrive after the answer to its
// request.
func statsOf(t *testing.T, s *server, records uint64) (stats snapshot) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, body := fetch(t, "GET", s.url()+"/stats")
		require.Equal(t, 200, status)
		stats = snapshot{}
		require.NoError(t, json.Unmarshal([]byte(body), &stats))
		return stats.Records >= records
	}, patience, time.Millisecond)
	return stats
}

func TestStatsCountByRouteAndStatus(t *testing.T) {
	s, _ := serve(t)
	for _, path := range []string{"/hello", "/hello?name=x", "/work?ms=3", "/work?ms=x", "/"} {
		fetch(t, "GET", s.url()+path)
	}
	stats := statsOf(t, s, 5)
	assert.EqualValues(t, 2, stats.Routes["/hello"].Count)
	assert.Equal(t, map[string]uint64{"2xx": 1, "4xx": 1}, stats.Routes["/work"].Status)
	assert.Equal(t, map[string]uint64{"2xx": 1}, stats.Routes["/"].Status)
	assert.NotZero(t, stats.Loop.Callbacks)
	assert.LessOrEqual(t, stats.Batches, stats.Records)

	work := stats.Routes["/work"]
	assert.GreaterOrEqual(t, work.Max, 3.0)
	assert.GreaterOrEqual(t, work.P99, work.P90)
	assert.GreaterOrEqual(t, work.P90, work.P50)
	assert.Equal(t, work.Max, work.P99, "of two values the greater")
}

func TestUnknownPathsAreCountedAsOne(t *testing.T) {
	s, _ := serve(t)
	const n = 300
	for i := range n {
		switch i % 3 {
		case 0:
			fetch(t, "GET", fmt.Sprintf("%s/made/up/%d", s.url(), i))
		case 1:
			fetch(t, fmt.Sprintf("METHOD%d", i), s.url()+"/hello")
		case 2:
			fetch(t, "GET", fmt.Sprintf("%s//%d/../%d", s.url(), i, i))
		}
	}
	stats := statsOf(t, s, n)
	assert.EqualValues(t, n, stats.Routes[otherRoute].Count)
	delete(stats.Routes, "/stats")
	assert.Len(t, stats.Routes, 1)
}

// A request that Shutdown has missed holds the gate when Shutdown has returned.
func TestDrainWaitsForTheRequestsThatShutdownOverlooks(t *testing.T) {
	s, ended := serve(t)
	s.handlers.gate.RLock()
	require.NoError(t, s.loop.Post(s.drain))
	require.Eventually(t, func() bool {
		if open := s.handlers.gate.TryRLock(); open {
			s.handlers.gate.RUnlock()
			return false
		}
		return true
	}, patience, time.Millisecond, "Shutdown is through and close waits")
	require.NoError(t, s.records.Send(*said("late")))
	assert.Empty(t, ended)
	s.handlers.gate.RUnlock()
	require.NoError(t, receive(t, ended))
	assert.Contains(t, contents(t, s.ledger.log.path), "late")

	answer := httptest.NewRecorder()
	s.handlers.ServeHTTP(answer, httptest.NewRequest("GET", "/hello", nil))
	assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
}

func TestSecondSignalDoesNotWait(t *testing.T) {
	s, ended := serve(t)
	s.handlers.gate.RLock() // a request under way
	defer s.handlers.gate.RUnlock()
	require.NoError(t, s.records.Send(*said("done already")))
	ev.FeedSignal(syscall.SIGTERM)
	require.Eventually(t, func() bool { return ask(t, s, func() bool { return s.interrupted }) }, patience, time.Millisecond)
	ev.FeedSignal(syscall.SIGINT)
	assert.ErrorContains(t, receive(t, ended), "second signal")
	assert.Contains(t, contents(t, s.ledger.log.path), "done already")
}

func TestServerEndsWhenItCannotAccept(t *testing.T) {
	s, ended := serve(t)
	require.NoError(t, s.listener.Close())
	assert.ErrorContains(t, receive(t, ended), "accept")
}

// The queue's callback may not have run before finish.
func TestFinishTakesWhatIsInTheQueue(t *testing.T) {
	s, ended := serve(t)
	require.NoError(t, s.loop.Post(func() {
		for range 3 {
			assert.NoError(t, s.records.Send(*said("just now")))
		}
		s.finish(nil)
	}))
	require.NoError(t, receive(t, ended))
	assert.Equal(t, 3, strings.Count(contents(t, s.ledger.log.path), "just now"))
}

// A user of -slow must find the slow callback by its name.
func TestTheSlowWriteIsOnThePageOfTheLoop(t *testing.T) {
	s, _ := serve(t)
	page := fmt.Sprintf("%s/debug/ev/%d?format=json", s.url(), s.loop.ID())
	fetch(t, "GET", page) // measures from here on
	ask(t, s, func() any { s.ledger.slow = 30 * time.Millisecond; return nil })
	var seen evmeter.Reading
	require.Eventually(t, func() bool {
		_, body := fetch(t, "GET", page)
		require.NoError(t, json.Unmarshal([]byte(body), &seen))
		return slices.ContainsFunc(seen.Slowest, func(c evmeter.Call) bool {
			return c.Source.Name == "access log flush" && c.Took >= 30*time.Millisecond
		})
	}, patience, 100*time.Millisecond)
}
