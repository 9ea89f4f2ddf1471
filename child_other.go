//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package ev

import (
	"errors"
	"syscall"
)

var unknownStatus syscall.WaitStatus

type process struct{}

func openProcess(int, bool) (*process, error) { return nil, errors.ErrUnsupported }

func (*process) watch(func(status syscall.WaitStatus, exit bool)) {}
func (*process) close()                                           {}
