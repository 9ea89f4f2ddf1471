package ev

import (
	"io"
	"sync"
)

// Mailbox carries values to tasks, first come, first served. Any goroutine may Send. Tasks of
// the mailbox's loop may Receive. Each value goes to one task. If that task is stopped before
// it has taken the value, the next task gets it.
//
// Use it like a channel that a task can wait for. A Queue gives values to a callback, in
// batches.
type Mailbox[T any] struct {
	_     noCopy
	l     *Loop
	limit int

	// Guarded by mu, as are prev, next and got of the tasks that wait here. A task that has
	// been told of an item is out of receivers, and got says so. It takes the item in its
	// step. Nobody else takes it before:
	//
	//	promised <= len(items), and receivers is empty unless they are equal.
	mu        sync.Mutex
	items     items[T]
	promised  int
	receivers waiters
	closed    bool
}

// NewMailbox makes a mailbox that holds up to limit values; 0 is no limit. It panics if l is
// nil or limit is negative.
func NewMailbox[T any](l *Loop, limit int) *Mailbox[T] {
	if l == nil {
		panic("ev: NewMailbox: nil loop")
	}
	if limit < 0 {
		panic("ev: NewMailbox: negative limit")
	}
	return &Mailbox[T]{l: l, limit: limit}
}

func (m *Mailbox[T]) checkConstructed(method string) {
	if m.l == nil {
		panic("ev: Mailbox." + method + ": a Mailbox that NewMailbox did not make")
	}
}

// Send adds v. It is safe for concurrent use, and does not wait. It returns ErrFull if the
// mailbox holds its limit, and ErrClosed after Close of the mailbox or of the loop. v is not
// added then.
func (m *Mailbox[T]) Send(v T) error {
	m.checkConstructed("Send")
	m.mu.Lock()
	switch {
	case m.closed || m.l.isClosed():
		m.mu.Unlock()
		return ErrClosed
	case m.limit > 0 && m.items.len() >= m.limit:
		m.mu.Unlock()
		return ErrFull
	}
	m.items.push(v)
	t := m.promise()
	m.mu.Unlock()
	if t != nil {
		t.send(m.l)
	}
	return nil
}

// promise gives an item that nobody was told of to the task that waits longest. The caller,
// who holds mu, has to send that task its request after.
func (m *Mailbox[T]) promise() *Task {
	if m.items.len() == m.promised {
		return nil
	}
	t := m.receivers.pop()
	if t != nil {
		t.got = signalled
		m.promised++
	}
	return t
}

// Receive waits for a value and takes it. If there is one, Receive returns at once, but it
// yields after each 64 values: a mailbox that is never empty starves nobody. After Close,
// Receive takes the values that are left, and then returns io.EOF. It panics if t is of
// another loop.
func (m *Mailbox[T]) Receive(t *Task) (T, error) {
	m.checkConstructed("Receive")
	t.mustBeOf(m.l, "Mailbox.Receive")
	var zero T
	if err := t.mayWait("Mailbox.Receive"); err != nil {
		return zero, err
	}
	if err := t.spend(); err != nil {
		return zero, err
	}
	if v, ok, closed := m.take(t); ok {
		return v, nil
	} else if closed {
		return zero, io.EOF
	}
	if err := t.suspend(m, never); err != nil {
		return zero, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case t.got == signalled:
		m.promised--
	case m.items.len() == m.promised:
		return zero, io.EOF // Close has come
	}
	return m.items.pop(), nil
}

// take takes the oldest item, if there is one that nobody was told of: so values are taken
// in the order in which they came, whichever task takes them. Without one it puts t, if it
// is not nil, in the line, unless the mailbox is closed.
func (m *Mailbox[T]) take(t *Task) (v T, ok, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items.len() > m.promised {
		return m.items.pop(), true, m.closed
	}
	if t != nil && !m.closed {
		t.got = None
		m.receivers.push(t)
	}
	return v, false, m.closed
}

// TryReceive takes a value if there is one. It does not take a value for which a waiting task
// was woken. It must be called on the loop's goroutine, by a task or a callback.
func (m *Mailbox[T]) TryReceive() (T, bool) {
	m.checkConstructed("TryReceive")
	m.l.own("Mailbox.TryReceive")
	v, ok, _ := m.take(nil)
	return v, ok
}

// Len returns how many values wait. It is safe for concurrent use.
func (m *Mailbox[T]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items.len()
}

// Close ends the mailbox: Send fails, and Receive returns io.EOF when no value is left. It is
// safe for concurrent use. Further calls have no effect.
func (m *Mailbox[T]) Close() {
	m.mu.Lock()
	m.closed = true
	var told []*Task
	for t := m.receivers.pop(); t != nil; t = m.receivers.pop() {
		told = append(told, t)
	}
	m.mu.Unlock()
	for _, t := range told {
		t.send(m.l)
	}
}

func (m *Mailbox[T]) method() string { return "Mailbox.Receive" }

// ready reports whether the task was told of an item, or of Close.
func (m *Mailbox[T]) ready(t *Task) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.prev == nil
}

func (m *Mailbox[T]) abandon(t *Task) {
	m.mu.Lock()
	var next *Task
	if !m.receivers.remove(t) && t.got == signalled {
		m.promised--
		next = m.promise()
	}
	m.mu.Unlock()
	if next != nil {
		next.send(m.l)
	}
}

// items is a queue in a slice, whose first head elements are free.
type items[T any] struct {
	all  []T
	head int
}

func (q *items[T]) len() int { return len(q.all) - q.head }

func (q *items[T]) push(v T) {
	if len(q.all) == cap(q.all) && q.head > len(q.all)/2 {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, v)
}

func (q *items[T]) pop() T {
	var zero T
	v := q.all[q.head]
	q.all[q.head] = zero
	if q.head++; q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
		if large[T](cap(q.all)) {
			q.all = nil // a burst is over
		}
	}
	return v
}
