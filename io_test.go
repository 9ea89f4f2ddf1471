//go:build unix || windows

package ev_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// onEveryFDLoop is onEveryLoop for the backends that watch descriptors.
func onEveryFDLoop(t *testing.T, test func(t *testing.T, l *ev.Loop), opts ...ev.LoopOption) {
	t.Helper()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if !watchesDescriptors(t, l) {
			t.Skip("this backend has no descriptors")
		}
		test(t, l)
	}, opts...)
}

func watchesDescriptors(t testing.TB, l *ev.Loop) bool {
	a, _ := socketpair(t)
	w := ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {})
	err := w.Start()
	w.Stop()
	if err != nil {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	return err == nil
}

func write(t testing.TB, fd int, s string) {
	t.Helper()
	n, err := writeFD(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

func drain(t testing.TB, fd int) string {
	t.Helper()
	var got []byte
	var buf [256]byte
	for {
		n, err := readFD(fd, buf[:])
		if n <= 0 {
			if err != nil {
				require.ErrorIs(t, err, syscall.EAGAIN)
			}
			return string(got)
		}
		got = append(got, buf[:n]...)
	}
}

func startIO(t testing.TB, l *ev.Loop, fd int, events ev.Events, fn func(*ev.IO, ev.Events)) *ev.IO {
	t.Helper()
	w := ev.NewIO(l, fd, events, fn)
	require.NoError(t, w.Start())
	return w
}

func TestIOIsCalledInEveryIterationWhileDataIsUnread(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		calls := 0
		startIO(t, l, a, ev.Read, func(w *ev.IO, got ev.Events) {
			calls++
			assert.Equal(t, ev.Read, got)
			assert.Equal(t, ev.Read, w.Events())
		})
		nowait(t, l)
		assert.Zero(t, calls)
		write(t, b, "x")
		for range 3 {
			nowait(t, l)
		}
		once(t, l)
		assert.Equal(t, 4, calls)
		drain(t, a)
		nowait(t, l)
		assert.Equal(t, 4, calls)
	})
}

func TestIOWakesAParkedLoop(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		var got string
		startIO(t, l, a, ev.Read, func(w *ev.IO, _ ev.Events) {
			got += drain(t, a)
			if len(got) == 20 {
				w.Stop()
			}
		})
		go func() {
			for range 20 {
				untilParked(t, l, 0)
				write(t, b, "x")
			}
		}()
		run(t, l)
		assert.Len(t, got, 20)
	})
}

func TestAParkOnDescriptorsIsWokenByASend(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		fd, _ := socketpair(t)
		startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) {})
		var answers atomic.Int64
		a := ev.NewAsync(l, func(*ev.Async) { answers.Add(1) })
		a.Start()
		start(t, l)
		rounds := 5_000
		if runtime.GOMAXPROCS(0) == 1 {
			rounds = 500 // each write waits for the runtime to poll, 10 ms
		}
		for i := range rounds {
			spin(i % 300)
			before := answers.Load()
			a.Send()
			for began := time.Now(); answers.Load() == before; runtime.Gosched() {
				if time.Since(began) > patience {
					require.FailNow(t, "lost wake-up", "round %d, %+v", i, l.Stats())
				}
			}
		}
		s := l.Stats()
		assert.LessOrEqual(t, s.FDWrites+s.DirectWakes, s.Parks)
	})
}

func TestEachIOOnADescriptorGetsItsOwnEvents(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		var got []string
		note := func(name string) func(*ev.IO, ev.Events) {
			return func(_ *ev.IO, e ev.Events) { got = append(got, name+" "+e.String()) }
		}
		startIO(t, l, a, ev.Read, note("r"))
		w := startIO(t, l, a, ev.Write, note("w"))
		startIO(t, l, a, ev.Read|ev.Write, note("rw"))
		nowait(t, l)
		assert.Equal(t, []string{"w Write", "rw Write"}, got)
		write(t, b, "x")
		got = nil
		nowait(t, l)
		assert.Equal(t, []string{"r Read", "w Write", "rw Read|Write"}, got)
		w.Stop()
		got = nil
		nowait(t, l)
		assert.Equal(t, []string{"r Read", "rw Read|Write"}, got)
	})
}

