package ev

import "context"

// Group is a set of tasks that end together, like a golang.org/x/sync/errgroup on one loop.
// The first error of a task stops the others, and no task outlives the one for which the
// group was made. The methods must be called on the loop's goroutine.
//
// A group does not end with the block that made it. For that, defer a Wait that has no time:
//
//	g := ev.NewGroup(t)
//	defer t.Within(0, g.Wait) // stops the tasks that are left
type Group struct {
	_        noCopy
	of       *Task
	oldest   *Task // the tasks that have not ended, in the order of their starts
	youngest *Task
	err      error  // the first one
	over     bool   // no new task begins
	next     *Group // in the groups of of, while there are tasks
}

// NewGroup makes a group of tasks that are stopped when t ends. It panics if t is nil.
func NewGroup(t *Task) *Group {
	if t == nil || t.loop == nil {
		panic("ev: NewGroup: nil task, or one that no constructor made")
	}
	return &Group{of: t}
}

func (g *Group) checkConstructed(method string) {
	if g.of == nil {
		panic("ev: Group." + method + ": a Group that NewGroup did not make")
	}
}

// Go starts fn as a task of the group. If a task of the group has failed, or the group's own
// task is not active, fn is not called, and Go returns a task that has ended with
// context.Canceled. It panics if fn is nil.
func (g *Group) Go(fn func(t *Task) error, opts ...Option) *Task {
	g.checkConstructed("Go")
	if fn == nil {
		panic("ev: Group.Go: nil function")
	}
	g.of.own("Group.Go")
	t := NewTask(g.of.loop, fn, opts...)
	if !g.over && g.of.index != 0 {
		t.Start()
	}
	if t.index != 0 {
		g.add(t)
		return t
	}
	t.done, t.err = true, context.Canceled
	if t.loop.isClosed() {
		t.err = ErrClosed
	}
	return t
}

// Wait waits until no task of the group is left, and returns the first error. If the wait
// itself fails, because the group's task is stopped or the deadline of Within has passed,
// Wait stops the tasks and returns that error. It must be called by the function of the
// group's task. A task that is stopped alone has the error context.Canceled, unless its
// function returns nil then.
func (g *Group) Wait() error {
	g.checkConstructed("Wait")
	t := g.of
	if err := t.mayWait("Group.Wait"); err != nil {
		g.stop()
		return err
	}
	if g.oldest != nil {
		if err := t.suspend(g, never); err != nil {
			g.stop()
			return err
		}
	}
	return g.err
}

func (g *Group) ready(*Task) bool { return g.oldest == nil }
func (g *Group) abandon(*Task)    {}
func (g *Group) method() string   { return "Group.Wait" }

func (g *Group) add(t *Task) {
	t.needSeldom().group = g
	if g.oldest == nil {
		g.oldest = t
		of := g.of.needSeldom()
		g.next, of.groups = of.groups, g
	} else {
		g.youngest.seldom.younger, t.seldom.older = t, g.youngest
	}
	g.youngest = t
}

// left is called when a task of the group has ended; on nil for one of no group.
func (g *Group) left(t *Task) {
	if g == nil {
		return
	}
	g.remove(t)
	if g.oldest == nil {
		g.delist()
		if g.of.source == source(g) {
			g.of.wake()
		}
	}
	if t.err != nil && !g.over {
		g.err = t.err
		g.stop()
	}
}

func (g *Group) remove(t *Task) {
	in := t.seldom
	if in.older != nil {
		in.older.seldom.younger = in.younger
	} else {
		g.oldest = in.younger
	}
	if in.younger != nil {
		in.younger.seldom.older = in.older
	} else {
		g.youngest = in.older
	}
	in.group, in.older, in.younger = nil, nil, nil
}

// delist has no effect when the group's task has ended.
func (g *Group) delist() {
	for at := &g.of.seldom.groups; *at != nil; at = &(*at).next {
		if *at == g {
			*at, g.next = g.next, nil
			return
		}
	}
}

// stopGroups empties the list of the groups of a task that has ended, and stops their tasks.
// A task that runs has ended the owner itself. It comes last, and ends when it has returned.
func stopGroups(list **Group) {
	g := *list
	*list = nil
	for of := g; of != nil; of = of.next {
		of.over = true
	}
	inAnyCase(nil, func() (more bool) {
		if g == nil {
			return false
		}
		of := g
		g, of.next = of.next, nil
		of.stop()
		return true
	})
}

// stop stops the tasks of the group. A task that runs, below on the stack, is only marked.
func (g *Group) stop() {
	g.over = true
	inAnyCase(nil, func() (more bool) {
		for t := g.oldest; t != nil; t = t.seldom.younger {
			if t.end.Load() == goesOn {
				t.interrupt(stopped)
				return true
			}
		}
		return false
	})
}
