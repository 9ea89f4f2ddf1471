//go:build !unix

package ev

import (
	"errors"
	"syscall"
)

var errNoSignal = errors.New("no such signal")

var uncatchable = map[syscall.Signal]string{syscall.SIGKILL: "cannot be caught"}
