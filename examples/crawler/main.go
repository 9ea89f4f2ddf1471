// Command crawler follows the links of a web site and prints its pages: a few workers, a
// limit of requests for each host, retries, and a timeout for each page. Ctrl-C ends it when
// the pages in progress are done; a second Ctrl-C ends it at once.
//
// Such programs are written with gevent and asyncio, and this one was ported from gevent by
// the table in docs/coming-from.md. The workers are tasks. They share the list of pages, the
// set of seen ones and the counters without a lock.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/goevlib/ev"
)

func main() {
	workers := flag.Int("workers", 8, "pages at a time")
	perHost := flag.Int("per-host", 2, "requests to one host at a time")
	limit := flag.Int("limit", 100, "pages in all")
	timeout := flag.Duration("timeout", 10*time.Second, "for one request")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: crawler [flags] URL")
		os.Exit(2)
	}
	err := ev.RunTask(context.Background(), func(t *ev.Task) error {
		c := newCrawler(t.Loop(), get)
		c.perHost, c.limit, c.timeout = *perHost, *limit, *timeout
		c.found = func(page string) { fmt.Println(page) }
		c.failed = func(page string, err error) { fmt.Fprintln(os.Stderr, page, err) }
		interrupt := ev.NewSignal(t.Loop(), os.Interrupt, func(s *ev.Signal) {
			s.Stop()
			c.finish()
		})
		if err := interrupt.Start(); err != nil {
			return err
		}
		return c.crawl(t, flag.Arg(0), *workers)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var href = regexp.MustCompile(`<a\s[^>]*href="([^"#]+)`)

// get reads a page and returns its links. It may block.
func get(ctx context.Context, page string) (links []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return nil, temporary(answer.Status)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	for _, match := range href.FindAllSubmatch(text, -1) {
		link, err := answer.Request.URL.Parse(string(match[1]))
		if err == nil && (link.Scheme == "http" || link.Scheme == "https") {
			links = append(links, link.String())
		}
	}
	return links, nil
}

// temporary is an error after which a request is made again.
type temporary string

func (e temporary) Error() string { return string(e) }

// host returns the host of a page, and whether it is a page at all.
func host(page string) (string, bool) {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" {
		return "", false
	}
	return u.Host, true
}
