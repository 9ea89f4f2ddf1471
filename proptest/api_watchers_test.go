package proptest

import (
	"math"
	"os"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// apiSpans are due at once, not due during a program, or refused.
var apiSpans = []time.Duration{0, 1, -1, time.Hour, math.MaxInt64, -time.Hour, math.MinInt64}

func apiRepeat(n int) time.Duration { return max(0, apiSpans[n%len(apiSpans)]) }

// apiMaker makes a watcher of one kind. n chooses a variant.
type apiMaker func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option)

func apiMakers() []apiMaker {
	return []apiMaker{

		func(m *apiProgram, l *apiLoop, s *apiWatcher, _ int, opts ...ev.Option) {
			w := ev.NewAsync(l.Loop, func(*ev.Async) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) { w.Send(); require.True(m.t, w.Sent()) }}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			w := ev.NewQueue(l.Loop, n%4, func(*ev.Queue[int], []int) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(n int) { _ = w.Send(n) }}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			w := ev.NewTimer(l.Loop, apiSpans[n%len(apiSpans)], apiRepeat(n/2), func(*ev.Timer) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(n int) {
				switch d := apiSpans[n/2%len(apiSpans)]; n % 2 {
				case 0:
					s.stopped = false
					w.Reset()
				case 1:
					require.Equal(m.t, w.Active() || d < 0, w.Set(apiSpans[n%len(apiSpans)], d) != nil)
				}
			}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			opts = append(opts, ev.CatchUp(n%2 == 1))
			w := ev.NewPeriodic(l.Loop, 0, apiRepeat(n), func(*ev.Periodic) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(n int) {
				switch d := apiSpans[n/2%len(apiSpans)]; n % 2 {
				case 0:
					s.stopped = false
					w.Reset()
				case 1:
					require.Equal(m.t, d < 0, w.SetInterval(d) != nil)
				}
			}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			next := func(_ *ev.Scheduler, now time.Time) time.Time {
				switch n % 4 {
				case 0:
					return time.Time{}
				case 1:
					panic(errThrown)
				}
				return now.Add(apiSpans[n/4%len(apiSpans)])
			}
			opts = append(opts, ev.CatchUp(n%3 == 1))
			w := ev.NewScheduler(l.Loop, next, func(*ev.Scheduler) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(k int) { n = k; s.stopped = false; w.Reset() }}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			w := ev.NewConnIO(l.Loop, m.pipe, ev.Events(n%4), func(*ev.IO, ev.Events) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(n int) {
				require.Equal(m.t, n > 3, w.SetEvents(ev.Events(n)) != nil)
			}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			w := ev.NewSignal(l.Loop, os.Interrupt, func(*ev.Signal) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) { ev.FeedSignal(os.Interrupt) }}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			w := ev.NewChild(l.Loop, m.pid*(n%3-1), func(*ev.Child) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) { _ = w.Status() }}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			if n%8 != 1 {
				l = m.loops[0] // the kernel takes 10 ms to close an inotify descriptor
			}
			w := ev.NewStat(l.Loop, m.path, 0, func(*ev.Stat) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(n int) {
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
		func(m *apiProgram, l *apiLoop, s *apiWatcher, _ int, opts ...ev.Option) {
			w := ev.NewIdle(l.Loop, func(*ev.Idle) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) {}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, _ int, opts ...ev.Option) {
			w := ev.NewPrepare(l.Loop, func(*ev.Prepare) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) {}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, _ int, opts ...ev.Option) {
			w := ev.NewCheck(l.Loop, func(*ev.Check) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) {}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, _ int, opts ...ev.Option) {
			w := ev.NewCleanup(l.Loop, func(*ev.Cleanup) { m.called(s) }, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) {}}
		},
		func(m *apiProgram, l *apiLoop, s *apiWatcher, n int, opts ...ev.Option) {
			fn := func(*ev.Embed) { m.called(s) }
			if n%2 == 0 {
				fn = nil
			}
			other := m.loops[n/2%2]
			w := ev.NewEmbed(l.Loop, other.Loop, fn, opts...)
			*s = apiWatcher{Watcher: w, also: func(int) { m.ran(other, w.Sweep()) }}
		},
	}
}
