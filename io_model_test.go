//go:build unix

package ev_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Random programs of start, stop, set, close and write over 200 descriptors. A
// slow model says who must be called in each iteration: whoever is active and
// asks for what holds, and nobody else.

const modelPairs = 100

type modelWatcher struct {
	io     *ev.IO
	end    int // which descriptor, 0 to 2*modelPairs-1
	events ev.Events
	active bool
	got    ev.Events
}

type model struct {
	t        *testing.T
	l        *ev.Loop
	r        *rand.Rand
	fds      [2 * modelPairs]int // the peer of end e is e^1
	unread   [2 * modelPairs]int // bytes that wait at an end
	hungUp   [2 * modelPairs]bool
	watchers []*modelWatcher
}

func TestRandomProgramsOfIOAgreeWithAModel(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		m := &model{t: t, l: l, r: rand.New(rand.NewPCG(11, 12))}
		for p := range modelPairs {
			m.openPair(p)
		}
		steps := 3000
		if raceEnabled || testing.Short() {
			steps = 600
		}
		for range steps {
			for range 1 + m.r.IntN(8) {
				m.step()
			}
			m.iterate()
		}
		for p := range modelPairs {
			syscall.Close(m.fds[2*p])
			syscall.Close(m.fds[2*p+1])
		}
	})
}

func (m *model) openPair(p int) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(m.t, err)
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		require.NoError(m.t, syscall.SetNonblock(fd, true))
		e := 2*p + i
		m.fds[e], m.unread[e], m.hungUp[e] = fd, 0, false
	}
}

func (m *model) step() {
	end := m.r.IntN(len(m.fds))
	switch m.r.IntN(10) {
	case 0, 1: // a new watcher
		w := &modelWatcher{end: end, events: ev.Events(m.r.IntN(4))}
		w.io = ev.NewIO(m.l, m.fds[end], w.events, func(_ *ev.IO, got ev.Events) {
			require.Zero(m.t, w.got, "called twice")
			w.got = got
		})
		m.watchers = append(m.watchers, w)
	case 2, 3, 4: // start or stop one
		if w := m.any(); w != nil {
			if w.active = !w.active; w.active {
				require.NoError(m.t, w.io.Start())
			} else {
				w.io.Stop()
			}
		}
	case 5: // other events
		if w := m.any(); w != nil {
			w.events = ev.Events(m.r.IntN(4))
			require.NoError(m.t, w.io.SetEvents(w.events))
		}
	case 6: // another descriptor
		if w := m.any(); w != nil && !w.active {
			w.end, w.events = end, ev.Events(m.r.IntN(4))
			require.NoError(m.t, w.io.Set(m.fds[end], w.events))
		}
	case 7: // data
		if !m.hungUp[end] {
			_, err := syscall.Write(m.fds[end], []byte("x"))
			require.NoError(m.t, err)
			m.unread[end^1]++
		}
	case 8: // read it
		if m.unread[end] > 0 {
			m.unread[end] -= len(drain(m.t, m.fds[end]))
		}
	case 9: // close a pair, whose watchers are stopped or lost, and open another
		if m.r.IntN(8) == 0 {
			m.replacePair(end / 2)
		}
	}
}

// replacePair closes both ends and opens two new files, which get the same
// numbers, the lowest that are free.
func (m *model) replacePair(p int) {
	for _, w := range m.watchers {
		if w.end/2 == p && w.active {
			w.io.Stop()
			w.active = false
		}
	}
	require.NoError(m.t, syscall.Close(m.fds[2*p]))
	require.NoError(m.t, syscall.Close(m.fds[2*p+1]))
	m.openPair(p)
	for _, w := range m.watchers {
		if w.end/2 == p {
			require.NoError(m.t, w.io.Set(m.fds[w.end], w.events))
		}
	}
}

func (m *model) any() *modelWatcher {
	if len(m.watchers) == 0 {
		return nil
	}
	return m.watchers[m.r.IntN(len(m.watchers))]
}

func (m *model) iterate() {
	nowait(m.t, m.l)
	for _, w := range m.watchers {
		want := ev.None
		if w.active {
			want = ev.Write & w.events // a socket with room for a few bytes
			if m.unread[w.end] > 0 {
				want |= ev.Read & w.events
			}
		}
		require.Equal(m.t, want, w.got, fmt.Sprintf("%+v", w))
		w.got = ev.None
	}
	require.NoError(m.t, m.l.Verify())
}
