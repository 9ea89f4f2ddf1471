//go:build unix

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"

	"github.com/goevlib/ev"
)

// nursery starts processes, one at a time, and watches them end.
type nursery struct {
	room    *room
	path    string
	begun   int // used on the loop's goroutine
	ended   int
	gone    chan struct{} // closed when no Child will watch any more
	waiting sync.WaitGroup
}

func newChildren(r *room) (*kind, error) {
	path, err := exec.LookPath("true")
	if err != nil {
		return nil, fmt.Errorf("a child to watch: %w", err)
	}
	n := &nursery{room: r, path: path, gone: make(chan struct{})}
	return &kind{name: "Child", turn: n.turn, settle: n.owed, free: n.free}, nil
}

func (n *nursery) turn() {
	if n.begun > n.ended || n.room.rng.IntN(16) != 0 { // processes are expensive
		return
	}
	n.begun++
	n.waiting.Go(n.beget)
}

// beget starts a process. It waits for the process when the loop has seen it end: on
// older systems only the first wait gets the exit status. It also waits if the loop is
// closed.
func (n *nursery) beget() {
	cmd := exec.Command(n.path)
	if err := cmd.Start(); err != nil {
		n.room.fault("%w", err)
		return
	}
	seen := make(chan struct{})
	if !n.room.refused(n.room.loop.Post(func() { n.watch(cmd.Process.Pid, seen) })) {
		select {
		case <-seen:
		case <-n.gone:
		}
	}
	if err := cmd.Wait(); err != nil {
		n.room.fault("%s: %w", n.path, err)
	}
}

func (n *nursery) watch(pid int, seen chan<- struct{}) {
	c := ev.NewChild(n.room.loop, pid, func(c *ev.Child) {
		if s := c.Status(); c.RPid() != pid || !s.Exited() || s.ExitStatus() != 0 {
			n.room.fault("Child: process %d: %d ended with %#x", pid, c.RPid(), s)
		}
		c.Stop()
		n.ended++
		close(seen)
	})
	if err := c.Start(); errors.Is(err, syscall.EMFILE) || n.room.refused(err) {
		n.room.fault("%w", err)
	}
}

func (n *nursery) owed() error {
	if n.begun != n.ended {
		return fmt.Errorf("%d processes were begun, and the end of %d was seen", n.begun, n.ended)
	}
	return nil
}

func (n *nursery) free() {
	close(n.gone)
	n.waiting.Wait()
}
