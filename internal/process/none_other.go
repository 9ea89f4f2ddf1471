//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package process

import (
	"errors"
	"syscall"
)

// UnknownStatus is the zero status.
var UnknownStatus syscall.WaitStatus

// Process does not exist here.
type Process struct{}

// Open fails.
func Open(int, bool) (*Process, error) { return nil, errors.ErrUnsupported }

// Watch has no effect.
func (*Process) Watch(Report) {}

// Close has no effect.
func (*Process) Close() {}
