package ev

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/atomic"
)

func FuzzPending(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 3, 0, 8, 0, 5, 4, 0, 6, 0})                   // three priorities and a post
	f.Add([]byte{1, 0, 3, 2, 8, 2, 3, 3, 8, 5, 8, 6, 0})             // first, and cleared
	f.Add([]byte{0, 0, 1, 0, 2, 6, 0, 2, 0, 3, 2, 0, 0, 9, 1, 31})   // callbacks that clear, mark and panic
	f.Add([]byte{2, 0, 1, 0, 6, 4, 0, 6, 0, 1, 0, 6, 0, 1, 0, 0, 6}) // a pass in a pass
	f.Add([]byte{0, 0, 1, 0, 2, 6, 0, 1, 0, 8, 0, 9, 0, 0, 1})       // closed, dropped
	f.Fuzz(func(t *testing.T, data []byte) { replayPending(t, data) })
}

// replayPending applies the steps that data encodes to the pending queues and to a list
// per priority. Callbacks take their steps from the same data, so every program ends.
func replayPending(t testing.TB, data []byte) {
	m := &pendingModel{t: t, data: data[:min(len(data), 1000)]}
	start := [...]uint32{0, 7, nearWrap}[m.next()%3]
	for level := range m.p.queues {
		m.p.queues[level].head, m.p.queues[level].tail = start, start
	}
	for i := range 20 {
		w := newProbe(fmt.Sprint(i), i%levels+MinPriority, func(w *probe) { m.called(expectedCall{w, w.Events()}) })
		m.probes = append(m.probes, w)
	}
	for len(m.data) > 0 {
		m.step()
	}
	m.pass()
	require.Zero(t, m.p.count)
}

type pendingModel struct {
	t      testing.TB
	data   []byte
	p      pending
	closed atomic.Uint32
	calls  uint64
	probes []*probe
	lists  [levels][]expectedCall
}

// expectedCall is a call that is due. A post has no probe.
type expectedCall struct {
	w      *probe
	events Events
}

const thrown = "thrown"

func (m *pendingModel) next() byte {
	if len(m.data) == 0 {
		return 0
	}
	b := m.data[0]
	m.data = m.data[1:]
	return b
}

func (m *pendingModel) step() {
	op, arg := m.next(), m.next()
	w, events := m.probes[int(arg)%len(m.probes)], Read<<(arg/64)
	switch op % 10 {
	case 0, 1:
		m.p.mark(&w.watcher, events)
		if i := m.place(w); i >= 0 {
			m.list(w)[i].events |= events
		} else {
			*m.listOf(w) = append(m.list(w), expectedCall{w, events})
		}
	case 2:
		m.p.markFirst(&w.watcher, events)
		events |= m.forget(w)
		*m.listOf(w) = append([]expectedCall{{w, events}}, m.list(w)...)
	case 3:
		require.Equal(m.t, m.forget(w), m.p.clear(&w.watcher))
	case 4:
		m.p.post(posted(func() { m.called(expectedCall{}) }))
		m.lists[-MinPriority] = append(m.lists[-MinPriority], expectedCall{})
	case 5:
		level := int(arg) % levels
		require.Equal(m.t, len(m.lists[level]) > 0, m.p.has(level))
	case 6:
		m.pass()
	case 7:
		if !w.pending {
			w.priority = int8(int(arg/32)%levels + MinPriority)
		}
	case 8:
		m.closed.Store(1)
	case 9:
		m.p.drop()
		m.lists = [levels][]expectedCall{}
	}
	m.check()
}

func (m *pendingModel) listOf(w *probe) *[]expectedCall { return &m.lists[int(w.priority)-MinPriority] }
func (m *pendingModel) list(w *probe) []expectedCall    { return *m.listOf(w) }

// place returns the index of w in its list, or -1.
func (m *pendingModel) place(w *probe) int {
	for i, c := range m.list(w) {
		if c.w == w {
			return i
		}
	}
	return -1
}

func (m *pendingModel) forget(w *probe) Events {
	i, list := m.place(w), m.list(w)
	if i < 0 {
		return None
	}
	events := list[i].events
	*m.listOf(w) = append(list[:i:i], list[i+1:]...)
	return events
}

// pass calls all pending watchers. It leaves none, unless a callback closes the loop or
// panics.
func (m *pendingModel) pass() {
	m.closed.Store(0)
	defer func() {
		if v := recover(); v != nil && v != thrown {
			panic(v)
		}
	}()
	m.p.pass(&m.closed, nil)
	if m.closed.Load() == 0 {
		require.Zero(m.t, m.p.count)
		require.Zero(m.t, m.p.filled)
	}
}

// called is every callback. The watcher must be the first of the highest priority.
func (m *pendingModel) called(got expectedCall) {
	m.calls++
	level := levels - 1
	for level > 0 && len(m.lists[level]) == 0 {
		level--
	}
	require.NotEmpty(m.t, m.lists[level], "called though nothing is pending")
	want := m.lists[level][0]
	m.lists[level] = m.lists[level][1:]
	require.True(m.t, want == got, "called %+v, want %+v", got, want)
	m.check()
	for range m.next() % 4 {
		if m.next()%32 == 31 {
			panic(thrown)
		}
		m.step()
	}
}

func (m *pendingModel) check() {
	require.NoError(m.t, m.p.verify())
	count, posts := 0, 0
	for _, list := range m.lists {
		for _, c := range list {
			count++
			if c.w == nil {
				posts++
			}
		}
	}
	require.Equal(m.t, []int{count, posts}, []int{m.p.count, m.p.posts})
	require.Equal(m.t, m.calls, m.p.calls)
}
