//go:build unix

package ev_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// goneQuiet makes iterations until the watchers of a closed descriptor are not called
// any more. It requires a bounded number of calls, and that the loop parks then.
func goneQuiet(t *testing.T, l *ev.Loop, calls *int, most int) {
	t.Helper()
	before := *calls
	for range 200 {
		nowait(t, l)
	}
	assert.LessOrEqual(t, *calls-before, most, "calls after the descriptor was closed")
	after, parks := *calls, l.Stats().Parks
	go func() { untilParked(t, l, parks); l.Stop() }()
	run(t, l)
	assert.Equal(t, after, *calls)
	assert.NoError(t, l.Verify())
}

// The file of a closed connection lives on under a dup, with unread data.
func TestAConnThatIsClosedWhileItsFileLivesOnHasNoMoreEvents(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		for name, closing := range map[string]struct{ at, most int }{
			"in the first callback":        {at: 1},
			"in the second":                {at: 2, most: 8},
			"in the hundredth":             {at: 100, most: 8},
			"by another, before the first": {at: 0, most: 1},
		} {
			t.Run(name, func(t *testing.T) {
				a, b := connPair(t)
				file, err := a.File()
				require.NoError(t, err)
				defer file.Close()
				calls, others := 0, 0
				w := ev.NewConnIO(l, a, ev.Read, func(*ev.IO, ev.Events) {
					if calls++; calls == closing.at {
						assert.NoError(t, a.Close())
					}
				})
				require.NoError(t, w.Start())
				second := ev.NewConnIO(l, a, ev.Read|ev.Write, func(*ev.IO, ev.Events) { others++ })
				require.NoError(t, second.Start())
				require.NoError(t, second.SetEvents(ev.Read))
				nowait(t, l)
				if closing.at == 0 {
					assert.NoError(t, a.Close())
				}
				_, err = b.Write([]byte("x"))
				require.NoError(t, err)
				for calls < closing.at {
					once(t, l)
				}
				goneQuiet(t, l, &calls, closing.most)
				assert.Equal(t, calls, others, "the same to all watchers")
				w.Stop()
				second.Stop()
			})
		}
	})
}

// The watchers of the closed connection stop, and the others stay.
func TestAfterAConnIsFoundClosedTheOthersGoOn(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := connPair(t)
		file, err := a.File()
		require.NoError(t, err)
		defer file.Close()
		calls, got := 0, ""
		w := ev.NewConnIO(l, a, ev.Write, func(*ev.IO, ev.Events) { calls++ })
		require.NoError(t, w.Start())
		r, peer := socketpair(t)
		startIO(t, l, r, ev.Read, func(*ev.IO, ev.Events) { got += drain(t, r) })
		nowait(t, l)
		assert.NoError(t, a.Close())
		goneQuiet(t, l, &calls, 8)
		write(t, peer, "x")
		once(t, l)
		assert.Equal(t, "x", got)

		assert.True(t, w.Active(), "as without a dup")
		require.NoError(t, w.SetEvents(ev.Read)) // the poller is told of it
		calls = 0
		nowait(t, l)
		assert.Equal(t, 1, calls, "with an Error")
		assert.False(t, w.Active())
	})
}

func TestANumberThatIsClosedWhileItsFileLivesOnHasNoMoreEvents(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		for name, end := range map[string]func(fd int){
			"closed":       func(fd int) { assert.NoError(t, syscall.Close(fd)) },
			"another file": func(fd int) { a, _ := socketpair(t); assert.NoError(t, dup2(a, fd)) },
		} {
			t.Run(name, func(t *testing.T) {
				a, b := socketpair(t)
				fd, err := syscall.Dup(a) // the file lives on under a
				require.NoError(t, err)
				calls := 0
				w := startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
				write(t, b, "x")
				for range 3 {
					nowait(t, l)
				}
				assert.Equal(t, 3, calls)
				end(fd)
				goneQuiet(t, l, &calls, 64)
				w.Stop()
				if name != "closed" {
					assert.NoError(t, syscall.Close(fd))
				}
			})
		}
	})
}

// A regular file is always ready, without an event from the system: no dup is needed.
func TestARegularFileThatIsClosedIsNotReadyForEver(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		file, err := os.Open(executable(t))
		require.NoError(t, err)
		calls := 0
		w := ev.NewConnIO(l, file, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		require.NoError(t, w.Start())
		once(t, l)
		require.NoError(t, file.Close())
		goneQuiet(t, l, &calls, 8)
		w.Stop()

		fd, err := syscall.Open(executable(t), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		require.NoError(t, err)
		calls = 0
		startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		require.NoError(t, l.SetIOInterval(time.Hour)) // most iterations do not look
		once(t, l)
		require.NoError(t, syscall.Close(fd))
		goneQuiet(t, l, &calls, 64)
	})
}

