package ev

import (
	"errors"
	"fmt"
	"strings"
)

// Verify checks every invariant of the loop's structures (ev_verify). It returns an error
// that names all broken ones, or nil. It must be called on the loop's goroutine, and costs
// O(active + pending). An error is a bug in this package, or several goroutines have used
// the loop: EV_DEBUG=1 finds them.
func (l *Loop) Verify() error {
	l.own("Verify")
	return errors.Join(l.verifyActive(), l.verifyHooks(), l.files.verify(), l.requests.verify(),
		l.pending.verify(), l.timers.verify(), l.periodics.verify(), l.verifyEmbedded(), l.verifyTasks())
}

func (l *Loop) verifyActive() error {
	refs, hidden, timers := l.extra, 0, 0
	note := func(w *watcher) {
		switch {
		case w.hidden:
			hidden++
		case !w.weak:
			refs++
		}
	}
	for _, w := range l.active {
		note(w)
	}
	for a := range l.timers.all {
		if a.loop != l {
			return fmt.Errorf("ev: timer %d belongs to another loop", a.pos-1)
		}
		if a.index == inHeap {
			timers++
			note(&a.watcher)
		}
	}
	if timers != l.inHeap {
		return fmt.Errorf("ev: %d active timers; counted %d", l.inHeap, timers)
	}
	if refs != l.refs || hidden != l.hidden {
		return fmt.Errorf("ev: %d references and %d hidden watchers; counted %d and %d", l.refs, l.hidden, refs, hidden)
	}
	for i, w := range l.active {
		if int(w.index) != i+1 {
			return fmt.Errorf("ev: active watcher %d has index %d, want %d", i, w.index, i+1)
		}
		if w.loop != l {
			return fmt.Errorf("ev: active watcher %d belongs to another loop", i)
		}
		if a, ok := w.self.(interface{ armed() bool }); ok && !a.armed() {
			return fmt.Errorf("ev: active %s %d is not in the heap", strings.ToLower(kindOf(w.self)), i)
		}
	}
	return nil
}

func (l *Loop) verifyEmbedded() error {
	embedding.Lock()
	defer embedding.Unlock()
	for i, e := range l.embedded {
		away := (e.delegated || e.proxied) && !l.polling
		if e.index == 0 || e.other.host != l || away {
			return fmt.Errorf("ev: embedded loop %d: inconsistent host state", i)
		}
	}
	return nil
}

func (p *pending) verify() error {
	count, posts := 0, 0
	for level := range p.queues {
		q := &p.queues[level]
		if q.empty() != (p.filled&(1<<level) == 0) {
			return fmt.Errorf("ev: priority %d: empty is %v, which the bit mask denies", level+MinPriority, q.empty())
		}
		gaps := uint32(0)
		for at := q.head; at != q.tail; at++ {
			e := q.ring[at&q.mask()]
			switch {
			case e.job != nil:
				posts++
			case e.w == nil:
				gaps++
				continue
			case !e.w.pending || e.w.slot != at || int(e.w.priority) != level+MinPriority:
				return fmt.Errorf("ev: priority %d: the watcher in slot %d is not pending there", level+MinPriority, at)
			}
			count++
		}
		if gaps != p.gaps[level] {
			return fmt.Errorf("ev: priority %d: %d cleared slots; counted %d", level+MinPriority, p.gaps[level], gaps)
		}
	}
	if count != p.count || posts != p.posts {
		return fmt.Errorf("ev: %d pending, %d of them posted; counted %d and %d", p.count, p.posts, count, posts)
	}
	return nil
}

func (h *alarms) verify() error {
	vacant := 0
	for i, s := range h.heap {
		switch {
		case i > 0 && s.key < h.heap[(i-1)/4].key:
			return fmt.Errorf("ev: heap slot %d is due before its parent", i)
		case s.a == nil:
			vacant++
		case int(s.a.pos) != i+1:
			return fmt.Errorf("ev: heap slot %d holds an alarm with index %d, want %d", i, s.a.pos, i+1)
		case s.a.index == 0 || !s.a.armed():
			return fmt.Errorf("ev: heap slot %d holds an inactive alarm", i)
		case s.a.due < s.key:
			return fmt.Errorf("ev: heap slot %d holds an alarm that is due before its key", i)
		}
	}
	if vacant != h.vacant || vacant > len(h.heap)/2 {
		return fmt.Errorf("ev: %d of %d heap slots are vacant; counted %d", vacant, len(h.heap), h.vacant)
	}
	return nil
}

func (l *Loop) verifyHooks() error {
	lists := []hooks{l.prepares, l.checks, l.cleanups}
	for level, idles := range l.idle {
		lists = append(lists, idles)
		for _, w := range idles {
			if int(w.priority)-MinPriority != level {
				return fmt.Errorf("ev: an Idle of priority %d is in the list of %d", w.priority, level+MinPriority)
			}
		}
	}
	seen := make(map[*watcher]bool)
	for _, list := range lists {
		for _, w := range list {
			if w.index == 0 || seen[w] {
				return fmt.Errorf("ev: %s: inactive, or listed twice", strings.ToLower(kindOf(w.self)))
			}
			seen[w] = true
		}
	}
	return nil
}

