package ev

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// poller is the platform layer: a place for one goroutine to sleep. It knows
// nothing of the loop. Every platform's file says which backends it has
// (backends, the recommended one first) and opens them (openNative); the channel
// backend is everywhere.
type poller interface {
	// park sleeps until a wake or until base+until; never is no time limit. It
	// calls commit once, at the point after which no wake can be missed, and
	// returns at once if that is false. It may return early, for nothing, and
	// without calling commit when the time has come. It does not allocate.
	park(base time.Time, until time.Duration, commit func() bool)

	// write ends the park by a system call, ready without one. Any goroutine
	// may call them, also during and after close, when they touch no descriptor.
	// A poller that cannot write has only ready.
	write()
	ready()
	canWrite() bool

	// close frees the descriptors. Nobody is parked then.
	close() error
}

// farAway is the longest wait that is handed to the system as a deadline.
const farAway = 1 << 62 * time.Nanosecond

func openPoller(b Backend) (poller, Backend, error) {
	if b == BackendAuto {
		b = backends[0]
	}
	if !slices.Contains(backends, b) {
		return nil, b, fmt.Errorf("ev: New: backend %v on %s: %w", b, runtime.GOOS, errors.ErrUnsupported)
	}
	if b == BackendChan {
		return newChanPoller(), b, nil
	}
	p, err := openNative()
	if err != nil {
		return nil, b, fmt.Errorf("ev: New: %w", err)
	}
	return p, b, nil
}

// SupportedBackends returns the backends that New can make here, the
// recommended one first (ev_supported_backends).
func SupportedBackends() []Backend { return slices.Clone(backends) }

// RecommendedBackends returns what BackendAuto chooses from
// (ev_recommended_backends).
func RecommendedBackends() []Backend { return slices.Clone(backends[:1]) }
