//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package ev

var backends = []Backend{BackendChan}

func openNative() (poller, error) { panic("ev: no native backend") }

func checkFD(int) error { return nil }
