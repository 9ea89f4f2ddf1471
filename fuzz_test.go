package ev_test

import (
	"context"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// tape is fuzzed data, read as one choice after the other. Past its end every
// choice is 0.
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

// FuzzAPI makes programs of the package's own methods, of watchers of all kinds, on
// two loops: one on a channel, one of the system's kind. Callbacks take their
// steps from the same tape, so every program ends. Only Call and Go are left out:
// they need another goroutine, whose moment no tape can tell.
func FuzzAPI(f *testing.F) {
	env := newEnvironment(f)
	for _, seed := range apiSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &machine{t: t, environment: env, tape: tape{data[:min(len(data), 1500)]}}
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

// apiSeeds has, for every kind, a program that makes two watchers on each loop,
// does everything to them, and runs.
func apiSeeds() (seeds [][]byte) {
	for kind := range len(makers()) {
		var program []byte
		for i := range byte(4) {
			program = append(program, i%2, 0, byte(kind), i, 2*i, 0)
		}
		for op := range byte(len(operations())) {
			for loop := range byte(2) {
				program = append(program, loop, op, loop, 1, 1, op%4, 1, loop, 8, 0)
			}
		}
		seeds = append(seeds, program)
	}
	return append(seeds, nil)
}

// environment is what the programs of a process share.
type environment struct {
	path string   // of a file that comes and goes
	pid  int      // of a child that has exited
	pipe *os.File // readable for ever

	operations []func(*machine, *rig)
	makers     []makeFunc
}

func newEnvironment(f *testing.F) environment {
	r, w, err := os.Pipe()
	require.NoError(f, err)
	_, err = w.WriteString("x")
	require.NoError(f, err)
	f.Cleanup(func() { r.Close(); w.Close() })
	env := environment{path: filepath.Join(f.TempDir(), "file"), pid: os.Getpid(), pipe: r,
		operations: operations(), makers: makers()}
	if child := exec.Command("true"); child.Start() == nil {
		env.pid = child.Process.Pid
		f.Cleanup(func() { _ = child.Wait() })
	}
	return env
}

// machine carries a program out.
type machine struct {
	environment
	t        *testing.T
	tape     tape
	loops    [2]*rig
	watchers []*subject
	depth    int // of callbacks
}

// rig is a loop, and what is known of it.
type rig struct {
	*ev.Loop
	left     int  // iterations until its Runs are stopped
	helpers  int  // active watchers of the machine's own
	released bool // by SetRelease, and not acquired again
	posted   int  // functions that have not run
	closed   bool
}

// subject is a watcher of the program's.
type subject struct {
	ev.Watcher
	start   func() error
	also    func(n int) // what only this kind can do
	stopped bool        // no callback may begin
}

func (m *machine) open(i int, backend ev.Backend) {
	opts := []ev.LoopOption{ev.WithLogger(slog.New(slog.DiscardHandler))}
	if m.tape.IntN(2) == 1 {
		opts = append(opts, ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { m.excuse(v) }))
	}
	l, err := ev.New(append(opts, ev.WithBackend(backend))...)
	require.NoError(m.t, err)
	m.t.Cleanup(func() { _ = l.Close() })
	m.loops[i] = &rig{Loop: l}
}

func (m *machine) step() {
	l, op := m.loops[m.tape.IntN(2)], m.operations[m.tape.IntN(len(m.operations))]
	m.guarded(func() { op(m, l) })
	m.check()
}

// called is every callback.
func (m *machine) called(s *subject) {
	if s.stopped {
		require.Fail(m.t, "called after Stop", "%T", s.Watcher)
	}
	m.act()
}

// mostNested bounds the stack: to enter a Run takes longer on a deep one.
const mostNested = 8

// act is what callbacks and posted functions do.
func (m *machine) act() {
	if m.depth == mostNested {
		return
	}
	m.depth++
	defer func() { m.depth-- }()
	for range m.tape.IntN(4) {
		m.step()
	}
	if m.tape.IntN(32) == 31 {
		panic(thrown)
	}
}

const thrown = "thrown"

// guarded stops the panics that a program asked for.
func (m *machine) guarded(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			m.excuse(v)
		}
	}()
	fn()
}

