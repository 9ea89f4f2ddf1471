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

// mostFaults is how many faults are told in full.
const mostFaults = 20

// tally counts what the rooms do, and keeps what went wrong. Any goroutine may
// use it.
type tally struct {
	failed func() // called with each fault

	rooms atomic.Int64 // lived and closed
	sends atomic.Int64 // of all kinds that something is sent to

	mu     sync.Mutex
	loops  map[*ev.Loop]bool // open
	closed work              // what the closed ones did
	faults []error
	more   int // faults that are not told
}

// work is what loops did.
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

// watch prints a line each time that every has passed, until ctx is done, and
// returns what the process held at those times.
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