func (f *files) verify() error {
	count, changed, always := 0, 0, 0
	for fd := range f.table {
		e := &f.table[fd]
		for w := e.first; w != nil; w = w.next {
			if w.index == 0 || w.fd != fd {
				return fmt.Errorf("ev: descriptor %d has an IO that is inactive or for %d", fd, w.fd)
			}
			count++
		}
		if e.changed {
			changed++
		}
		if e.always {
			always++
		}
	}
	if count != f.count || changed != len(f.changed) || always != len(f.always) {
		return fmt.Errorf("ev: %d IOs, %d changed and %d always ready descriptors; counted %d, %d and %d",
			f.count, len(f.changed), len(f.always), count, changed, always)
	}
	return f.relays.verify(f.table)
}

func (q *requests) verify() error {
	numbers := 0
	for i, r := range q.all {
		if r == nil {
			continue
		}
		numbers++
		if int(r.number()) != i+1 {
			return fmt.Errorf("ev: request %d has number %d, want %d", i+1, r.number(), i+1)
		}
		if r.label == q.taken {
			return fmt.Errorf("ev: request %d has the label of the last that was taken", i+1)
		}
		if r.w != nil && r.w.index == 0 && r.state.Load()&linked == 0 {
			return fmt.Errorf("ev: request %d is neither active nor linked", i+1)
		}
	}
	if numbers+len(q.free) != len(q.all) {
		return fmt.Errorf("ev: of %d requests %d are in use and %d free", len(q.all), numbers, len(q.free))
	}
	return nil
}

// verifyTasks asks the kinds that have more to check.
func (l *Loop) verifyTasks() error {
	if t := l.task; t != nil && (!t.running || t.on.goroutineID() != l.running.Load()) {
		return errors.New("ev: the task of the loop does not run")
	}
	for _, c := range l.spare {
		if c.task != nil {
			return errors.New("ev: a spare coroutine has a task")
		}
	}
	for i, w := range l.active {
		v, ok := w.self.(interface{ verify() error })
		if !ok {
			continue
		}
		if err := v.verify(); err != nil {
			return fmt.Errorf("ev: active %s %d: %w", strings.ToLower(kindOf(w.self)), i, err)
		}
	}
	return nil
}

func (t *Task) verify() error {
	waits := t.on != nil && !t.running
	switch {
	case t.done || t.end.Load() == returned:
		return errors.New("it has ended")
	case t.on != nil && t.on.task != t:
		return errors.New("its coroutine has another task")
	case t.on == nil && (t.running || !t.over):
		return errors.New("it is not to begin, and has no coroutine")
	case !waits && (t.source != nil || t.alarm.armed()):
		return errors.New("it does not wait, and has a source or a deadline")
	case !waits && t.prev != nil:
		return errors.New("it does not wait, and is in a queue")
	case t.io != nil && t.io.index != 0 && !t.running && t.source != source(t.io):
		return errors.New("its IO is active, and it does not wait for that")
	}
	if v, ok := t.source.(interface{ verify(t *Task) error }); ok {
		if err := v.verify(t); err != nil {
			return err
		}
	}
	return t.verifyGroups()
}

// verifyGroups checks the task's place in its group, and the groups of its own.
func (t *Task) verifyGroups() error {
	s := t.seldom
	if s == nil {
		return nil
	}
	if g := s.group; g != nil {
		first, last := s.older == nil, s.younger == nil
		switch {
		case first != (g.oldest == t), last != (g.youngest == t),
			!first && (s.older.seldom == nil || s.older.seldom.younger != t),
			!last && (s.younger.seldom == nil || s.younger.seldom.older != t):
			return errors.New("it is not in its group")
		}
	}
	for g := s.groups; g != nil; g = g.next {
		if g.of != t || g.oldest == nil {
			return errors.New("it has a group that is empty or of another task")
		}
		for m := g.oldest; m != nil; m = m.seldom.younger {
			if m.seldom == nil || m.seldom.group != g || m.index == 0 && !m.done {
				return errors.New("it has a group with a task that is inactive or of another group")
			}
		}
	}
	return nil
}

// verify checks the queue, for its first task, and that t is in it or was woken.
func (q *waiters) verify(t *Task, woken bool, s source) error {
	if t.prev == nil {
		if !woken {
			return errors.New("it waits in no queue")
		}
		return nil
	}
	if q.first == nil {
		return errors.New("it is not in its queue")
	}
	if t != q.first {
		return nil
	}
	last := q.first.prev
	for ; t != nil; t = t.next {
		if t.source != s || t.next != nil && t.next.prev != t || t.next == nil && t != last {
			return errors.New("in its queue is a task that waits elsewhere, or a wrong link")
		}
	}
	return nil
}

func (j *joined) verify(t *Task) error {
	if j.done && !t.over {
		return errors.New("it waits for a task that has ended")
	}
	return j.joining.verify(t, t.over, j)
}

func (s *line) verify(t *Task) error { return s.waiters.verify(t, t.over, s) }

func (m *Mailbox[T]) verify(t *Task) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.promised > m.items.len() || m.receivers.first != nil && (m.closed || m.promised < m.items.len()) {
		return errors.New("its mailbox has a value for a task that waits")
	}
	return m.receivers.verify(t, t.got == signalled || m.closed, m)
}
