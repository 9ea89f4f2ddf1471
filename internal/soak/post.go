package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// posts checks Post, Call and Go.
type posts struct {
	room   *room
	posted [pushers]atomic.Int64 // each is written by its pusher only
	ran    [pushers]int64        // used on the loop's goroutine, as is the rest
	begun  int64                 // by Go
	ended  int64
}

func newPosts(r *room) (*kind, error) {
	p := &posts{room: r}
	return &kind{name: "Post", load: p.load, turn: p.goOff, settle: p.owed}, nil
}

func (s *posts) load(p *pusher) {
	s.room.tally.sends.Add(1)
	if p.one(8) {
		s.call(p)
	} else {
		s.post(p)
	}
}

func (s *posts) post(p *pusher) {
	n := s.posted[p.id].Load() + 1
	err := s.room.loop.Post(func() {
		if want := s.ran[p.id] + 1; n != want {
			s.room.fault("Post: function %d of goroutine %d ran where %d was due", n, p.id, want)
		}
		s.ran[p.id] = n
	})
	if !s.room.refused(err) {
		s.posted[p.id].Store(n)
	}
}

// call waits for an answer, sometimes for too short a time.
func (s *posts) call(p *pusher) {
	ctx, hasty := p.ctx, p.one(4)
	if hasty {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(p.rng.IntN(int(50*time.Microsecond))))
		defer cancel()
	}
	want := p.rng.Int()
	got, err := ev.Call(ctx, s.room.loop, func() (int, error) { return want, nil })
	switch {
	case err == nil && got != want:
		s.room.fault("Call: the answer is %d instead of %d", got, want)
	case errors.Is(err, context.DeadlineExceeded) && hasty, errors.Is(err, context.Canceled) && p.ctx.Err() != nil:
	default:
		s.room.refused(err)
	}
}

func (s *posts) goOff() {
	s.begun++
	n, d := s.begun, time.Duration(s.room.rng.IntN(int(time.Millisecond)))
	work := func() (int64, error) { time.Sleep(d); return n, nil }
	ev.Go(s.room.loop, work, func(got int64, err error) {
		s.ended++
		if got != n || err != nil {
			s.room.fault("Go: work %d came back as %d, %v", n, got, err)
		}
	})
}

func (s *posts) owed() error {
	for p := range pushers {
		if posted := s.posted[p].Load(); s.ran[p] != posted {
			return fmt.Errorf("goroutine %d posted %d functions, and %d ran", p, posted, s.ran[p])
		}
	}
	if s.begun != s.ended {
		return fmt.Errorf("%d Gos were begun, and %d came back", s.begun, s.ended)
	}
	return nil
}
