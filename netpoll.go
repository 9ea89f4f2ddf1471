package ev

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// poller is the platform layer: a place for one goroutine to sleep. It knows
// nothing of Loop. Each platform's file lists its backends (backends, the
// recommended one first) and opens them (openNative). Every platform has the
// channel backend.
type poller interface {
	// park sleeps until a wake, or until base+until, which is later than base+now.
	// If until is never, there is no time limit. If files is set, a ready descriptor
	// ends the park too. park calls commit right before it sleeps, once a wake cannot
	// be missed any more, and returns at once if commit returns false. park may
	// return early without a reason. It may skip commit if the time has come. It does
	// not allocate.
	park(now, until time.Duration, files bool, commit func() bool)

	// wakeByFD ends the park by a system call, wakeByDeadline without one. Both are
	// safe for concurrent use, also during and after close, and use no closed
	// descriptor. If canWakeByFD returns false, wakeByFD is wakeByDeadline.
	wakeByFD()
	wakeByDeadline()
	canWakeByFD() bool

	// wakeWithin ends the park after d, unless wakeByFD ends it before. It is safe
	// for concurrent use, and must be called before wakeByFD.
	wakeWithin(d time.Duration)

	// openSet makes the set of descriptors, if there is none yet. It returns
	// errors.ErrUnsupported if the poller has no set. reopenSet replaces the set by
	// an empty one.
	openSet() error
	reopenSet() error

	// watch makes the set report these events of fd, with this generation. None
	// removes fd. known means that fd was added before. watch returns errAlwaysReady
	// for a regular file.
	watch(fd int, generation uint32, known bool, events Events) error

	// holds reports whether fd still denotes the file that the last watch added. fd
	// may be closed, or denote another file.
	holds(fd int, generation uint32, events Events) bool

	// poll looks at the set without waiting. found reports whether the last poll or
	// park found a descriptor ready. take returns those; the slice is valid until the
	// next one.
	poll()
	found() bool
	take() []readyFD

	// timerSets returns how often a kernel timer was set.
	timerSets() uint64

	// close closes the descriptors. It must not be called during a park.
	close() error
}

// readyFD is a descriptor that the poller found ready.
type readyFD struct {
	fd         int
	generation uint32
	events     Events
}

var errAlwaysReady = errors.New("always ready")

var errNoFiles = fmt.Errorf("this backend watches no descriptors: use BackendAuto, or read and write on a goroutine, with Go or Await: %w",
	errors.ErrUnsupported)

// noFiles is embedded in pollers that watch no descriptors.
type noFiles struct{}

func (noFiles) openSet() error                        { return errNoFiles }
func (noFiles) reopenSet() error                      { return errNoFiles }
func (noFiles) watch(int, uint32, bool, Events) error { return errNoFiles }
func (noFiles) holds(int, uint32, Events) bool        { return true }
func (noFiles) poll()                                 {}
func (noFiles) found() bool                           { return false }
func (noFiles) take() []readyFD                       { return nil }
func (noFiles) timerSets() uint64                     { return 0 }

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

// SupportedBackends returns the backends of this system, the recommended one
// first (ev_supported_backends).
func SupportedBackends() []Backend { return slices.Clone(backends) }

// RecommendedBackends returns the backends from which BackendAuto chooses
// (ev_recommended_backends).
func RecommendedBackends() []Backend { return slices.Clone(backends[:1]) }