func TestWhatStaysReadyAndOpenIsCalledInEachIteration(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		const rounds = 300 // more than a byte counts
		var counts [4]int
		count := func(i int) func(*ev.IO, ev.Events) { return func(*ev.IO, ev.Events) { counts[i]++ } }
		a, b := connPair(t)
		_, err := b.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, ev.NewConnIO(l, a, ev.Read, count(0)).Start())
		once(t, l) // the byte is there
		counts[0] = 0
		fd, peer := socketpair(t)
		write(t, peer, "x")
		startIO(t, l, fd, ev.Read, count(1))
		file, err := os.Open(executable(t))
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, ev.NewConnIO(l, file, ev.Read, count(2)).Start())
		number, err := os.Open(executable(t))
		require.NoError(t, err)
		defer number.Close()
		startIO(t, l, int(number.Fd()), ev.Read, count(3))
		for range rounds {
			nowait(t, l)
		}
		assert.Equal(t, [4]int{rounds, rounds, rounds, rounds}, counts)
	})
}

// countedConn counts the calls of Control.
type countedConn struct {
	*net.TCPConn
	syscall.RawConn
	asked int
}

func (c *countedConn) SyscallConn() (syscall.RawConn, error) { return c, nil }

func (c *countedConn) Control(fn func(fd uintptr)) error {
	c.asked++
	return c.RawConn.Control(fn)
}

func (c *countedConn) Read(func(uintptr) bool) error  { panic("not used") }
func (c *countedConn) Write(func(uintptr) bool) error { panic("not used") }

func TestAConnWhoseDataIsReadIsNotCheckedAtEachEvent(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := connPair(t)
		raw, err := a.SyscallConn()
		require.NoError(t, err)
		c := &countedConn{RawConn: raw}
		calls := 0
		w := ev.NewConnIO(l, c, ev.Read, func(w *ev.IO, _ ev.Events) {
			calls++
			drain(t, w.FD())
		})
		require.NoError(t, w.Start())
		nowait(t, l)
		before := c.asked
		for range 100 {
			_, err := b.Write([]byte("x"))
			require.NoError(t, err)
			once(t, l)
			nowait(t, l) // nothing is ready: not twice in a row
		}
		assert.Equal(t, 100, calls)
		assert.Equal(t, before, c.asked)
	})
}

func TestAFailedStartMakesNothing(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc/self/fd")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		nop := func(*ev.IO, ev.Events) {}
		conn, _ := connPair(t)
		require.NoError(t, conn.Close())
		good, _ := socketpair(t)
		for name, w := range map[string]*ev.IO{
			"closed":            ev.NewIO(l, lowestFree(t), ev.Read, nop),
			"a closed conn":     ev.NewConnIO(l, conn, ev.Read, nop),
			"no such events":    ev.NewIO(l, good, ev.SignalEvent, nop),
			"a negative number": ev.NewIO(l, -1, ev.Read, nop),
		} {
			before, fd := openDescriptors(), w.FD()
			err := w.Start()
			assert.Error(t, err, name)
			assert.False(t, w.Active(), name)
			assert.LessOrEqual(t, openDescriptors(), before, name)
			assert.Equal(t, fd, w.FD(), name)
			if name == "closed" && !errors.Is(err, errors.ErrUnsupported) {
				assert.ErrorIs(t, err, syscall.EBADF)
			}
		}
		nowait(t, l)
	})
}

// lowestFree returns the number that the next descriptor will have.
func lowestFree(t *testing.T) int {
	fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Close(fd))
	return fd
}

// closingConn closes the loop in the n-th call of Control: in the middle of Start.
type closingConn struct {
	syscall.RawConn
	l     *ev.Loop
	after int
}

func (c *closingConn) SyscallConn() (syscall.RawConn, error) { return c, nil }

func (c *closingConn) Control(fn func(fd uintptr)) error {
	if c.after--; c.after == 0 {
		var closed sync.WaitGroup
		closed.Go(func() { _ = c.l.Close() })
		closed.Wait()
	}
	return c.RawConn.Control(fn)
}

func TestStartOfAnIOSaysThatTheLoopWasClosedMeanwhile(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := connPair(t)
		raw, err := a.SyscallConn()
		require.NoError(t, err)
		w := ev.NewConnIO(l, &closingConn{RawConn: raw, l: l, after: 2}, ev.Read, func(*ev.IO, ev.Events) {})
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			assert.ErrorIs(t, w.Start(), ev.ErrClosed)
			assert.False(t, w.Active())
			assert.NoError(t, l.Verify(), "it is in no table")
			assert.NoError(t, w.SetEvents(ev.Write))
			assert.ErrorIs(t, w.Start(), ev.ErrClosed)
		}).Start()
		assert.ErrorIs(t, l.Run(t.Context()), ev.ErrClosed)
		w.Stop()
	})
}

