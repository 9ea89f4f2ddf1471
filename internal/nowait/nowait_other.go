//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package nowait

import "errors"

// Read returns errors.ErrUnsupported.
func Read(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Write returns errors.ErrUnsupported.
func Write(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Accept returns errors.ErrUnsupported.
func Accept(int) (int, error) { return -1, errors.ErrUnsupported }
