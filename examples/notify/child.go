//go:build cgo && unix

package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/goevlib/ev"
)

// request is an argument of printf: a little-endian uint64 of value 1. Any 8
// bytes are a request, but larger numbers fill an eventfd sooner.
const request = `'\001\000\000\000\000\000\000\000'`

// startChild starts a shell whose descriptor 3 sends. It closes the parent's
// descriptor after the start, because the child has its own.
func startChild(async *ev.Async, script string, args ...string) (*exec.Cmd, error) {
	file, err := async.Notifier()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-ec", "send() { printf " + request + " >&3; }; " + script, "sh"}, args...)...)
	cmd.Stderr, cmd.ExtraFiles = os.Stderr, []*os.File{file}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	return cmd, nil
}
