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
	// park sleeps until a wake or until base+until, which is later than base+now;
	// never is no time limit. With files it also ends when a descriptor is ready.
	// It calls commit whenever it is about to sleep, at the point after which no
	// wake can be missed, and returns at once if that is false. It may return
	// early, for nothing, and without calling commit when the time has come. It
	// does not allocate.
	park(now, until time.Duration, files bool, commit func() bool)

	// write ends the park by a system call, expire without one. Any goroutine
	// may call them, also during and after close, when they touch no descriptor.
	// A poller that cannot write has only expire.
	write()
	expire()
	canWrite() bool

	// expireAfter has the park end after d if a write has not ended it by then.
	// Any goroutine may call it; it must not be after the write.
	expireAfter(d time.Duration)

	// openSet makes the set of descriptors, if there is none yet. It fails with
	// errors.ErrUnsupported if there cannot be one. reopenSet makes a new, empty
	// one.
	openSet() error
	reopenSet() error

	// watch has the set report these events of fd, with this generation; None
	// takes fd out. known says that fd was put in before. It answers
	// errAlwaysReady for a regular file.
	watch(fd int, generation uint32, known bool, events Events) error

	// holds reports whether fd still is the file that the set was asked to watch,
	// by the last watch, under this number: for one that is open or was closed.
	holds(fd int, generation uint32, events Events) bool

	// poll looks at the set without waiting. take returns what the last poll or
	// park found ready, valid until the next.
	poll()
	take() []readyFD

	// settimes returns how often a timer of the kernel's was set.
	settimes() uint64

	// close frees the descriptors. Nobody is parked then.
	close() error
}

// readyFD is a descriptor that the poller found ready.
type readyFD struct {
	fd         int
	generation uint32
	events     Events
}

var errAlwaysReady = errors.New("always ready")

// noFiles is what a poller without descriptors does not do.
type noFiles struct{}

func (noFiles) openSet() error                        { return errors.ErrUnsupported }
func (noFiles) reopenSet() error                      { return errors.ErrUnsupported }
func (noFiles) watch(int, uint32, bool, Events) error { return errors.ErrUnsupported }
func (noFiles) holds(int, uint32, Events) bool        { return true }
func (noFiles) poll()                                 {}
func (noFiles) take() []readyFD                       { return nil }
func (noFiles) settimes() uint64                      { return 0 }

// farAway is the longest wait for which a timer is set.
const farAway = 1 << 62 * time.Nanosecond

// openPoller makes the poller of a loop that counts its time from base.
func openPoller(b Backend, base time.Time) (poller, Backend, error) {
	if b == BackendAuto {
		b = backends[0]
	}
	if !slices.Contains(backends, b) {
		return nil, b, fmt.Errorf("ev: New: backend %v on %s: %w", b, runtime.GOOS, errors.ErrUnsupported)
	}
	if b == BackendChan {
		return newChanPoller(base), b, nil
	}
	p, err := openNative(base)
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
