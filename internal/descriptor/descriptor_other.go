//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package descriptor

import (
	"errors"
	"os"
)

// Check returns nil.
func Check(int) error { return nil }

// Dup returns errors.ErrUnsupported.
func Dup(*os.File, string) (*os.File, error) { return nil, errors.ErrUnsupported }

// Drain returns false.
func Drain(int) bool { return false }