func TestAHangUpIsReportedAsWhatWasAskedFor(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		var r, w ev.Events
		startIO(t, l, a, ev.Read, func(_ *ev.IO, e ev.Events) { r = e })
		startIO(t, l, a, ev.Write, func(_ *ev.IO, e ev.Events) { w = e })
		require.NoError(t, closeFD(b))
		nowait(t, l)
		assert.Equal(t, ev.Read, r)
		assert.Equal(t, ev.Write, w)
	})
}

func TestAnIOStartedAndStoppedBeforeThePollIsNotCalled(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		w := startIO(t, l, a, ev.Write, func(*ev.IO, ev.Events) { assert.Fail(t, "called") })
		before := l.Stats().InterestChanges
		w.Stop()
		nowait(t, l)
		assert.Equal(t, before, l.Stats().InterestChanges)
	})
}

// Such a loop would not poll for any other reason.
func TestABusyLoopLetsGoOfItsLastDescriptor(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		busy := ev.NewAsync(l, (*ev.Async).Send)
		busy.Start()
		busy.Send()
		w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {})
		nowait(t, l)
		before := l.Stats().InterestChanges
		w.Stop()
		nowait(t, l)
		assert.EqualValues(t, 1, l.Stats().InterestChanges-before)
	})
}

func TestBadDescriptorsAndMasksAreRefused(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		nop := func(*ev.IO, ev.Events) {}
		assert.EqualError(t, ev.NewIO(l, -1, ev.Read, nop).Start(), "ev: IO.Start: negative descriptor -1")
		err := ev.NewIO(l, 1<<30, ev.Read, nop).Start()
		assert.ErrorIs(t, err, syscall.EBADF)
		assert.ErrorContains(t, err, "ev: IO.Start: descriptor 1073741824")
		bad := ev.NewIO(l, a, ev.TimerEvent, nop)
		assert.EqualError(t, bad.Start(), "ev: IO.Start: events Timer are not a set of Read and Write")
		assert.False(t, bad.Active())
		w := startIO(t, l, a, ev.Read, nop)
		assert.EqualError(t, w.Set(a, ev.Write), "ev: IO.Set: the watcher is active")
		assert.Error(t, w.SetEvents(ev.Custom))
		w.Stop()
		assert.EqualError(t, w.Set(-2, ev.Read), "ev: IO.Set: negative descriptor -2")
		assert.Error(t, w.Set(a, ev.IdleEvent))
		assert.Equal(t, ev.Read, w.Interest())
		assert.PanicsWithValue(t, "ev: NewIO: nil loop", func() { ev.NewIO(nil, a, ev.Read, nop) })
		assert.PanicsWithValue(t, "ev: NewIO: nil callback", func() { ev.NewIO(l, a, ev.Read, nil) })
		assert.PanicsWithValue(t, "ev: NewConnIO: nil connection", func() { ev.NewConnIO(l, nil, ev.Read, nop) })
		assert.PanicsWithValue(t, "ev: IO.SetCallback: nil callback", func() { w.SetCallback(nil) })
	})
}

func TestAnIOForNoEventsIsNeverCalledAndKeepsTheLoop(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		startIO(t, l, a, ev.None, func(*ev.IO, ev.Events) { assert.Fail(t, "called") })
		require.NoError(t, closeFD(b)) // not even for a hang-up
		nowait(t, l)
		assert.True(t, l.Alive())
		parks := l.Stats().Parks
		go func() { untilParked(t, l, parks); l.Stop() }()
		run(t, l)
	})
}

