package ev

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/atomic"

	"github.com/goevlib/ev/internal/goroutine"
)

// This file is the Runs that are active: how they begin, nest, are stopped and end. loop.go
// has the iteration.

// runState is the state that all Runs of a loop share. It is the loop goroutine's.
type runState struct {
	depth     int             // how many Runs are active
	ctx       context.Context // of the innermost
	iteration uint64
	collected uint64   // requests, ever
	reports   []func() // see makeReports
}

// makeReports calls the functions that were left to the beginning of this iteration. They
// may run user code, which must not run in the middle of the loop's own work. Until they
// are called, they keep Run going and the loop does not park. A panic leaves the rest to
// the next iteration.
func (l *Loop) makeReports() {
	for len(l.reports) > 0 {
		report := l.reports[0]
		l.reports = slices.Delete(l.reports, 0, 1)
		report()
	}
}

// runStack is the Runs that are active now. The order of locks is: embedding, then the
// mu of one mailbox, then the mu of one loop. With the latter held no other lock is taken,
// least of all another loop's mu.
type runStack struct {
	stopped atomic.Uint32 // 1: the innermost Run was asked to stop

	mu    sync.Mutex // it guards the rest, and hosted.delegated
	runs  []run      // the innermost last
	runID uint64     // of the last one that began
	owner uint64     // the goroutine in them, if it was looked up
}

// run is an active Run. A request to stop belongs to a Run. A Run that is entered later
// neither sees nor clears it.
type run struct {
	id   uint64
	stop bool
}

type runMode int

const (
	forever runMode = iota
	once
	noWait
)

var methodOf = [...]string{forever: "Run", once: "RunOnce", noWait: "RunNoWait"}

// interrupted reports whether the innermost Run must end.
func (l *Loop) interrupted() bool { return l.stopped.Load() != 0 || l.isClosed() }

// enter begins a Run and returns its id.
func (l *Loop) enter(mode runMode) (uint64, error) {
	var caller uint64
	if mode == forever || l.debug {
		caller = goroutine.ID()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return 0, ErrClosed
	}
	if l.delegated {
		return 0, fmt.Errorf("ev: %s: the loop is embedded, and its host is waiting for it", methodOf[mode])
	}
	if len(l.runs) > 0 && caller != 0 && l.owner != 0 && caller != l.owner && caller != l.running.Load() {
		err := fmt.Errorf("ev: %s: goroutine %d is running this loop already", methodOf[mode], l.owner)
		if l.name != "" {
			err = fmt.Errorf("%w (loop %q)", err, l.name)
		}
		return 0, err
	}
	if l.owner == 0 {
		l.owner = caller
	}
	l.runID++
	l.runs = append(l.runs, run{id: l.runID})
	l.depth = len(l.runs)
	l.stopped.Store(0)
	return l.runID, nil
}

// leave is deferred by run, and so called however the Run ends.
func (l *Loop) leave(mode runMode, outer context.Context, err *error) {
	l.ctx = outer
	l.now() // the time of the last poll, not of a call after the Run
	l.publish()
	l.tidy()
	if mode == forever && l.depth == 1 {
		l.shrinkAll()
	}
	if l.depth == 1 {
		l.endSpare()
		if l.advisor != nil {
			l.advisor.leaves()
		}
		if l.exposed.Load() != 0 {
			l.offer()
		}
	}
	ended, closed := l.endRun()
	if !ended {
		closed = l.finishRun(recover())
	}
	if closed {
		*err = ErrClosed
	}
}

// endRun ends the innermost Run and reports whether the loop is closed. It does not end
// the last Run while a teardown is left for it, which finishRun makes.
//
// A Close of an embedded loop marks it closed, then reads with mu held whether this Run is
// active, and if so leaves the teardown to it. If that read comes before endRun, then
// endRun finds the loop closed; else the read finds the Run ended.
func (l *Loop) endRun() (ended, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed = l.isClosed()
	last := len(l.runs) == 1
	if last && (closed && !l.freed || len(l.embedded.closed(nil)) > 0) {
		return false, closed
	}
	l.runs = l.runs[:len(l.runs)-1]
	l.depth = len(l.runs)
	l.mirrorStop()
	if last {
		l.owner = 0
	}
	return true, closed
}

// mirrorStop copies the innermost Run's request to stop to stopped, which the loop reads
// without the lock. It requires that mu is held.
func (l *Loop) mirrorStop() {
	stop := uint32(0)
	if n := len(l.runs); n > 0 && l.runs[n-1].stop {
		stop = 1
	}
	l.stopped.Store(stop)
}

// Stop makes the innermost Run return when the pass in progress is done (EVBREAK_ONE). It
// wakes a parked loop. While a Run is active a Stop is never lost; otherwise it has no
// effect. Any goroutine may call it.
func (l *Loop) Stop() {
	l.checkConstructed("Stop")
	l.adviseStop()
	l.stopRuns(func(i int, _ run) bool { return i == len(l.runs)-1 })
}

// StopAll makes every Run that is active now return (EVBREAK_ALL). Any goroutine may call
// it.
func (l *Loop) StopAll() {
	l.checkConstructed("StopAll")
	l.adviseStop()
	l.stopRuns(func(int, run) bool { return true })
}

// stopRun stops the Run with this id, if it is still active.
func (l *Loop) stopRun(id uint64) {
	l.stopRuns(func(_ int, r run) bool { return r.id == id })
}

func (l *Loop) stopRuns(which func(i int, r run) bool) {
	l.mu.Lock()
	for i := range l.runs {
		if which(i, l.runs[i]) {
			l.runs[i].stop = true
		}
	}
	l.mirrorStop()
	l.mu.Unlock()
	l.wake()
}
