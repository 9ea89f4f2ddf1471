//go:build cgo && unix

package main

// #cgo LDFLAGS: -pthread
// #include "notify.h"
import "C"

import (
	"fmt"
	"os"
	"syscall"

	"github.com/goevlib/ev"
)

// producer is a C thread that makes values and sends.
type producer struct {
	c    *C.struct_producer
	file *os.File // the thread's descriptor
}

// startProducer starts a thread that sends to async for each value or, if sig
// is not 0, sends itself that signal.
func startProducer(async *ev.Async, sig syscall.Signal, values int) (*producer, error) {
	file, err := async.Notifier()
	if err != nil {
		return nil, err
	}
	c, err := C.producer_start(C.int(file.Fd()), C.int(sig), C.uint(values))
	if c == nil {
		file.Close()
		return nil, fmt.Errorf("start a thread: %w", err)
	}
	return &producer{c, file}, nil
}

// made returns the number of values.
func (p *producer) made() int { return int(C.producer_made(p.c)) }

// join waits for the thread, and then closes its descriptor.
func (p *producer) join() error {
	C.producer_join(p.c)
	return p.file.Close()
}
