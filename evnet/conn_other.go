//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package evnet

import "errors"

const descriptors = false

func (*conn) initFile() error { return errors.ErrUnsupported }

func readable(int) bool { return true }
