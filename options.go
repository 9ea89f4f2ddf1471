package ev

import (
	"fmt"
	"log/slog"
	"time"
)

// Backend is the mechanism that a loop parks on. The numbers of BackendEpoll and BackendKqueue
// are libev's.
type Backend uint

const (
	// BackendAuto is the default: BackendEpoll on Linux, BackendKqueue on macOS and
	// the BSDs, BackendAFD on Windows, BackendChan elsewhere.
	BackendAuto Backend = 0
	// BackendEpoll parks on an eventfd in the Go runtime's epoll.
	BackendEpoll Backend = 4
	// BackendKqueue parks on a pipe in the Go runtime's kqueue.
	BackendKqueue Backend = 8
	// BackendAFD parks as BackendChan does. It watches sockets by polls of Windows's
	// socket driver, AFD: see IO. Until the first IO it has no handle and no goroutine.
	BackendAFD Backend = 0x100
	// BackendChan parks on a channel and a time.Timer, without a descriptor. It
	// exists on every system, and works in a testing/synctest bubble.
	BackendChan Backend = 0x200
)

// String returns "auto", "epoll", "kqueue", "afd" or "chan".
func (b Backend) String() string {
	switch b {
	case BackendAuto:
		return "auto"
	case BackendEpoll:
		return "epoll"
	case BackendKqueue:
		return "kqueue"
	case BackendAFD:
		return "afd"
	case BackendChan:
		return "chan"
	}
	return fmt.Sprintf("Backend(%#x)", uint(b))
}

// Wakeup selects how senders wake a parked loop. In every mode, a wake-up is made
// only while the loop is parked, and at most once per park.
type Wakeup uint

const (
	// WakeAuto measures how late wake-ups by WakeWrite and WakeDirect are, and takes the
	// mode that is less late. Now and then it tries the other: the more rarely, the later
	// that is. A write that is late is cut short by a deadline. While the loop's
	// iterations take microseconds, the loop also yields twice before it parks, so that
	// two loops that answer each other find each other awake.
	WakeAuto Wakeup = iota
	// WakeWrite writes to the descriptor: one system call, after which the kernel
	// tells the runtime's poller. It is best while a processor is idle. While all
	// processors are busy, the runtime polls only every 10 ms.
	WakeWrite
	// WakeDirect makes the runtime ready the loop's goroutine itself, as a send on a
	// channel does. It makes no system call.
	WakeDirect
)

// String returns "auto", "write" or "direct".
func (w Wakeup) String() string {
	switch w {
	case WakeAuto:
		return "auto"
	case WakeWrite:
		return "write"
	case WakeDirect:
		return "direct"
	}
	return fmt.Sprintf("Wakeup(%d)", uint(w))
}

// LoopOption configures a loop as New makes it.
type LoopOption interface{ applyTo(c *config) error }

// config is set by the options of New, and not changed after.
type config struct {
	name     string
	backend  Backend // of a loop, the one in use
	wakeup   Wakeup
	logger   *slog.Logger
	onPanic  func(w Watcher, v any, stack []byte)
	slow     time.Duration
	profiled bool // WithProfileLabels
}

// WithBackend selects the backend; BackendAuto is the default. If the system lacks
// it, New returns an error that wraps errors.ErrUnsupported.
func WithBackend(b Backend) LoopOption { return b }

// WithWakeup selects how senders wake the parked loop; WakeAuto is the default.
// BackendAFD and BackendChan ignore it.
func WithWakeup(w Wakeup) LoopOption { return w }

// WithName names the loop in logs, profiles and tools.
func WithName(name string) LoopOption { return loopName(name) }

// WithLogger sets the logger. The loop logs
//
//   - slow callbacks, by default to slog.Default();
//   - panics that WithPanicHandler recovers, by default not;
//   - panics of tasks that no panic handler gets, by default to slog.Default();
//   - a Scheduler's function that returns the past, by default to slog.Default(), or
//     not if there is a WithPanicHandler.
func WithLogger(logger *slog.Logger) LoopOption { return loggerOption{logger} }

// WithPanicHandler recovers panics of callbacks. It calls fn on the loop's goroutine
// with the watcher, the value of the panic and the stack; then the pass goes on with
// the next callback. w is nil for a function given to Post, Call or Go, and for a
// function of an Observer. Without a handler, a panic leaves Run with the rest still
// pending, and the loop can be run again or closed. runtime.Goexit ends the goroutine
// with or without a handler. fn is also called, with an error, when a Scheduler's
// function returns the past, which is no panic.
func WithPanicHandler(fn func(w Watcher, v any, stack []byte)) LoopOption {
	return panicHandler(fn)
}

// WithSlowCallback logs each callback that takes longer than d, with the watcher's
// name and the callback's position in the source. 0 turns it off, and is the
// default. It costs two readings of the clock per callback.
func WithSlowCallback(d time.Duration) LoopOption { return slowCallback(d) }

// WithProfileLabels sets pprof labels on the goroutine in Run, so that a CPU profile
// can be split by loop and by watcher. The label "loop" is the loop's name or number.
// In a callback, the label "watcher" is the watcher's kind and name; a watcher
// without a name has the position of its function instead.
//
// The labels are added to those of Run's context, and goroutines started in a callback
// inherit them. When Run returns, the goroutine has the labels of Run's context.
// RunNoWait and Embed.Sweep have no context, and outside of a Run they set no labels.
// It costs some tens of nanoseconds per callback.
func WithProfileLabels() LoopOption { return profileLabels{} }

type (
	profileLabels struct{}
	loopName      string
	loggerOption  struct{ *slog.Logger }
	panicHandler  func(w Watcher, v any, stack []byte)
	slowCallback  time.Duration
)

func (b Backend) applyTo(c *config) error { c.backend = b; return nil }

func (w Wakeup) applyTo(c *config) error {
	if w > WakeDirect {
		return fmt.Errorf("ev: WithWakeup: no such mode: %v", w)
	}
	c.wakeup = w
	return nil
}

func (profileLabels) applyTo(c *config) error {
	c.profiled = true
	return nil
}

func (n loopName) applyTo(c *config) error     { c.name = string(n); return nil }
func (o loggerOption) applyTo(c *config) error { c.logger = o.Logger; return nil }
func (fn panicHandler) applyTo(c *config) error {
	c.onPanic = fn
	return nil
}

func (d slowCallback) applyTo(c *config) error {
	if d < 0 {
		return fmt.Errorf("ev: WithSlowCallback: negative duration %v", time.Duration(d))
	}
	c.slow = time.Duration(d)
	return nil
}