func TestACallbackMayReadWriteAndCloseItsConn(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer ln.Close()
		client, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		server, err := ln.Accept()
		require.NoError(t, err)

		w := ev.NewConnIO(l, server.(syscall.Conn), ev.Read, func(w *ev.IO, _ ev.Events) {
			var buf [64]byte
			n, err := server.Read(buf[:])
			if err == io.EOF {
				assert.NoError(t, server.Close())
				w.Stop()
				return
			}
			assert.NoError(t, err)
			_, err = server.Write(buf[:n])
			assert.NoError(t, err)
		})
		assert.Positive(t, w.FD())
		require.NoError(t, w.Start())
		go func() {
			for range 10 {
				_, err := client.Write([]byte("ping"))
				assert.NoError(t, err)
				var buf [4]byte
				_, err = io.ReadFull(client, buf[:])
				assert.NoError(t, err)
			}
			client.Close()
		}()
		run(t, l)
	})
}

func TestAGoroutineThatReadsTheConnIsNotDisturbed(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		r, w := connPair(t)
		io := ev.NewConnIO(l, r, ev.Read, func(*ev.IO, ev.Events) {})
		require.NoError(t, io.Start())
		read := make(chan string, 1)
		go func() {
			var buf [8]byte
			n, _ := r.Read(buf[:])
			read <- string(buf[:n])
		}()
		start(t, l)
		_, err := w.Write([]byte("hi"))
		require.NoError(t, err)
		assert.Equal(t, "hi", receive(t, read))
		onLoop(t, l, io.Stop)
	})
}

func TestAConnThatIsClosedAlreadyIsRefused(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		w.Close()
		r.Close()
		io := ev.NewConnIO(l, r, ev.Read, func(*ev.IO, ev.Events) { assert.Fail(t, "called") })
		assert.Equal(t, -1, io.FD())
		assert.ErrorIs(t, io.Start(), os.ErrClosed)
		assert.False(t, io.Active())
	})
}

func TestFeedFDReachesTheWatchersThatAskedForTheEvents(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		var got ev.Events
		w := startIO(t, l, a, ev.Read, func(_ *ev.IO, e ev.Events) { got = e })
		l.FeedFD(a, ev.Write)
		assert.Zero(t, l.Pending())
		for _, fd := range []int{-1, a + 1000} {
			l.FeedFD(fd, ev.Read)
		}
		assert.Zero(t, l.Pending())
		l.FeedFD(a, ev.Read|ev.Write)
		assert.True(t, w.Pending())
		l.Invoke()
		assert.Equal(t, ev.Read, got)
	})
}

func TestChangesOfInterestAreToldOncePerIterationAndOnlyIfTheyMatter(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		ctls := func() (n uint64) {
			before := l.Stats().InterestChanges
			nowait(t, l)
			return l.Stats().InterestChanges - before
		}
		ctls()
		w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {})
		assert.EqualValues(t, 1, ctls(), "Start")
		assert.Zero(t, ctls())
		for range 10 {
			require.NoError(t, w.SetEvents(ev.Write))
			require.NoError(t, w.SetEvents(ev.Read))
		}
		assert.Zero(t, ctls(), "nothing changed in effect")
		require.NoError(t, w.SetEvents(ev.Read|ev.Write))
		other := startIO(t, l, a, ev.Write, func(*ev.IO, ev.Events) {})
		assert.EqualValues(t, 1, ctls(), "one for the descriptor")
		require.NoError(t, w.SetEvents(ev.Read))
		assert.Zero(t, ctls(), "the other watcher still wants Write")
		other.Stop()
		assert.EqualValues(t, 1, ctls())
		w.Stop()
		require.NoError(t, w.Start())
		assert.EqualValues(t, 1, ctls(), "Start tells in any case: the number may be another file's")
		w.Stop()
		require.NoError(t, w.Set(a, ev.Read))
		require.NoError(t, w.Start())
		assert.EqualValues(t, 1, ctls())
	})
}

func TestSetEventsTakesEffectInTheNextPoll(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, b := socketpair(t)
		var got []ev.Events
		w := startIO(t, l, a, ev.Read, func(w *ev.IO, e ev.Events) { got = append(got, e) })
		write(t, b, "x")
		nowait(t, l)
		require.NoError(t, w.SetEvents(ev.Write))
		nowait(t, l)
		require.NoError(t, w.SetEvents(ev.None))
		nowait(t, l)
		assert.Equal(t, []ev.Events{ev.Read, ev.Write}, got)
		l.FeedFD(a, ev.Read)
		assert.Zero(t, l.Pending())
	})
}

