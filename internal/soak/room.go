package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// pushers is the number of goroutines that load a room.
const pushers = 3

// patience bounds the wait for a promise after the load has ended. It is long enough
// for a loaded machine.
const patience = 30 * time.Second

// room is one loop with all kinds of watchers at work.
type room struct {
	flavour
	loop      *ev.Loop
	dir       string // the room's own
	tally     *tally
	seed      uint64
	rng       *rand.Rand // the loop goroutine's
	conductor *ev.Timer
	kinds     []*kind
	closing   atomic.Bool // from now on ErrClosed is a valid answer
}

// kind is one kind of watcher at work in a room. The file with its name makes it.
// Functions that it does not need are nil.
type kind struct {
	name   string
	load   func(p *pusher) // some work, from several goroutines at a time
	turn   func()          // on the loop, now and then: starts and stops
	settle func() error    // on the loop, after the last load and turn: returns an error while something is outstanding
	free   func()          // after the loop was closed
}

// makers make the kinds. One returns nil where the backend lacks its kind.
var makers = append([]func(*room) (*kind, error){
	newHooks, newAsyncs, newQueues, newPosts, newTimers, newPeriodics, newStats, newEmbeds, newNotifiers, newBells, newTasks,
}, systemMakers...)

func openRoom(f flavour, dir string, seed uint64, t *tally) (*room, error) {
	own, err := os.MkdirTemp(dir, "room")
	if err != nil {
		return nil, err
	}
	l, err := ev.New(ev.WithBackend(f.backend), ev.WithWakeup(f.mode))
	if err != nil {
		return nil, err
	}
	r := &room{flavour: f, loop: l, dir: own, tally: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
	r.conductor = ev.NewTimer(l, 0, 2*time.Millisecond, r.conduct)
	r.conductor.Start()
	t.enter(l)
	for _, makeKind := range makers {
		k, err := makeKind(r)
		if err != nil {
			r.close()
			return nil, err
		}
		if k != nil {
			r.kinds = append(r.kinds, k)
		}
	}
	return r, nil
}

// conduct gives one kind its turn.
func (r *room) conduct(*ev.Timer) {
	if k := r.kinds[r.rng.IntN(len(r.kinds))]; k.turn != nil {
		k.turn()
	}
}

// live loads the room until ctx is done. Then the load ends, and all outstanding events
// must come. If abrupt is true, the loop is closed under load instead.
func (r *room) live(ctx context.Context, abrupt bool) {
	ran := make(chan error, 1)
	go func() { ran <- r.loop.Run(context.Background()) }()
	loaded, stop := context.WithCancel(context.Background())
	defer stop()
	var pushing sync.WaitGroup
	for id := range pushers {
		pushing.Go(func() { r.push(loaded, id) })
	}
	<-ctx.Done()
	if abrupt {
		r.shut()
		time.Sleep(5 * time.Millisecond) // the load goes on, on a closed loop
	}
	stop()
	pushing.Wait()
	if !abrupt {
		r.settle()
		r.shut()
	}
	if err := <-ran; !errors.Is(err, ev.ErrClosed) {
		r.fault("Run returned %v", err)
	}
	r.close()
}

func (r *room) shut() {
	r.closing.Store(true)
	if err := r.loop.Close(); err != nil {
		r.fault("Close: %v", err)
	}
}

// close frees the resources of the room, and the loop if it never ran.
func (r *room) close() {
	r.shut()
	r.tally.leave(r.loop)
	for _, k := range r.kinds {
		if k.free != nil {
			k.free()
		}
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.fault("%v", err)
	}
}

// settle waits until nothing is outstanding.
func (r *room) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var owed error
	for {
		now, err := ev.Call(ctx, r.loop, func() (error, error) { return r.owed(), nil })
		if err != nil {
			r.fault("%v after the load: %w", patience, errors.Join(err, owed))
			return
		}
		if owed = now; owed == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *room) owed() error {
	r.conductor.Stop()
	var errs []error
	for _, k := range r.kinds {
		if k.settle == nil {
			continue
		}
		if err := k.settle(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.name, err))
		}
	}
	return errors.Join(errs...)
}

func (r *room) fault(format string, args ...any) {
	r.tally.fault("%v %v: %w", r.backend, r.mode, fmt.Errorf(format, args...))
}

// refused reports whether err is an error. ErrClosed is not a fault while the loop is
// being closed.
func (r *room) refused(err error) bool {
	if err != nil && !(errors.Is(err, ev.ErrClosed) && r.closing.Load()) {
		r.fault("refused: %w", err)
	}
	return err != nil
}
