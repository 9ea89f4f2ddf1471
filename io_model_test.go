//go:build unix || windows

package ev_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Programs start, stop, set, feed, close, dup, shut down and write, with up to 200
// descriptors. A slow model knows the calls that each iteration must make: to watchers
// that are active and ask for a state that holds, and to watchers that were fed.

type modelWatcher struct {
	io     *ev.IO
	end    int // which descriptor
	events ev.Events
	active bool
	fed    ev.Events // since the last iteration
	got    []ev.Events
}

type model struct {
	t        *testing.T
	l        *ev.Loop
	r        chooser
	ends     []modelEnd // the peer of end e is e^1; the last has none
	file     *os.File   // of the last: always ready
	dups     []int      // files live on under these
	watchers []*modelWatcher
}

type modelEnd struct {
	fd     int
	unread int       // bytes that wait here
	shut   bool      // it sends no more
	seen   ev.Events // what it was ready for in the last iteration, since when no watcher of it has changed
}

// chooser is the source of a program: a random generator or a tape.
type chooser interface{ IntN(n int) int }

const mostDups = 4

func newModel(t *testing.T, l *ev.Loop, r chooser, pairs int) *model {
	file, err := os.Open(executable(t))
	require.NoError(t, err)
	m := &model{t: t, l: l, r: r, ends: make([]modelEnd, 2*pairs+1), file: file}
	m.ends[2*pairs].fd = int(file.Fd())
	for p := range pairs {
		m.openPair(p)
	}
	return m
}

func executable(t *testing.T) string {
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// close must be called when the loop is closed or the program has ended.
func (m *model) close() {
	for _, e := range m.ends[:len(m.ends)-1] {
		closeFD(e.fd)
	}
	for _, fd := range m.dups {
		closeFD(fd)
	}
	m.file.Close()
}

func FuzzFDTable(f *testing.F) {
	// A round has the number of its steps, less one. Each step has the end of a pair,
	// the operation, and the choices of the operation.
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 2, 0, 0, 1, 7, 0, 0, 8})                          // start, data, read
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 2, 0, 0, 2, 1, 0, 0, 11, 0})          // two watchers, one fed
	f.Add([]byte{0, 0, 0, 3, 0, 0, 2, 0, 1, 0, 10, 1, 0, 5, 0, 2})                   // fed an event that it then does not want
	f.Add([]byte{0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 12, 1, 0, 9, 0, 1, 0, 2, 0, 0, 1, 7}) // a dup survives the close
	f.Add([]byte{0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 12, 1, 0, 9, 0, 0, 0, 2, 0, 0, 1, 7}) // the same, stopped before
	f.Add([]byte{0, 2, 0, 3, 0, 0, 2, 0, 0, 3, 13, 0, 2, 13, 0, 0, 2, 0})            // hung up
	f.Add([]byte{0, 8, 0, 3, 0, 0, 2, 0, 0, 8, 10, 3, 0, 0, 2, 0})                   // a regular file
	f.Fuzz(func(t *testing.T, data []byte) {
		before := openDescriptors()
		l, err := ev.New()
		require.NoError(t, err)
		program := &tape{data[:min(len(data), 1000)]}
		m := newModel(t, l, program, 4)
		defer m.close()
		defer l.Close()
		for !program.ended() {
			for range 1 + program.IntN(4) {
				m.step()
			}
			m.iterate()
		}
		require.NoError(t, l.Close())
		m.close()
		require.LessOrEqual(t, openDescriptors(), before, "descriptors leaked")
	})
}

func TestRandomProgramsOfIOAgreeWithAModel(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		m := newModel(t, l, rand.New(rand.NewPCG(11, 12)), 100)
		defer m.close()
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
	})
}

func (m *model) openPair(p int) {
	a, b := openSocketpair(m.t)
	m.ends[2*p], m.ends[2*p+1] = modelEnd{fd: a}, modelEnd{fd: b}
}

func (m *model) step() {
	end := m.r.IntN(len(m.ends))
	if end == len(m.ends)-1 && runtime.GOOS == "windows" {
		return // it has no readiness of files
	}
	switch op := m.r.IntN(14); op {
	case 7, 8, 9, 12, 13:
		if end < len(m.ends)-1 {
			m.stepSocket(op, end)
		}
	case 10:
		m.feedFD(m.ends[end].fd, ev.Events(m.r.IntN(4)))
	default:
		m.stepWatcher(op, end)
	}
}