func (m *machine) excuse(v any) {
	err, _ := v.(error)
	if v != thrown && (err == nil || !strings.HasPrefix(err.Error(), "ev: Scheduler ")) {
		panic(v)
	}
}

// check holds at every moment at which a callback may run. It is made very often,
// and so is plain.
func (m *machine) check() {
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

// checkClosed looks at closed loops when they are taken down: inside a callback
// they may not be.
func (m *machine) checkClosed() {
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

// finish closes the loops. A Cleanup that panics has done so after that.
func (m *machine) finish() {
	for _, l := range m.loops {
		l.closed = true
		m.guarded(func() { require.NoError(m.t, l.Close()) })
	}
	for _, s := range m.watchers {
		require.False(m.t, s.Active() || s.Pending(), "a %T survives its loop", s.Watcher)
		s.stopped = true
		s.Feed(ev.Custom)
		if err := s.start(); err != nil {
			require.NotNil(m.t, err)
		}
	}
	m.check()
}

// operations is a function because they refer to it.
func operations() []func(*machine, *rig) {
	return []func(*machine, *rig){
		(*machine).create,
		onWatcher((*machine).start),
		onWatcher((*machine).stop),
		onWatcher((*machine).feed),
		onWatcher((*machine).invoke),
		onWatcher((*machine).setPriority),
		onWatcher(func(m *machine, s *subject) { s.Clear() }),
		onWatcher(func(m *machine, s *subject) { s.also(m.tape.IntN(16)) }),
		onWatcher(func(m *machine, s *subject) { s.Keep(m.tape.IntN(2) == 1) }),
		func(m *machine, l *rig) { m.ran(l, l.RunNoWait()) },
		(*machine).run,
		(*machine).post,
		(*machine).setInvoke,
		(*machine).setRelease,
		(*machine).setIntervals,
		(*machine).feedAll,
		(*machine).close,
		func(_ *machine, l *rig) { l.Invoke() },
		func(_ *machine, l *rig) { l.Stop() },
		func(_ *machine, l *rig) { l.StopAll() },
		func(_ *machine, l *rig) { l.Ref() },
		func(_ *machine, l *rig) { l.Unref() },
		func(_ *machine, l *rig) { l.Suspend(); l.Resume() },
		func(_ *machine, l *rig) { l.Update() },
	}
}

const mostWatchers = 24

func (m *machine) create(l *rig) {
	make, n, priority := m.makers[m.tape.IntN(len(m.makers))], m.tape.IntN(16), m.tape.IntN(5)-2
	if len(m.watchers) < mostWatchers {
		s := new(subject)
		make(m, l, s, n, ev.Priority(priority))
		m.watchers = append(m.watchers, s)
		if m.tape.IntN(2) == 0 {
			m.start(s)
		}
	}
}

func onWatcher(fn func(*machine, *subject)) func(*machine, *rig) {
	return func(m *machine, _ *rig) {
		if len(m.watchers) > 0 {
			fn(m, m.watchers[m.tape.IntN(len(m.watchers))])
		}
	}
}

func (m *machine) start(s *subject) {
	was := s.stopped
	s.stopped = false
	err := s.start()
	if !s.Active() {
		s.stopped = was
	} else {
		require.NoError(m.t, err)
	}
}

func (m *machine) stop(s *subject) {
	s.stopped = true
	s.Stop()
	require.False(m.t, s.Active() || s.Pending())
}

func (m *machine) feed(s *subject) {
	s.stopped = false
	s.Feed(ev.Read << m.tape.IntN(24))
}

func (m *machine) invoke(s *subject) {
	s.stopped = false
	s.Invoke(ev.Read << m.tape.IntN(24))
}

func (m *machine) setPriority(s *subject) {
	p := m.tape.IntN(7) - 3
	if err := s.SetPriority(p); s.Active() || s.Pending() {
		require.Error(m.t, err)
	} else {
		require.NoError(m.t, err)
		require.Equal(m.t, max(ev.MinPriority, min(p, ev.MaxPriority)), s.Priority())
	}
}

// ran looks at the error of a Run.
func (m *machine) ran(l *rig, err error) {
	if err != nil && !l.closed {
		require.ErrorContains(m.t, err, "the loop is embedded, and its host is waiting for it")
	}
}

// run makes a few iterations. An Idle keeps the loop from parking, and a Prepare
// counts; the user's own function for what is pending does it too, since it need
// not call the Prepare.
func (m *machine) run(l *rig) {
	idle := ev.NewIdle(l.Loop, func(*ev.Idle) {}, ev.Priority(ev.MinPriority))
	prepare := ev.NewPrepare(l.Loop, func(*ev.Prepare) { l.tick() })
	for _, w := range []interface {
		ev.Watcher
		Start()
	}{idle, prepare} {
		w.Start()
		w.Keep(false)
		l.helpers++
		defer func() { w.Stop(); l.helpers-- }()
	}
	l.left = 4
	if m.tape.IntN(2) == 0 {
		m.ran(l, l.Run(context.Background()))
	} else {
		m.ran(l, l.RunOnce(context.Background()))
	}
}

func (l *rig) tick() {
	if l.left--; l.left <= 0 {
		l.StopAll()
	}
}

func (m *machine) post(l *rig) {
	l.posted++
	err := l.Post(func() { l.posted--; m.act() })
	if l.closed {
		require.ErrorIs(m.t, err, ev.ErrClosed)
	} else {
		require.NoError(m.t, err)
	}
}

func (m *machine) setInvoke(l *rig) {
	switch m.tape.IntN(4) {
	case 0:
		l.SetInvoke(func(*ev.Loop) { l.tick() })
	case 1:
		l.SetInvoke(func(*ev.Loop) { l.tick(); l.Invoke() })
	default:
		l.SetInvoke(nil)
	}
}

// setRelease counts: what was released must be acquired before anything is called.
func (m *machine) setRelease(l *rig) {
	if m.tape.IntN(2) == 0 {
		l.SetRelease(nil, nil)
		return
	}
	turn := func(from bool) func(*ev.Loop) {
		return func(*ev.Loop) {
			require.Equal(m.t, from, l.released)
			l.released = !from
		}
	}
	l.SetRelease(turn(false), turn(true))
}

func (m *machine) setIntervals(l *rig) {
	d := spans[m.tape.IntN(len(spans))]
	for _, set := range []func(time.Duration) error{l.SetIOInterval, l.SetTimeoutInterval} {
		if err := set(d); d < 0 {
			require.Error(m.t, err)
		} else {
			require.NoError(m.t, err)
		}
	}
}

func (m *machine) feedAll(l *rig) {
	switch m.tape.IntN(3) {
	case 0:
		l.FeedFD(m.tape.IntN(64)-1, ev.Read<<m.tape.IntN(3))
	case 1:
		l.FeedSignal(os.Interrupt)
	case 2:
		ev.FeedSignal(os.Interrupt)
	}
}

// close does so one time in eight: there is not much to do after it.
func (m *machine) close(l *rig) {
	if m.tape.IntN(8) == 7 {
		l.closed = true
		require.NoError(m.t, l.Close())
	}
}

// spans are due at once, never in the time of a program, or refused.
var spans = []time.Duration{0, 1, -1, time.Hour, math.MaxInt64, -time.Hour, math.MinInt64}

func positive(n int) time.Duration { return max(0, spans[n%len(spans)]) }

// makeFunc makes a watcher of one kind. What n chooses is for the kind to say.
type makeFunc func(m *machine, l *rig, s *subject, n int, opts ...ev.Option)

func makers() []makeFunc {
	return []makeFunc{

		func(m *machine, l *rig, s *subject, _ int, opts ...ev.Option) {
			w := ev.NewAsync(l.Loop, func(*ev.Async) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(int) { w.Send(); require.True(m.t, w.Sent()) }}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			w := ev.NewQueue(l.Loop, n%4, func(*ev.Queue[int], []int) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(n int) { _ = w.Send(n) }}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			w := ev.NewTimer(l.Loop, spans[n%len(spans)], positive(n/2), func(*ev.Timer) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(n int) {
				switch d := spans[n/2%len(spans)]; n % 2 {
				case 0:
					s.stopped = false
					w.Reset()
				case 1:
					require.Equal(m.t, w.Active() || d < 0, w.Set(spans[n%len(spans)], d) != nil)
				}
			}}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			opts = append(opts, ev.CatchUp(n%2 == 1))
			w := ev.NewPeriodic(l.Loop, 0, positive(n), func(*ev.Periodic) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(n int) {
				switch d := spans[n/2%len(spans)]; n % 2 {
				case 0:
					s.stopped = false
					w.Reset()
				case 1:
					require.Equal(m.t, d < 0, w.SetInterval(d) != nil)
				}
			}}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			next := func(_ *ev.Scheduler, now time.Time) time.Time {
				switch n % 4 {
				case 0:
					return time.Time{}
				case 1:
					panic(thrown)
				}
				return now.Add(spans[n/4%len(spans)])
			}
			opts = append(opts, ev.CatchUp(n%3 == 1))
			w := ev.NewScheduler(l.Loop, next, func(*ev.Scheduler) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(k int) { n = k; s.stopped = false; w.Reset() }}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			w := ev.NewConnIO(l.Loop, m.pipe, ev.Events(n%4), func(*ev.IO, ev.Events) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: w.Start, also: func(n int) {
				require.Equal(m.t, n > 3, w.SetEvents(ev.Events(n)) != nil)
			}}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			w := ev.NewSignal(l.Loop, os.Interrupt, func(*ev.Signal) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: w.Start, also: func(int) { ev.FeedSignal(os.Interrupt) }}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			w := ev.NewChild(l.Loop, m.pid*(n%3-1), func(*ev.Child) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: w.Start, also: func(int) { _ = w.Status() }}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			if n%8 != 1 {
				l = m.loops[0] // inotify takes the kernel 10 ms to close
			}
			w := ev.NewStat(l.Loop, m.path, 0, func(*ev.Stat) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: w.Start, also: func(n int) {
				switch n % 3 {
				case 0:
					require.NoError(m.t, os.WriteFile(m.path, make([]byte, n), 0o600))
				case 1:
					require.NoError(m.t, os.RemoveAll(m.path))
				case 2:
					_ = w.Stat()
				}
			}}
		},
		func(m *machine, l *rig, s *subject, _ int, opts ...ev.Option) {
			w := ev.NewIdle(l.Loop, func(*ev.Idle) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(int) {}}
		},
		func(m *machine, l *rig, s *subject, _ int, opts ...ev.Option) {
			w := ev.NewPrepare(l.Loop, func(*ev.Prepare) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(int) {}}
		},
		func(m *machine, l *rig, s *subject, _ int, opts ...ev.Option) {
			w := ev.NewCheck(l.Loop, func(*ev.Check) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(int) {}}
		},
		func(m *machine, l *rig, s *subject, _ int, opts ...ev.Option) {
			w := ev.NewCleanup(l.Loop, func(*ev.Cleanup) { m.called(s) }, opts...)
			*s = subject{Watcher: w, start: always(w.Start), also: func(int) {}}
		},
		func(m *machine, l *rig, s *subject, n int, opts ...ev.Option) {
			fn := func(*ev.Embed) { m.called(s) }
			if n%2 == 0 {
				fn = nil
			}
			other := m.loops[n/2%2]
			w := ev.NewEmbed(l.Loop, other.Loop, fn, opts...)
			*s = subject{Watcher: w, start: w.Start, also: func(int) { m.ran(other, w.Sweep()) }}
		},
	}
}

// always is a Start that does not fail.
func always(start func()) func() error {
	return func() error { start(); return nil }
}
