//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package evnet

import (
	"errors"
	"time"
)

const (
	descriptors = false
	blink       = time.Millisecond
)

func (*conn) initFile() error { return errors.ErrUnsupported }

func readable(int) bool { return true }

func canWatch(int) bool { return true }
