//go:build !unix

package proptest

import (
	"errors"
	"syscall"
)

// Real programs run on Unix only.

const theSignal = syscall.SIGINT

// pipeline is always nil.
type pipeline struct{}

func (*pipeline) fd() int      { return -1 }
func (*pipeline) fill() error  { return errors.ErrUnsupported }
func (*pipeline) drain() error { return errors.ErrUnsupported }
