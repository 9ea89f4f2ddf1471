package main

import (
	"bytes"
	"fmt"
	"io"
)

// printer writes parts of files, with a heading when the file changes. It
// belongs to the loop.
type printer struct {
	out     io.Writer
	headers bool
	last    string // name of the file whose part was printed last
}

// print copies the data of r from one offset to another, or to the end of r,
// and returns its length.
func (p *printer) print(name string, r io.ReaderAt, from, to int64) (int64, error) {
	if from >= to {
		return 0, nil
	}
	if p.headers && p.last != name {
		if p.last != "" {
			fmt.Fprintln(p.out)
		}
		if _, err := fmt.Fprintf(p.out, "==> %s <==\n", name); err != nil {
			return 0, err
		}
	}
	p.last = name
	return io.Copy(p.out, io.NewSectionReader(r, from, to-from))
}

// lastLines returns the offset at which the last n lines begin. Data after the
// last newline is a line too.
func lastLines(r io.ReaderAt, size int64, n int) (int64, error) {
	if n == 0 {
		return size, nil
	}
	block := make([]byte, 8192)
	// The last byte ends the last line, or belongs to it. No line begins after it.
	for end := size - 1; end > 0; {
		begin := max(0, end-int64(len(block)))
		part := block[:end-begin]
		if _, err := r.ReadAt(part, begin); err != nil && err != io.EOF {
			return 0, err
		}
		for {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return begin + int64(i) + 1, nil
			}
			part = part[:i]
		}
		end = begin
	}
	return 0, nil
}
