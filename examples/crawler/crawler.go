package main

import (
	"context"
	"errors"
	"time"

	"github.com/goevlib/ev"
)

// crawler is the state that all workers share. One of them runs at a time.
type crawler struct {
	get     func(ctx context.Context, page string) (links []string, err error)
	found   func(page string)
	failed  func(page string, err error)
	limit   int // of pages
	perHost int // requests at a time
	retries int
	timeout time.Duration

	site    string // the host whose links are followed
	todo    []string
	seen    map[string]bool
	busy    int            // workers that visit a page
	asking  map[string]int // requests in progress, by host
	changed *ev.Cond       // todo, busy or asking
}

func newCrawler(l *ev.Loop, get func(context.Context, string) ([]string, error)) *crawler {
	return &crawler{
		get: get, limit: 100, perHost: 2, retries: 3, timeout: 10 * time.Second,
		found: func(string) {}, failed: func(string, error) {},
		seen: map[string]bool{}, asking: map[string]int{}, changed: ev.NewCond(l),
	}
}

// crawl visits page and all pages of its host that can be reached from it.
func (c *crawler) crawl(t *ev.Task, page string, workers int) error {
	site, ok := host(page)
	if !ok {
		return errors.New("not the URL of a page: " + page)
	}
	c.site = site
	c.add(page)
	group := ev.NewGroup(t)
	for range workers {
		group.Go(c.work)
	}
	return group.Wait()
}

// finish ends the crawl when the pages in progress are done.
func (c *crawler) finish() {
	c.limit, c.todo = 0, nil
	c.changed.Broadcast()
}

func (c *crawler) add(page string) {
	if site, ok := host(page); ok && site == c.site && !c.seen[page] && len(c.seen) < c.limit {
		c.seen[page] = true
		c.todo = append(c.todo, page)
		c.changed.Broadcast()
	}
}

// work visits pages until there are no more and no worker can find one.
func (c *crawler) work(t *ev.Task) error {
	for {
		for len(c.todo) == 0 {
			if c.busy == 0 {
				return nil
			}
			if err := c.changed.Wait(t); err != nil {
				return err
			}
		}
		page := c.todo[0]
		c.todo = c.todo[1:]
		c.busy++
		err := c.visit(t, page)
		c.busy--
		c.changed.Broadcast()
		if err != nil {
			return err
		}
	}
}

// visit reports a page as found or failed. It returns an error only if the worker itself is
// stopped.
func (c *crawler) visit(t *ev.Task, page string) error {
	for attempt := 1; ; attempt++ {
		links, err := c.request(t, page)
		switch {
		case t.Context().Err() != nil:
			return err
		case err == nil:
			c.found(page)
			for _, link := range links {
				c.add(link)
			}
			return nil
		}
		var again temporary
		if !errors.As(err, &again) || attempt == c.retries {
			c.failed(page, err)
			return nil
		}
		if err := t.Sleep(time.Second << attempt); err != nil {
			return err
		}
	}
}

// request makes a request when the host has fewer than perHost.
func (c *crawler) request(t *ev.Task, page string) (links []string, err error) {
	at, _ := host(page)
	for c.asking[at] >= c.perHost {
		if err := c.changed.Wait(t); err != nil {
			return nil, err
		}
	}
	c.asking[at]++
	defer func() {
		c.asking[at]--
		c.changed.Broadcast()
	}()
	err = t.Within(c.timeout, func() error {
		links, err = ev.Await(t, func(ctx context.Context) ([]string, error) { return c.get(ctx, page) })
		return err
	})
	return links, err
}
