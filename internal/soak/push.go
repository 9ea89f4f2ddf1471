package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"
)

// pusher is a goroutine that loads a room.
type pusher struct {
	id  int
	ctx context.Context // done when the load is to end
	rng *rand.Rand      // used by this pusher only
}

// one reports true once in n times.
func (p *pusher) one(n int) bool { return p.rng.IntN(n) == 0 }

// push loads the room in bursts until ctx is done. Between bursts it does not rest, to
// keep the loop busy, or rests until the loop parks.
func (r *room) push(ctx context.Context, id int) {
	p := &pusher{id: id, ctx: ctx, rng: rand.New(rand.NewPCG(r.seed, uint64(id)+1))}
	var loads []func(*pusher)
	for _, k := range r.kinds {
		if k.load != nil {
			loads = append(loads, k.load)
		}
	}
	for ctx.Err() == nil {
		load := loads[p.rng.IntN(len(loads))]
		for range 1 + p.rng.IntN(64) {
			load(p)
		}
		switch p.rng.IntN(8) {
		case 0:
			time.Sleep(time.Duration(p.rng.IntN(int(20 * time.Millisecond))))
		case 1:
			runtime.Gosched()
		default:
			time.Sleep(time.Duration(p.rng.IntN(int(time.Millisecond))))
		}
	}
}