func (m *model) stepSocket(op, end int) {
	e, peer := &m.ends[end], &m.ends[end^1]
	switch op {
	case 7: // data
		if !e.shut && peer.unread < 64 { // a socket has room for so few
			_, err := writeFD(e.fd, []byte("x"))
			require.NoError(m.t, err)
			peer.unread++
		}
	case 8: // read it
		if e.unread > 0 {
			e.unread -= len(drain(m.t, e.fd))
			e.seen &^= ev.Read
		}
	case 9: // close a pair and open another
		if m.r.IntN(8) == 0 {
			m.replacePair(end / 2)
		}
	case 12: // a file that lives on when its descriptor is closed
		if runtime.GOOS == "windows" {
			return // a dup of a socket is made for a process
		}
		if len(m.dups) == mostDups {
			require.NoError(m.t, closeFD(m.dups[0]))
			m.dups = m.dups[1:]
		}
		fd, err := dupFD(e.fd)
		require.NoError(m.t, err)
		m.dups = append(m.dups, fd)
	case 13: // the end of the data
		require.NoError(m.t, shutdownWrite(e.fd))
		e.shut = true
	}
}

func (m *model) stepWatcher(op, end int) {
	if op < 2 { // a new one
		w := &modelWatcher{end: end, events: ev.Events(m.r.IntN(4))}
		w.io = ev.NewIO(m.l, m.ends[end].fd, w.events, func(_ *ev.IO, got ev.Events) { w.got = append(w.got, got) })
		m.watchers = append(m.watchers, w)
		return
	}
	if len(m.watchers) == 0 {
		return
	}
	w := m.watchers[m.r.IntN(len(m.watchers))]
	if op <= 5 { // a driver that was asked for other events answers later
		m.ends[w.end].seen = ev.None
	}
	switch op {
	case 2, 3, 4: // start or stop
		if w.active {
			m.stop(w)
		} else {
			require.NoError(m.t, w.io.Start())
			w.active = true
		}
	case 5: // other events
		w.events = ev.Events(m.r.IntN(4))
		require.NoError(m.t, w.io.SetEvents(w.events))
		w.fed &= ev.Custom | w.events
	case 6: // another descriptor
		if !w.active {
			w.end, w.events = end, ev.Events(m.r.IntN(4))
			require.NoError(m.t, w.io.Set(m.ends[end].fd, w.events))
		}
	case 11: // fed, active or not
		w.io.Feed(ev.Custom)
		w.fed |= ev.Custom
	}
}

func (m *model) stop(w *modelWatcher) {
	w.io.Stop()
	w.active, w.fed = false, ev.None
}

func (m *model) feedFD(fd int, events ev.Events) {
	m.l.FeedFD(fd, events)
	for _, w := range m.watchers {
		if w.active && m.ends[w.end].fd == fd {
			w.fed |= events & w.events
		}
	}
}

// replacePair closes both ends and opens two new files. They get the same numbers,
// which are the lowest free ones. The watchers are stopped before that, or after it,
// when the numbers denote the new files.
func (m *model) replacePair(p int) {
	a, b, late := m.ends[2*p].fd, m.ends[2*p+1].fd, m.r.IntN(2) == 1
	if !late {
		m.stopPair(p)
	}
	require.NoError(m.t, closeFD(a))
	require.NoError(m.t, closeFD(b))
	m.openPair(p)
	if late {
		m.stopPair(p)
	}
	for _, w := range m.watchers {
		if w.end/2 == p {
			require.NoError(m.t, w.io.Set(m.ends[w.end].fd, w.events))
		}
	}
}

func (m *model) stopPair(p int) {
	for _, w := range m.watchers {
		if w.end/2 == p {
			m.stop(w)
		}
	}
}

// iterate makes an iteration. Where data do not arrive at once, it makes more, until the program's
// last step is seen.
func (m *model) iterate() {
	for began, late := time.Now(), true; late; {
		nowait(m.t, m.l)
		late = false
		for _, w := range m.watchers {
			late = m.check(w) || late
		}
		require.Less(m.t, time.Since(began), patience)
	}
	for i := range m.ends {
		m.ends[i].seen = m.ready(i)
	}
	require.NoError(m.t, m.l.Verify())
}

// check compares the calls of a watcher with those that the model expects: one before the poll if
// it was fed, and one for what its descriptor is ready for. late means that some of that was not
// seen yet, and was not there in the iteration before.
func (m *model) check(w *modelWatcher) (late bool) {
	got, fed := w.got, ev.None
	if w.fed != ev.None && len(got) > 0 {
		fed, got = got[0], got[1:]
	}
	want, ready := ev.None, ev.None
	if w.active {
		want = w.events & m.ready(w.end)
	}
	if len(got) > 0 {
		ready = got[0]
	}
	must := want
	if !arrivesAtOnce {
		must &= m.ends[w.end].seen
	}
	if fed != w.fed || len(got) > 1 || len(got) == 1 && ready == ev.None || ready&^want != 0 || must&^ready != 0 {
		require.FailNow(m.t, "other calls", "want %v, at least %v: %+v", want, must, w)
	}
	w.got, w.fed = nil, ev.None
	return ready != want
}

// ready is the state of an end. A socket has room for the few bytes of a program.
func (m *model) ready(end int) ev.Events {
	if end == len(m.ends)-1 || m.ends[end].unread > 0 || m.ends[end^1].shut {
		return ev.Read | ev.Write
	}
	return ev.Write
}
