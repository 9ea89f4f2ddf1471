package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// visitors is the number of rooms that come and go beside the permanent ones.
const visitors = 2

// soak makes the whole run. The first fault ends it. All its goroutines have ended when
// it returns.
func soak(ctx context.Context, length time.Duration, seed uint64, out io.Writer) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &house{dir: dir, rng: rand.New(rand.NewPCG(seed, 0)), tally: &tally{failed: cancel}}

	s.warmUp(ctx)
	before := look()
	ctx, ended := context.WithTimeout(ctx, length)
	defer ended()
	living := s.open(ctx)
	samples := s.tally.watch(ctx, min(time.Second, length/20), out)
	living.Wait()
	if err := s.tally.err(); err != nil {
		return err
	}
	err = errors.Join(grown(samples), left(before))
	if err == nil {
		fmt.Fprintf(out, "%d rooms, %d sends, %d callbacks: nothing is broken, nothing grew\n",
			s.tally.rooms.Load(), s.tally.sends.Load(), s.tally.done().callbacks)
	}
	return err
}

// house has all rooms.
type house struct {
	dir   string
	tally *tally

	mu  sync.Mutex
	rng *rand.Rand // guarded by mu
}

// flavour is a backend and a wake mode.
type flavour struct {
	backend ev.Backend
	mode    ev.Wakeup
}

func flavours() []flavour {
	var all []flavour
	for _, b := range ev.SupportedBackends() {
		if b == ev.BackendChan || b == ev.BackendAFD { // they ignore the mode
			all = append(all, flavour{b, ev.WakeAuto})
			continue
		}
		all = append(all, flavour{b, ev.WakeAuto}, flavour{b, ev.WakeWrite}, flavour{b, ev.WakeDirect})
	}
	return all
}

// warmUp makes the runtime and the standard library open the resources that they never
// close.
func (h *house) warmUp(ctx context.Context) {
	for _, f := range flavours() {
		h.visit(ctx, f, 200*time.Millisecond, false)
	}
}

// open fills the house with rooms until ctx is done. One room of each flavour stays,
// others come and go.
func (h *house) open(ctx context.Context) *sync.WaitGroup {
	var living sync.WaitGroup
	for _, f := range flavours() {
		living.Go(func() { h.live(ctx, f, false) })
	}
	for range visitors {
		living.Go(func() {
			for ctx.Err() == nil {
				f, d, abrupt := h.choose()
				h.visit(ctx, f, d, abrupt)
			}
		})
	}
	return &living
}

func (h *house) choose() (f flavour, d time.Duration, abrupt bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := flavours()
	return all[h.rng.IntN(len(all))], time.Duration(h.rng.IntN(int(time.Second))), h.rng.IntN(2) == 0
}

func (h *house) visit(ctx context.Context, f flavour, d time.Duration, abrupt bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	h.live(ctx, f, abrupt)
}

// live is the life of one room.
func (h *house) live(ctx context.Context, f flavour, abrupt bool) {
	h.mu.Lock()
	seed := h.rng.Uint64()
	h.mu.Unlock()
	r, err := openRoom(f, h.dir, seed, h.tally)
	if err != nil {
		h.tally.fault("%v %v: %v", f.backend, f.mode, err)
		return
	}
	r.live(ctx, abrupt)
	h.tally.rooms.Add(1)
}

// grown compares the last fifth of the samples with the second. The first fifth is for
// warming up.
func grown(samples []holdings) error {
	fifth := len(samples) / 5
	if fifth == 0 {
		return fmt.Errorf("%d samples are too few to see something grow", len(samples))
	}
	return compare("grew", median(samples[fifth:2*fifth]), median(samples[len(samples)-fifth:]), whileLiving)
}

// left compares the resources after all rooms are closed with those before the first.
// Goroutines that end, and memory with finalizers, take a moment to go.
func left(before holdings) error {
	var err error
	for range 100 {
		if err = compare("left behind", before, look(), afterwards); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
