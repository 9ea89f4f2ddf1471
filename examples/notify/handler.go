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

// handler is a signal handler of C's that sends; there can be one.
type handler struct {
	file   *os.File
	wanted chan os.Signal // nobody receives from it
}

// installHandler has os/signal want the signal too: called for one that nobody in
// Go wants, on a thread that Go has not made, the runtime's handler ends the
// process.
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

// handled is how many signals the handlers have got.
func handled() int { return int(C.handler_calls()) }

// remove puts back what handled the signal before.
func (h *handler) remove() error {
	C.handler_remove()
	signal.Stop(h.wanted)
	return h.file.Close()
}
