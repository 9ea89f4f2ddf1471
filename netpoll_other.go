//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package ev

import "time"

var backends = []Backend{BackendChan}

func openNative(time.Time) (poller, error) { panic("ev: no native backend") }

func checkFD(int) error { return nil }
