package ev

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"
	"weak"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/advice"
	"github.com/goevlib/ev/internal/goroutine"
)

// advisor makes the remarks of EV_DEBUG=1: about what is no misuse, and yet hardly what was meant.
// Each says what to do instead, and goes to the loop's logger. A loop made without EV_DEBUG=1 has
// none. An advisor does not refer to its loop, which would never be collected.
type advisor struct {
	loop   string
	logger *slog.Logger // nil is slog.Default

	mu     sync.Mutex
	unused map[weak.Pointer[watcher]]string // watchers that were never started, and where each was made
	ran    bool                             // in a Run, ever
	rests  time.Time                        // since when nobody runs the loop; zero: somebody does
	told   bool                             // of sends to a loop that rests
	hosts  int                              // Embeds of this loop
}

const (
	adviseSlow = 100 * time.Millisecond // callbacks that take longer are remarked on
	adviseRest = time.Second            // so are sends to a loop that rests for longer
)

func newAdvisor(c *config) *advisor {
	return &advisor{loop: c.name, logger: c.logger, unused: map[weak.Pointer[watcher]]string{}, rests: time.Now()}
}

// say may be called where a panic of the logger would end the process.
func (a *advisor) say(remark string, args ...any) {
	defer func() { _ = recover() }()
	logger := a.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("ev: "+remark, append([]any{"loop", a.loop}, args...)...)
}

// made notes a new watcher. It is of no use once it is collected.
func (a *advisor) made(w *watcher) {
	switch w.self.(type) {
	case interface{ Start() }, interface{ Start() error }:
	default:
		return // a Task, which runs from the beginning, or what is the loop's own
	}
	key, where := weak.Make(w), kindOf(w.self)+" "+w.name+" made at "+outside()
	a.mu.Lock()
	a.unused[key] = where
	a.mu.Unlock()
	runtime.AddCleanup(w, a.collected, key)
}

func (a *advisor) collected(key weak.Pointer[watcher]) {
	a.mu.Lock()
	where, unused := a.unused[key]
	delete(a.unused, key)
	a.mu.Unlock()
	if unused {
		a.say("a watcher was never started, and is garbage now: "+advice.NeverStarted, "watcher", where)
	}
}

// used notes a method of a watcher. After most of them, the watcher was of some use.
func (a *advisor) used(w *watcher, method string) {
	switch method {
	case "Start", "Reset", "Arm", "Feed", "Invoke":
		a.mu.Lock()
		delete(a.unused, weak.Make(w))
		a.mu.Unlock()
	}
}

// forget is for a loop that several goroutines own, which is not checked.
func (a *advisor) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.unused)
}

// outside returns where this package was called from.
func outside() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "github.com/goevlib/ev.") {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
	}
}

// enters notes a Run, leaves the end of the outermost one.
func (a *advisor) enters() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ran, a.rests, a.told = true, time.Time{}, false
}

func (a *advisor) leaves() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rests = time.Now()
}

// hosted notes that an Embed of the loop was started, or stopped. Its host runs the loop.
func (a *advisor) hosted(change int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts += change
	if !a.rests.IsZero() {
		a.rests = time.Now()
	}
}

// sent remarks, once, on a Send or a Post to a loop that nobody runs.
func (a *advisor) sent() {
	a.mu.Lock()
	rested := !a.rests.IsZero() && a.hosts == 0 && time.Since(a.rests) > adviseRest
	told := a.told
	a.told = told || rested
	a.mu.Unlock()
	if rested && !told {
		a.say("a Send or a Post to a loop that nobody runs: call Run, on a goroutine of its own")
	}
}

// adviseStop remarks on a Stop that comes before any Run.
func (l *Loop) adviseStop() {
	a := l.advisor
	if a == nil {
		return
	}
	a.mu.Lock()
	ran := a.ran
	a.mu.Unlock()
	if !ran {
		a.say("Stop before Run has no effect: cancel the context of Run instead")
	}
}

// adviseRun remarks on a Run that will return at once.
func (l *Loop) adviseRun() {
	if l.depth == 1 && !l.alive() && l.pending.count == 0 && l.requests.empty() {
		l.advisor.say("Run returns at once, because no watcher is active and no posted function waits: " +
			"Start a watcher before Run, or call Ref")
	}
}

// startError is the error of Start. EV_DEBUG=1 logs it too: many a program does not look at it.
func (w *watcher) startError(err error) error {
	err = fmt.Errorf("ev: %s.Start: %w", kindOf(w.self), err)
	if a := w.loop.advisor; a != nil {
		a.say("Start has failed, and the watcher is not active: "+advice.StartFailed,
			"watcher", w.name, "error", err, "at", outside())
	}
	return err
}

// watchSlow begins a callback, and end ends it. A callback that goes on for long is remarked on
// while it does, with its stack. A Run inside of it makes callbacks of its own.
func (l *Loop) watchSlow(c Callback) (end func()) {
	var over atomic.Bool
	caller, depth := goroutine.ID(), l.depth
	timer := time.AfterFunc(adviseSlow, func() {
		running := l.running.Load() // of a task that the callback is a step of
		stacks := goroutine.Stacks(running, caller)
		l.mu.Lock()
		nested := len(l.runs) > depth
		l.mu.Unlock()
		if over.Load() || nested {
			return
		}
		if stacks[0] == "" {
			stacks[0] = stacks[1]
		}
		l.advisor.say("a callback holds the loop for 100 ms and more: "+advice.Blocks, "callback", c.String(), "stack", stacks[0])
	})
	return func() {
		over.Store(true)
		timer.Stop()
	}
}
