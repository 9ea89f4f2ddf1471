//go:build !linux

package ev

// Relays are for files that only Linux has; see io_relay_linux.go.

type relays struct{}

func needsRelay(fd int) (bool, error) { return false, checkFD(fd) }

func (w *IO) holdRelays() error { return nil }
func (w *IO) dropRelays()       {}
func (w *IO) regard(bool)       {}

func (relays) verify([]file) error { return nil }

func (l *Loop) startRelay(int, *file) error { return nil }
func (f *files) stopRelay(int, *file)       { f.relays = relays{} }
