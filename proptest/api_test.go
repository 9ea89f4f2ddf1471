package proptest

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// FuzzAPI runs programs of the package's methods, with watchers of all kinds, on two
// loops: one on a channel, one on the system's poller. Callbacks take their steps from
// the same tape, so every program ends. Call and Go are left out: they need another
// goroutine, and a tape cannot choose when it runs.
func FuzzAPI(f *testing.F) {
	env := newEnvironment(f)
	for _, seed := range apiSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &apiProgram{t: t, environment: env, tape: tape{data[:min(len(data), 1500)]}}
		require.NoError(t, os.RemoveAll(env.path))
		for i, backend := range []ev.Backend{ev.BackendChan, ev.BackendAuto} {
			m.open(i, backend)
		}
		for !m.tape.ended() {
			m.step()
		}
		m.finish()
	})
}

// apiSeeds returns a program for every kind. It makes two watchers on each loop,
// applies all operations to them, and runs.
func apiSeeds() (seeds [][]byte) {
	for kind := range len(apiMakers()) {
		var program []byte
		for i := range byte(4) {
			program = append(program, i%2, 0, byte(kind), i, 2*i, 0)
		}
		for op := range byte(len(apiOperations())) {
			for loop := range byte(2) {
				program = append(program, loop, op, loop, 1, 1, op%4, 1, loop, 8, 0)
			}
		}
		seeds = append(seeds, program)
	}
	return append(seeds, nil)
}

// environment is shared by the programs of a process.
type environment struct {
	path string   // of a file that comes and goes
	pid  int      // of a child that has exited
	pipe *os.File // readable for ever

	operations []func(*apiProgram, *apiLoop)
	makers     []apiMaker
}

func newEnvironment(f *testing.F) environment {
	r, w, err := os.Pipe()
	require.NoError(f, err)
	_, err = w.WriteString("x")
	require.NoError(f, err)
	f.Cleanup(func() { r.Close(); w.Close() })
	env := environment{path: filepath.Join(f.TempDir(), "file"), pid: os.Getpid(), pipe: r,
		operations: apiOperations(), makers: apiMakers()}
	if child := exec.Command("true"); child.Start() == nil {
		env.pid = child.Process.Pid
		f.Cleanup(func() { _ = child.Wait() })
	}
	return env
}

// apiProgram runs a program.
type apiProgram struct {
	environment
	t        *testing.T
	tape     tape
	loops    [2]*apiLoop
	watchers []*apiWatcher
	depth    int // of callbacks
}

// apiLoop is a loop with its expected state.
type apiLoop struct {
	*ev.Loop
	left     int  // iterations until its Runs are stopped
	helpers  int  // active watchers that run started
	released bool // by SetRelease, and not acquired again
	posted   int  // functions that have not run
	closed   bool
}

// apiWatcher is a watcher of the program's.
type apiWatcher struct {
	ev.Watcher
	also    func(n int) // operations that only this kind has
	stopped bool        // no callback may begin
}

func (m *apiProgram) open(i int, backend ev.Backend) {
	opts := []ev.LoopOption{ev.WithLogger(slog.New(slog.DiscardHandler))}
	if m.tape.IntN(2) == 1 {
		opts = append(opts, ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { m.excuse(v) }))
	}
	l, err := ev.New(append(opts, ev.WithBackend(backend))...)
	require.NoError(m.t, err)
	m.t.Cleanup(func() { _ = l.Close() })
	m.loops[i] = &apiLoop{Loop: l}
}

func (m *apiProgram) step() {
	l, op := m.loops[m.tape.IntN(2)], m.operations[m.tape.IntN(len(m.operations))]
	m.guarded(func() { op(m, l) })
	m.check()
}

// called is every callback.
func (m *apiProgram) called(s *apiWatcher) {
	if s.stopped {
		require.Fail(m.t, "called after Stop", "%T", s.Watcher)
	}
	m.act()
}

// mostNested bounds the stack: on a deep stack it takes longer to enter a Run.
const mostNested = 8

// act is called by callbacks and posted functions.
func (m *apiProgram) act() {
	if m.depth == mostNested {
		return
	}
	m.depth++
	defer func() { m.depth-- }()
	for range m.tape.IntN(4) {
		m.step()
	}
	if m.tape.IntN(32) == 31 {
		panic(errThrown)
	}
}

// guarded recovers the panics that are part of a program.
func (m *apiProgram) guarded(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			m.excuse(v)
		}
	}()
	fn()
}

func (m *apiProgram) excuse(v any) {
	err, _ := v.(error)
	if v != errThrown && (err == nil || !strings.HasPrefix(err.Error(), "ev: Scheduler ")) {
		panic(v)
	}
}

// check checks the state that must hold whenever a callback may run. It runs very
// often.
func (m *apiProgram) check() {
	for _, l := range m.loops {
		require.NoError(m.t, l.Verify())
		active, pending, yielded := l.helpers, 0, 0
		for _, s := range m.watchers {
			if s.Loop() != l.Loop {
				continue
			}
			if s.Active() {
				active++
			}
			if s.Pending() {
				pending++
			}
			if s.stopped && (s.Active() || s.Pending()) {
				require.Fail(m.t, "stopped, and yet active or pending", "%T", s.Watcher)
			}
		}
		for range l.Watchers() {
			yielded++
		}
		if l.Active() != active || yielded != active {
			require.Fail(m.t, "active", "%d, yielded %d, want %d", l.Active(), yielded, active)
		}
		if got := l.Pending(); got < pending || got > pending+l.posted+l.helpers {
			require.Fail(m.t, "pending", "%d, of them %d watchers; %d posted", got, pending, l.posted)
		}
	}
	m.checkClosed()
}

// checkClosed checks closed loops outside callbacks: in a callback the teardown may
// still be to come.
func (m *apiProgram) checkClosed() {
	if m.depth > 0 {
		return
	}
	for _, l := range m.loops {
		if l.closed {
			require.Zero(m.t, l.Active()+l.Pending())
			require.ErrorIs(m.t, l.RunNoWait(), ev.ErrClosed)
			require.ErrorIs(m.t, l.Post(func() {}), ev.ErrClosed)
		}
	}
}

// finish closes the loops. A Cleanup may panic; the loop is closed all the same.
func (m *apiProgram) finish() {
	for _, l := range m.loops {
		l.closed = true
		m.guarded(func() { require.NoError(m.t, l.Close()) })
	}
	for _, s := range m.watchers {
		require.False(m.t, s.Active() || s.Pending(), "a %T survives its loop", s.Watcher)
		s.stopped = true
		s.Feed(ev.Custom)
		if err := startWatcher(s.Watcher); err != nil {
			require.NotNil(m.t, err)
		}
	}
	m.check()
}

// tape reads fuzzed data as a list of choices. After its end, every choice is 0.
type tape struct{ data []byte }

func (t *tape) ended() bool { return len(t.data) == 0 }

func (t *tape) IntN(n int) int {
	if t.ended() {
		return 0
	}
	v := int(t.data[0])
	t.data = t.data[1:]
	return v % n
}
