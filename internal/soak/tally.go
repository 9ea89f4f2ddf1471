package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// mostFaults is the number of faults that are printed in full.
const mostFaults = 20

// tally counts the work of the rooms and keeps the faults. It is safe for concurrent
// use.
type tally struct {
	failed func() // called with each fault

	rooms atomic.Int64 // lived and closed
	sends atomic.Int64 // of all kinds that have sends

	mu     sync.Mutex
	loops  map[*ev.Loop]bool // open
	closed work              // the work of the closed loops
	faults []error
	more   int // faults that are not printed
}

// work counts the work of loops.
type work struct{ iterations, parks, callbacks uint64 }

func (w work) plus(s ev.Stats) work {
	return work{w.iterations + s.Iterations, w.parks + s.Parks, w.callbacks + s.Callbacks}
}

func (t *tally) enter(l *ev.Loop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loops == nil {
		t.loops = make(map[*ev.Loop]bool)
	}
	t.loops[l] = true
}

func (t *tally) leave(l *ev.Loop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.loops, l)
	t.closed = t.closed.plus(l.Stats())
}

func (t *tally) done() work {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.closed
	for l := range t.loops {
		w = w.plus(l.Stats())
	}
	return w
}

func (t *tally) fault(format string, args ...any) {
	defer t.failed()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.faults) == mostFaults {
		t.more++
		return
	}
	t.faults = append(t.faults, fmt.Errorf(format, args...))
}

func (t *tally) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.more > 0 {
		return errors.Join(append(t.faults, fmt.Errorf("and %d more", t.more))...)
	}
	return errors.Join(t.faults...)
}

// watch prints a line at intervals until ctx is done. It returns the holdings at those
// times.
func (t *tally) watch(ctx context.Context, every time.Duration, out io.Writer) []holdings {
	var samples []holdings
	tick := time.NewTicker(every)
	defer tick.Stop()
	fmt.Fprintln(out, "    time iterations/s    parks/s    sends/s callbacks/s  heap KiB goroutines descriptors threads rooms")
	began, last, sent, did := time.Now(), time.Now(), t.sends.Load(), t.done()
	for {
		select {
		case <-ctx.Done():
			return samples
		case <-tick.C:
		}
		h := look()
		samples = append(samples, h)
		now, nowSent, nowDid := time.Now(), t.sends.Load(), t.done()
		per := func(n uint64) float64 { return float64(n) / now.Sub(last).Seconds() }
		fmt.Fprintf(out, "%7.1fs %12.0f %10.0f %10.0f %11.0f %9d %10d %11d %7d %5d\n", now.Sub(began).Seconds(),
			per(nowDid.iterations-did.iterations), per(nowDid.parks-did.parks), per(uint64(nowSent-sent)),
			per(nowDid.callbacks-did.callbacks), h.heap>>10, h.goroutines, h.descriptors, h.threads, t.rooms.Load())
		last, sent, did = now, nowSent, nowDid
	}
}
