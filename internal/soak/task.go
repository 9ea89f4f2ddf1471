package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// tasks are workers that receive from a Mailbox, sleep and await, and are stopped and
// started at random. Each item must come once, and each signal for a steady task too.
type tasks struct {
	room    *room
	mail    *ev.Mailbox[numbered]
	sent    [pushers]atomic.Int64 // each is written by its pusher only
	took    [pushers]int64        // used on the loop's goroutine, as is the rest
	workers []*ev.Task
	cond    *ev.Cond
	given   int64 // signals
	came    int64
	waiting int // steady tasks in Cond.Wait
	awaited atomic.Int64
}

const steady = 4

func newTasks(r *room) (*kind, error) {
	s := &tasks{room: r, mail: ev.NewMailbox[numbered](r.loop, 256), cond: ev.NewCond(r.loop)}
	const workers = 12
	for n := range workers {
		w := ev.NewTask(r.loop, func(t *ev.Task) error { return s.work(t, n) }, ev.Priority(ev.MinPriority+r.rng.IntN(5)))
		w.Start()
		s.workers = append(s.workers, w)
	}
	for range steady {
		ev.Spawn(r.loop, s.wait)
	}
	return &kind{name: "Task", load: s.send, turn: s.turn, settle: s.owed, free: s.free}, nil
}

func (s *tasks) send(p *pusher) {
	s.room.tally.sends.Add(1)
	n := s.sent[p.id].Load() + 1
	err := s.mail.Send(numbered{p.id, n})
	if errors.Is(err, ev.ErrFull) || s.room.refused(err) {
		return
	}
	s.sent[p.id].Store(n)
}

// work is a worker. What it has received counts even if it is stopped right after.
func (s *tasks) work(t *ev.Task, n int) error {
	rng := s.room.rng
	for {
		err := t.Within(time.Duration(1+rng.IntN(int(10*time.Millisecond))), func() error {
			item, err := s.mail.Receive(t)
			if err == nil {
				s.take(item)
			}
			return err
		})
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			err = nil
		case errors.Is(err, io.EOF):
			s.room.fault("Mailbox: EOF before Close")
			return err
		}
		if err == nil {
			err = s.rest(t, rng.IntN(16))
		}
		if err != nil {
			return err
		}
	}
}

func (s *tasks) take(item numbered) {
	if want := s.took[item.pusher] + 1; item.n != want {
		s.room.fault("Mailbox: item %d of sender %d came where %d was due", item.n, item.pusher, want)
	}
	s.took[item.pusher] = item.n
}

// rest is one of the other waits, now and then.
func (s *tasks) rest(t *ev.Task, n int) error {
	switch n {
	case 0:
		return t.Yield()
	case 1:
		return t.Sleep(time.Duration(s.room.rng.IntN(int(time.Millisecond))))
	case 2:
		s.awaited.Add(1)
		want := s.room.rng.Int()
		got, err := ev.Await(t, func(context.Context) (int, error) {
			defer s.awaited.Add(-1)
			return want, nil
		})
		if err == nil && got != want {
			s.room.fault("Await: %d instead of %d", got, want)
		}
		return err
	case 3:
		g := ev.NewGroup(t)
		ended := 0
		for i := range 3 {
			g.Go(func(t *ev.Task) error {
				defer func() { ended++ }()
				if i == 2 {
					return errEnough
				}
				return t.Sleep(time.Hour)
			})
		}
		err := g.Wait()
		if errors.Is(err, errEnough) && ended != 3 {
			s.room.fault("Group: %d of 3 tasks have ended after Wait", ended)
		}
		if errors.Is(err, errEnough) {
			err = nil
		}
		return err
	}
	return nil
}

var errEnough = errors.New("enough")

// wait is a steady task.
func (s *tasks) wait(t *ev.Task) error {
	for {
		s.waiting++
		err := s.cond.Wait(t)
		s.waiting--
		if err != nil {
			return err
		}
		s.came++
	}
}

// turn stops and starts workers, and gives signals if the steady tasks wait.
func (s *tasks) turn() {
	rng := s.room.rng
	for range 8 {
		w := s.workers[rng.IntN(len(s.workers))]
		if w.Stop(); w.Active() || !w.Done() {
			s.room.fault("Task: active after Stop")
		}
		w.Start()
	}
	if s.given == s.came && s.waiting == steady {
		for range steady {
			s.given++
			s.cond.Signal()
		}
	}
}

func (s *tasks) owed() error {
	for p := range pushers {
		if sent := s.sent[p].Load(); s.took[p] != sent {
			return fmt.Errorf("sender %d sent %d items, and %d came; %d are in the mailbox", p, sent, s.took[p], s.mail.Len())
		}
	}
	if s.given != s.came {
		return fmt.Errorf("%d signals were given, and %d came", s.given, s.came)
	}
	if n := s.awaited.Load(); n != 0 {
		return fmt.Errorf("%d goroutines of Await have not ended", n)
	}
	return nil
}

// free checks that the end of the loop has ended the tasks.
func (s *tasks) free() {
	for _, w := range s.workers {
		if w.Active() || !w.Done() {
			s.room.fault("Task: active after Close")
		}
	}
	if s.waiting != 0 {
		s.room.fault("Task: %d tasks wait after Close", s.waiting)
	}
}