func TestRegularFilesAndDevNullAreAlwaysReady(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no readiness of files")
	}
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		file, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		defer file.Close()
		calls := 0
		w := startIO(t, l, int(file.Fd()), ev.Read|ev.Write, func(_ *ev.IO, e ev.Events) {
			calls++
			assert.Equal(t, ev.Read|ev.Write, e)
		})
		for range 3 {
			once(t, l) // does not park
		}
		assert.Equal(t, 3, calls)
		w.Stop()
		once2 := startIO(t, l, devNull(t), ev.Write, func(w *ev.IO, _ ev.Events) { w.Stop() })
		run(t, l)
		assert.False(t, once2.Active())
		assert.Equal(t, 3, calls)
	})
}

func TestALoopWithoutIONeverMakesASet(t *testing.T) { // and one with, one more descriptor
	if openDescriptors() == 0 {
		t.Skip("needs /proc/self/fd")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		before := openDescriptors()
		ev.NewIO(l, 0, ev.Read, func(*ev.IO, ev.Events) {})
		nowait(t, l)
		assert.LessOrEqual(t, openDescriptors(), before)
		a, _ := socketpair(t)
		before = openDescriptors()
		for range 2 {
			if ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {}).Start() != nil {
				return
			}
		}
		assert.LessOrEqual(t, openDescriptors(), before+1)
	})
}

func TestIOIsUnsupportedOnTheChannelBackend(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendChan))
	a, _ := socketpair(t)
	w := ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {})
	err := w.Start()
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	assert.ErrorContains(t, err, "use BackendAuto, or read and write on a goroutine")
	assert.False(t, w.Active())
}

func TestIOOnAClosedLoopIsRefused(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {})
		require.NoError(t, l.Close())
		assert.False(t, w.Active())
		assert.ErrorIs(t, ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {}).Start(), ev.ErrClosed)
		l.FeedFD(a, ev.Read)
	})
}

func TestManyReadyDescriptorsOfWhichTheFirstStopsAll(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		var all []*ev.IO
		calls := 0
		for range 300 {
			a, b := socketpair(t)
			write(t, b, "x")
			all = append(all, startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {
				calls++
				for _, w := range all {
					w.Stop()
				}
			}))
		}
		run(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestADeadlineEndsAParkOnDescriptors(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, _ := socketpair(t)
		w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {})
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(tm *ev.Timer) {
			if ticks++; ticks == 20 {
				tm.Stop()
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 20, ticks)
	})
}

func TestDuplexTrafficArrivesWhole(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		const pairs, size = 5, 1 << 16
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7)
		}
		r := rand.New(rand.NewPCG(3, 4))
		open := 2 * pairs
		for range pairs {
			a, b := socketpair(t)
			for _, fd := range []int{a, b} {
				out, in := data, []byte(nil)
				startIO(t, l, fd, ev.Read|ev.Write, func(w *ev.IO, e ev.Events) {
					if e&ev.Read != 0 && r.IntN(3) > 0 {
						buf := make([]byte, 1+r.IntN(4096))
						if n, err := readFD(fd, buf); err == nil {
							in = append(in, buf[:n]...)
						}
					}
					if e&ev.Write != 0 && len(out) > 0 && r.IntN(3) > 0 {
						if n, err := writeFD(fd, out[:min(len(out), 1+r.IntN(4096))]); err == nil {
							out = out[n:]
						}
					}
					if len(out) == 0 {
						require.NoError(t, w.SetEvents(ev.Read))
					}
					if len(out) == 0 && len(in) == size {
						assert.True(t, slices.Equal(data, in))
						w.Stop()
						open--
					}
				})
			}
		}
		run(t, l)
		assert.Zero(t, open)
	})
}
