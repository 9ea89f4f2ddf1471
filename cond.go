package ev

// Cond is a condition variable for the tasks of one loop, without a mutex: between the look
// at the condition and Wait nothing else runs.
//
//	for len(queue) == 0 {
//		if err := c.Wait(t); err != nil {
//			return err
//		}
//	}
//
// Its methods must be called on the loop's goroutine, and Wait by a task. They do not
// allocate.
type Cond struct {
	_ noCopy
	l *Loop
	line
}

// NewCond makes a condition variable. It panics if l is nil.
func NewCond(l *Loop) *Cond {
	if l == nil {
		panic("ev: NewCond: nil loop")
	}
	return &Cond{l: l}
}

func (c *Cond) checkConstructed(method string) {
	if c.l == nil {
		panic("ev: Cond." + method + ": a Cond that NewCond did not make")
	}
}

// Wait waits for a Signal or a Broadcast. Tasks are woken in the order in which they wait. It
// panics if t is of another loop.
func (c *Cond) Wait(t *Task) error {
	c.checkConstructed("Wait")
	t.mustBeOf(c.l, "Cond.Wait")
	if err := t.mayWait("Cond.Wait"); err != nil {
		return err
	}
	t.got = None
	c.push(t)
	return t.suspend(&c.line, never)
}

// Signal wakes the task that waits longest. If that task is stopped before it goes on, or
// its deadline has passed, the next one is woken instead. Without a task that waits, Signal
// has no effect.
func (c *Cond) Signal() {
	c.checkConstructed("Signal")
	c.l.own("Cond.Signal")
	c.signal()
}

// Broadcast wakes all tasks that wait.
func (c *Cond) Broadcast() {
	c.checkConstructed("Broadcast")
	c.l.own("Cond.Broadcast")
	c.wakeAll()
}

// line is the tasks that wait for a signal, which the first of them gets.
type line struct{ waiters }

func (s *line) signal() {
	for t := s.pop(); t != nil; t = s.pop() {
		if t.wake() {
			t.got = signalled
			return
		}
	}
}

// signalled is Task.got between a signal and the step, for the one task that has got it.
const signalled = Custom

func (s *line) method() string   { return "Cond.Wait" }
func (s *line) ready(*Task) bool { return false }

func (s *line) abandon(t *Task) {
	if !s.remove(t) && t.got == signalled {
		s.signal()
	}
}
