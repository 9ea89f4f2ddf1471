package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/goevlib/ev"
)

// runLoad is run, with clients in the same process, and a table at the end.
func runLoad(s *server, d time.Duration) error {
	path := s.ledger.log.path
	before, err := logSize(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.quit = cancel // a signal ends the load, and that drains
	var seen loaded
	ev.Go(s.loop, func() (loaded, error) { return drive(ctx, s.url()) }, func(l loaded, err error) {
		seen, s.err = l, errors.Join(s.err, err)
		s.drain()
	})
	if err := s.run(); err != nil {
		return err
	}
	lines, err := countLines(path, before)
	if err != nil {
		return err
	}
	report(s, &seen, lines)
	if lines != seen.latency.n {
		return fmt.Errorf("%d requests, but %d lines in %s", seen.latency.n, lines, path)
	}
	return nil
}

func report(s *server, seen *loaded, lines uint64) {
	stats := s.loop.Stats()
	requests, sends, callbacks := seen.latency.n, s.ledger.records, s.ledger.batches
	for _, row := range []struct {
		what  string
		value any
	}{
		{"requests", requests},
		{"sends", sends},
		{"callbacks", callbacks},
		{"sends/callback", fmt.Sprintf("%.2f", float64(sends)/float64(max(callbacks, 1)))},
		{"wake-ups", stats.FDWrites + stats.DirectWakes},
		{"fd writes", stats.FDWrites},
		{"lines logged", lines},
		{"requests/s", fmt.Sprintf("%.0f", float64(requests)/seen.took.Seconds())},
		{"p50", seen.latency.quantile(0.50).Round(time.Microsecond)},
		{"p99", seen.latency.quantile(0.99).Round(time.Microsecond)},
	} {
		fmt.Printf("%-14s %12v\n", row.what, row.value)
	}
}

// logSize returns how much is in the log already. It has to be a file that can
// be read back.
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

// countLines counts those after the first skip bytes.
func countLines(path string, skip int64) (uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.Seek(skip, io.SeekStart); err != nil {
		return 0, err
	}
	var lines uint64
	buf := make([]byte, 64<<10)
	for {
		n, err := file.Read(buf)
		lines += uint64(bytes.Count(buf[:n], []byte{'\n'}))
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
