package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

const (
	writeAt = 64 << 10 // this many bytes do not wait for the timer
	holdMax = 16 << 20 // at most this many bytes are kept while the file cannot be written
)

// accessLog collects lines and writes many at once. It belongs to the loop. Its writes block the
// loop: a slow disk delays the log and /stats, but no other request.
type accessLog struct {
	path    string
	file    *os.File
	buf     []byte
	dropped int // lines that were dropped because of holdMax
}

func openLog(path string) (*accessLog, error) {
	a := &accessLog{path: path}
	var err error
	a.file, err = a.open()
	return a, err
}

func (a *accessLog) open() (*os.File, error) {
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return file, nil
}

// add adds a line to the buffer, in the common log format with the latency in seconds at the end.
// The request line is quoted: a client can send any bytes, but one request must be one line.
func (a *accessLog) add(r *record) {
	if len(a.buf) >= holdMax {
		a.dropped++
		return
	}
	b := append(a.buf, r.remote...)
	b = append(b, " - - ["...)
	b = r.start.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, "] "...)
	b = strconv.AppendQuoteToASCII(b, r.request)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(r.status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.size, 10)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, r.took.Seconds(), 'f', 6, 64)
	a.buf = append(b, '\n')
}

// full reports whether the buffer is large enough for a write.
func (a *accessLog) full() bool { return len(a.buf) >= writeAt }

// flush writes the buffer. It keeps the bytes that the file did not take.
func (a *accessLog) flush() error {
	if len(a.buf) == 0 {
		return nil
	}
	n, err := a.file.Write(a.buf)
	a.buf = a.buf[:copy(a.buf, a.buf[n:])]
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	return nil
}

// reopen continues in a new file, after the old one was renamed. If it cannot open a new file, it
// continues in the old one.
func (a *accessLog) reopen() error {
	file, err := a.open()
	if err != nil {
		return fmt.Errorf("%w; going on with the old file", err)
	}
	err = a.flush() // bytes that this leaves go to the new file
	old := a.file
	a.file = file
	return errors.Join(err, old.Close())
}

// close writes the rest of the buffer. Its error names the losses.
func (a *accessLog) close() error {
	err := a.flush()
	if err != nil {
		err = fmt.Errorf("%w: %d bytes are lost", err, len(a.buf))
	}
	if a.dropped > 0 {
		err = errors.Join(err, fmt.Errorf("access log: %d lines were dropped while it could not be written", a.dropped))
	}
	return errors.Join(err, a.file.Close())
}
