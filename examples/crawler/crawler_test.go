package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// site is a web site of virtual time. Pages 0 to n-1 are a binary tree.
type site struct {
	mu           sync.Mutex
	takes        time.Duration
	n, now, most int
	fails        map[string]int // how often, by page
	slow         string
}

func page(n int) string { return fmt.Sprint("http://site/", n) }

func (s *site) get(ctx context.Context, url string) (links []string, err error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	fails := s.fails[url] > 0
	s.fails[url]--
	s.mu.Unlock()
	takes := s.takes
	if url == s.slow {
		takes = time.Hour
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	var n int
	switch _, scanned := fmt.Sscanf(url, "http://site/%d", &n); {
	case err != nil:
		return nil, err
	case scanned != nil || n >= s.n:
		return nil, errors.New("not found")
	case fails:
		return nil, temporary("overloaded")
	}
	return []string{page(2*n + 1), page(2*n + 2), page(0), "http://other/"}, nil
}

type result struct {
	found  []string
	failed map[string]string
	took   time.Duration
}

// crawl crawls the site in a bubble.
func crawl(t *testing.T, s *site, with func(t *ev.Task, c *crawler)) (r result) {
	r.failed = map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := ev.RunTask(t.Context(), func(task *ev.Task) error {
			c := newCrawler(task.Loop(), s.get)
			c.found = func(page string) { r.found = append(r.found, page) }
			c.failed = func(page string, err error) { r.failed[page] = err.Error() }
			with(task, c)
			return c.crawl(task, page(0), 5)
		}, ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		r.took = time.Since(began)
	})
	return r
}

func TestEveryPageIsVisitedOnceAndTwoAtATime(t *testing.T) {
	s := &site{n: 15, takes: time.Second, fails: map[string]int{}}
	r := crawl(t, s, func(*ev.Task, *crawler) {})
	assert.Len(t, r.found, 15)
	slices.Sort(r.found)
	assert.Len(t, slices.Compact(r.found), 15)
	assert.Len(t, r.failed, 16, "the leaves' links")
	assert.Equal(t, 2, s.most)
	assert.Equal(t, 16*time.Second, r.took, "the first alone, 30 others two at a time")
}

func TestAFailedRequestIsMadeAgain(t *testing.T) {
	s := &site{n: 3, takes: time.Second, fails: map[string]int{page(1): 2, page(2): 3}}
	r := crawl(t, s, func(*ev.Task, *crawler) {})
	assert.ElementsMatch(t, []string{page(0), page(1)}, r.found)
	assert.Equal(t, "overloaded", r.failed[page(2)])
}

func TestASlowPageIsGivenUp(t *testing.T) {
	s := &site{n: 7, takes: time.Second, slow: page(1), fails: map[string]int{}}
	r := crawl(t, s, func(_ *ev.Task, c *crawler) { c.timeout = time.Minute })
	assert.ElementsMatch(t, []string{page(0), page(2), page(5), page(6)}, r.found)
	assert.Equal(t, context.DeadlineExceeded.Error(), r.failed[page(1)])
	assert.Equal(t, time.Minute+time.Second, r.took)
}

func TestFinishEndsWhenThePagesInProgressAreDone(t *testing.T) {
	s := &site{n: 1 << 20, takes: time.Minute, fails: map[string]int{}}
	r := crawl(t, s, func(t *ev.Task, c *crawler) {
		c.limit, c.timeout = 1<<20, time.Hour
		ev.NewTimer(t.Loop(), 90*time.Second, 0, func(*ev.Timer) { c.finish() }).Start()
	})
	assert.Len(t, r.found, 3)
	assert.Empty(t, r.failed)
	assert.Equal(t, 2*time.Minute, r.took)
}

func TestLinksOfARealServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<a class="x" href="a">A</a> <a href="/b#part">B</a> <a href="mailto:me">me</a>`)
		case "/a", "/b":
			fmt.Fprint(w, `<a href="/">back</a> <a href="/none">gone</a>`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	var found []string
	failed := map[string]string{}
	err := ev.RunTask(t.Context(), func(t *ev.Task) error {
		c := newCrawler(t.Loop(), get)
		c.found = func(page string) { found = append(found, page) }
		c.failed = func(page string, err error) { failed[page] = err.Error() }
		return c.crawl(t, server.URL+"/", 3)
	})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{server.URL + "/", server.URL + "/a", server.URL + "/b"}, found)
	assert.Equal(t, map[string]string{server.URL + "/none": "404 Not Found"}, failed)
}
