package proptest

import (
	"context"
	"os"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// apiOperations is a function because the operations refer to it.
func apiOperations() []func(*apiProgram, *apiLoop) {
	return []func(*apiProgram, *apiLoop){
		(*apiProgram).create,
		onWatcher((*apiProgram).start),
		onWatcher((*apiProgram).stop),
		onWatcher((*apiProgram).feed),
		onWatcher((*apiProgram).invoke),
		onWatcher((*apiProgram).setPriority),
		onWatcher(func(m *apiProgram, s *apiWatcher) { s.Clear() }),
		onWatcher(func(m *apiProgram, s *apiWatcher) { s.also(m.tape.IntN(16)) }),
		onWatcher(func(m *apiProgram, s *apiWatcher) { s.Keep(m.tape.IntN(2) == 1) }),
		func(m *apiProgram, l *apiLoop) { m.ran(l, l.RunNoWait()) },
		(*apiProgram).run,
		(*apiProgram).post,
		(*apiProgram).setInvoke,
		(*apiProgram).setRelease,
		(*apiProgram).setIntervals,
		(*apiProgram).feedAll,
		(*apiProgram).close,
		func(_ *apiProgram, l *apiLoop) { l.Invoke() },
		func(_ *apiProgram, l *apiLoop) { l.Stop() },
		func(_ *apiProgram, l *apiLoop) { l.StopAll() },
		func(_ *apiProgram, l *apiLoop) { l.Ref() },
		func(_ *apiProgram, l *apiLoop) { l.Unref() },
		func(_ *apiProgram, l *apiLoop) { l.Suspend(); l.Resume() },
		func(_ *apiProgram, l *apiLoop) { l.Update() },
	}
}

const mostWatchers = 24

func (m *apiProgram) create(l *apiLoop) {
	make, n, priority := m.makers[m.tape.IntN(len(m.makers))], m.tape.IntN(16), m.tape.IntN(5)-2
	if len(m.watchers) < mostWatchers {
		s := new(apiWatcher)
		make(m, l, s, n, ev.Priority(priority))
		m.watchers = append(m.watchers, s)
		if m.tape.IntN(2) == 0 {
			m.start(s)
		}
	}
}

func onWatcher(fn func(*apiProgram, *apiWatcher)) func(*apiProgram, *apiLoop) {
	return func(m *apiProgram, _ *apiLoop) {
		if len(m.watchers) > 0 {
			fn(m, m.watchers[m.tape.IntN(len(m.watchers))])
		}
	}
}

func (m *apiProgram) start(s *apiWatcher) {
	was := s.stopped
	s.stopped = false
	err := startWatcher(s.Watcher)
	if !s.Active() {
		s.stopped = was
	} else {
		require.NoError(m.t, err)
	}
}

func (m *apiProgram) stop(s *apiWatcher) {
	s.stopped = true
	s.Stop()
	require.False(m.t, s.Active() || s.Pending())
}

func (m *apiProgram) feed(s *apiWatcher) {
	s.stopped = false
	s.Feed(ev.Read << m.tape.IntN(24))
}

func (m *apiProgram) invoke(s *apiWatcher) {
	s.stopped = false
	s.Invoke(ev.Read << m.tape.IntN(24))
}

func (m *apiProgram) setPriority(s *apiWatcher) {
	p := m.tape.IntN(7) - 3
	if err := s.SetPriority(p); s.Active() || s.Pending() {
		require.Error(m.t, err)
	} else {
		require.NoError(m.t, err)
		require.Equal(m.t, max(ev.MinPriority, min(p, ev.MaxPriority)), s.Priority())
	}
}

// ran checks the error of a Run.
func (m *apiProgram) ran(l *apiLoop, err error) {
	if err != nil && !l.closed {
		require.ErrorContains(m.t, err, "the loop is embedded, and its host is waiting for it")
	}
}

// run makes a few iterations. An Idle keeps the loop from parking. A Prepare counts the
// iterations. The function of SetInvoke counts too: it may not call the Prepare.
func (m *apiProgram) run(l *apiLoop) {
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

func (l *apiLoop) tick() {
	if l.left--; l.left <= 0 {
		l.StopAll()
	}
}

func (m *apiProgram) post(l *apiLoop) {
	l.posted++
	err := l.Post(func() { l.posted--; m.act() })
	if l.closed {
		require.ErrorIs(m.t, err, ev.ErrClosed)
	} else {
		require.NoError(m.t, err)
	}
}

func (m *apiProgram) setInvoke(l *apiLoop) {
	switch m.tape.IntN(4) {
	case 0:
		l.SetInvoke(func(*ev.Loop) { l.tick() })
	case 1:
		l.SetInvoke(func(*ev.Loop) { l.tick(); l.Invoke() })
	default:
		l.SetInvoke(nil)
	}
}

// setRelease checks that a released loop is acquired before a callback.
func (m *apiProgram) setRelease(l *apiLoop) {
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

func (m *apiProgram) setIntervals(l *apiLoop) {
	d := apiSpans[m.tape.IntN(len(apiSpans))]
	for _, set := range []func(time.Duration) error{l.SetIOInterval, l.SetTimeoutInterval} {
		if err := set(d); d < 0 {
			require.Error(m.t, err)
		} else {
			require.NoError(m.t, err)
		}
	}
}

func (m *apiProgram) feedAll(l *apiLoop) {
	switch m.tape.IntN(3) {
	case 0:
		l.FeedFD(m.tape.IntN(64)-1, ev.Read<<m.tape.IntN(3))
	case 1:
		l.FeedSignal(os.Interrupt)
	case 2:
		ev.FeedSignal(os.Interrupt)
	}
}

// close closes the loop one time in eight: a closed loop does little.
func (m *apiProgram) close(l *apiLoop) {
	if m.tape.IntN(8) == 7 {
		l.closed = true
		require.NoError(m.t, l.Close())
	}
}
