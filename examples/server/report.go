package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/goevlib/ev"
)

// runLoad is run, with clients in the same process, and a table at the end. Other clients may make
// requests meanwhile.
func runLoad(s *server, d time.Duration, rate int) error {
	path := s.ledger.log.path
	before, err := logSize(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.quit = cancel // a signal ends the load; the end of the load drains
	ours := newLoad(s.url(), rate)
	var seen loaded
	ev.Go(s.loop, func() (loaded, error) { return ours.drive(ctx) }, func(l loaded, err error) {
		seen, s.err = l, errors.Join(s.err, err)
		s.drain()
	})
	if err := s.run(); err != nil {
		return err
	}
	logged, err := countLines(path, before, ours.mark)
	if err != nil {
		return err
	}
	report(s, &seen, logged)
	if logged.marked != seen.latency.n {
		return fmt.Errorf("%d requests, but %d lines of them in %s", seen.latency.n, logged.marked, path)
	}
	if logged.all != s.ledger.records {
		return fmt.Errorf("%d records, but %d lines in %s", s.ledger.records, logged.all, path)
	}
	return nil
}

// report prints the counts of each stage of a request. "by others" are the requests of other
// clients.
func report(s *server, seen *loaded, logged lines) {
	stats := s.loop.Stats()
	others := logged.all - logged.marked
	sends, callbacks := s.ledger.records, s.ledger.batches
	for _, row := range []struct {
		what  string
		value any
	}{
		{"requests", seen.latency.n + others},
		{"by others", others},
		{"sends", sends},
		{"callbacks", callbacks},
		{"sends/callback", fmt.Sprintf("%.2f", float64(sends)/float64(max(callbacks, 1)))},
		{"wake-ups", stats.FDWrites + stats.DirectWakes},
		{"fd writes", stats.FDWrites},
		{"lines logged", logged.all},
		{"requests/s", fmt.Sprintf("%.0f", float64(seen.latency.n)/seen.took.Seconds())},
		{"p50", seen.latency.quantile(0.50).Round(time.Microsecond)},
		{"p99", seen.latency.quantile(0.99).Round(time.Microsecond)},
	} {
		fmt.Printf("%-14s %12v\n", row.what, row.value)
	}
}

// logSize returns the size of the log. The log must be a file that can be read back.
func logSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("-load counts the lines of the log, but %s is not a regular file", path)
	}
	return info.Size(), nil
}

// lines is the number of lines in a log.
type lines struct {
	all    uint64
	marked uint64 // of them, the lines of the load
}

// countLines counts the lines after the first skip bytes.
func countLines(path string, skip int64, mark string) (n lines, err error) {
	file, err := os.Open(path)
	if err != nil {
		return n, err
	}
	defer file.Close()
	if _, err := file.Seek(skip, io.SeekStart); err != nil {
		return n, err
	}
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return n, nil // the rest is not a whole line
		}
		if err != nil {
			return n, err
		}
		n.all++
		if bytes.Contains(line, []byte(mark)) {
			n.marked++
		}
	}
}
