//go:build cgo && unix

package main

// #include "notify.h"
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/goevlib/ev"
)

// handler is a signal handler in C that sends. There can be only one.
type handler struct {
	file   *os.File
	wanted chan os.Signal // never received from
}

// installHandler also subscribes to the signal with os/signal. Without a
// subscription, the runtime's handler ends the process if the signal arrives on
// a thread that Go has not made.
func installHandler(sig syscall.Signal, async *ev.Async) (*handler, error) {
	file, err := async.Notifier()
	if err != nil {
		return nil, err
	}
	h := &handler{file, make(chan os.Signal, 1)}
	signal.Notify(h.wanted, sig)
	if failed, err := C.handler_install(C.int(sig), C.int(file.Fd())); failed != 0 {
		signal.Stop(h.wanted)
		file.Close()
		return nil, fmt.Errorf("handle %v: %w", sig, err)
	}
	return h, nil
}

// handled returns the number of signals that the handlers have received.
func handled() int { return int(C.handler_calls()) }

// remove restores the previous handler.
func (h *handler) remove() error {
	C.handler_remove()
	signal.Stop(h.wanted)
	return h.file.Close()
}
