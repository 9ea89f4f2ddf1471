//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd && !windows

package ev

import (
	"errors"
	"os"
	"time"
)

// There is no native backend here, and nothing that watches descriptors.

var backends = []Backend{BackendChan}

func openNative(time.Time) (poller, error) { return nil, errors.ErrUnsupported }

func openWake() (readEnd, writeEnd *os.File, err error) { return nil, nil, errors.ErrUnsupported }