func TestStartsThatRaceWithCloseSayErrClosedOrCount(t *testing.T) {
	rounds := 200
	a, _ := socketpair(t)
	for range rounds {
		l, err := ev.New()
		require.NoError(t, err)
		other, err := ev.New()
		require.NoError(t, err)
		starts := []func() (ev.Watcher, error){
			func() (ev.Watcher, error) {
				w := ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {})
				return w, w.Start()
			},
			func() (ev.Watcher, error) {
				w := ev.NewStat(l, "/", 0, func(*ev.Stat) {})
				return w, w.Start()
			},
			func() (ev.Watcher, error) {
				w := ev.NewEmbed(l, other, nil)
				err := w.Start()
				return w, err
			},
		}
		var started atomic.Bool
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			for !started.Load() {
			}
			_ = l.Close()
		}()
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			started.Store(true)
			for i := 0; i < 2_000; i++ {
				w, err := starts[i%len(starts)]()
				assert.Equal(t, err == nil, w.Active())
				if err != nil {
					assert.ErrorIs(t, err, ev.ErrClosed)
					break
				}
				w.Stop()
			}
			assert.NoError(t, l.Verify())
		}).Start()
		_ = l.Run(t.Context())
		<-closed
		assert.NoError(t, l.Verify())
		require.NoError(t, other.Close())
	}
}

func TestADescriptorClosedBehindTheWatcherStopsItWithAnError(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		var got ev.Events
		w := startIO(t, l, a, ev.Read, func(_ *ev.IO, e ev.Events) { got = e })
		require.NoError(t, syscall.Close(a))
		once(t, l) // before the descriptor was registered
		assert.Equal(t, ev.Error|ev.Read|ev.Write, got)
		assert.False(t, w.Active())

		a, b := socketpair(t)
		got = ev.None
		w = startIO(t, l, a, ev.Read, func(_ *ev.IO, e ev.Events) { got = e })
		nowait(t, l)
		require.NoError(t, syscall.Close(a)) // after the registration
		_, _ = syscall.Write(b, []byte("x"))
		nowait(t, l)
		assert.Equal(t, ev.None, got)
		require.NoError(t, w.SetEvents(ev.Write))
		nowait(t, l)
		assert.Equal(t, ev.Error|ev.Read|ev.Write, got)
		assert.False(t, w.Active())
	})
}

func TestARecycledNumberGetsTheEventsOfTheNewFileOnly(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		old := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { assert.Fail(t, "the old watcher") })
		nowait(t, l)
		write(t, b, "old")
		old.Stop()
		c, d := socketpair(t)
		require.NoError(t, dup2(c, a)) // a is another file now
		calls := 0
		startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		nowait(t, l)
		assert.Zero(t, calls)
		write(t, d, "new")
		nowait(t, l)
		assert.Equal(t, 1, calls)
		assert.Equal(t, "new", drain(t, a))
	})
}

func TestAFileThatLivesOnUnderADupDeliversNothingStale(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { assert.Fail(t, "stale event") })
		nowait(t, l)
		dup, err := syscall.Dup(a)
		require.NoError(t, err)
		defer syscall.Close(dup)
		require.NoError(t, syscall.Close(a)) // the set still reports it
		w.Stop()
		other, peer := socketpair(t)
		calls := 0
		startIO(t, l, other, ev.Read, func(*ev.IO, ev.Events) { calls++; drain(t, other) })
		write(t, b, "x")
		for range 3 {
			nowait(t, l)
		}
		assert.Zero(t, calls)
		parks := l.Stats().Parks
		write(t, peer, "y")
		once(t, l) // the watchers still work after the set was rebuilt
		assert.Equal(t, 1, calls)
		go func() { untilParked(t, l, parks); l.Stop() }()
		run(t, l) // and the loop does not spin
	})
}

func TestAConnWithTheNumberOfAClosedOneDoesNotFeedTheOldWatcher(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		conns := func() (*os.File, *os.File) {
			a, b := socketpair(t)
			// A file owns its descriptor: each gets a duplicate.
			da, err := syscall.Dup(a)
			require.NoError(t, err)
			db, err := syscall.Dup(b)
			require.NoError(t, err)
			syscall.Close(a)
			syscall.Close(b)
			return os.NewFile(uintptr(da), "a"), os.NewFile(uintptr(db), "b")
		}
		oldConn, oldPeer := conns()
		defer oldPeer.Close()
		var gotOld []ev.Events
		old := ev.NewConnIO(l, oldConn, ev.Read, func(_ *ev.IO, e ev.Events) { gotOld = append(gotOld, e) })
		require.NoError(t, old.Start())
		nowait(t, l)
		fd := old.FD()
		require.NoError(t, oldConn.Close()) // the watcher is not stopped

		c, d := socketpair(t)
		require.NoError(t, dup2(c, fd)) // the number is used again
		calls := 0
		startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		write(t, d, "new")
		nowait(t, l)
		assert.Equal(t, 1, calls)
		assert.Equal(t, []ev.Events{ev.Error | ev.Read | ev.Write}, gotOld, "told that it lost its descriptor")
		assert.False(t, old.Active())
		syscall.Close(fd)
	})
}
