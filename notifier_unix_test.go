//go:build unix

package ev_test

import (
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

var oneRequest = binary.NativeEndian.AppendUint64(nil, 1)

// notifierOf returns a's Notifier. It is closed after the test.
func notifierOf(t testing.TB, a *ev.Async) *os.File {
	t.Helper()
	f, err := a.Notifier()
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func notify(t testing.TB, f *os.File) {
	t.Helper()
	_, err := f.Write(oneRequest)
	require.NoError(t, err)
}

// counted makes an Async with a Notifier, and counts its calls.
func counted(t testing.TB, l *ev.Loop) (a *ev.Async, f *os.File, calls *int) {
	t.Helper()
	calls = new(int)
	a = ev.NewAsync(l, func(a *ev.Async) {
		assert.Equal(t, ev.AsyncEvent, a.Events())
		*calls++
	})
	return a, notifierOf(t, a), calls
}

func TestAWriteToANotifierIsASend(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		a.Start()
		before := l.Stats().Collected
		notify(t, f)
		once(t, l)
		assert.Equal(t, 1, *calls)
		assert.Equal(t, before+1, l.Stats().Collected)
		nowait(t, l)
		assert.Equal(t, 1, *calls, "it was taken")
		assert.Equal(t, before+1, l.Stats().Collected)
		assert.False(t, a.Sent())
	})
}

func TestANotifierMadeWhileTheAsyncIsActiveWorksToo(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		a := ev.NewAsync(l, func(*ev.Async) { calls++ })
		a.Start()
		a.Send()
		f := notifierOf(t, a)
		nowait(t, l)
		assert.Equal(t, 1, calls, "Notifier forgets nothing")
		notify(t, f)
		nowait(t, l)
		assert.Equal(t, 2, calls)
	})
}

func TestWritesToNotifiersCollapse(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		again := notifierOf(t, a)
		a.Start()
		before := l.Stats().Collected
		for range 100 {
			notify(t, f)
			notify(t, again)
		}
		nowait(t, l)
		assert.Equal(t, 1, *calls)
		assert.Equal(t, before+1, l.Stats().Collected)
		a.Send()
		notify(t, f)
		nowait(t, l)
		assert.Equal(t, 2, *calls, "one per iteration, also with a Send")
		nowait(t, l)
		assert.Equal(t, 2, *calls)
	})
}

func TestNotifiersAreTheCallersToClose(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		a.Start()
		other := notifierOf(t, a)
		require.NoError(t, f.Close())
		notify(t, other)
		nowait(t, l)
		require.NoError(t, other.Close())
		notify(t, notifierOf(t, a))
		nowait(t, l)
		assert.Equal(t, 2, *calls)
	})
}

func TestANotifierWakesAParkedLoop(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		called := make(chan int, 1)
		data := 0 // the race detector checks that it needs no lock
		a := ev.NewAsync(l, func(*ev.Async) { called <- data })
		start(t, l)
		var f *os.File
		onLoop(t, l, func() {
			a.Start()
			f = notifierOf(t, a)
		})
		for i := range 20 {
			if i%4 == 0 {
				untilParked(t, l, 0)
			}
			data = i
			notify(t, f)
			require.Equal(t, i, receive(t, called))
		}
	})
}

func TestABusyLoopSeesANotifier(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		busy := ev.NewAsync(l, func(a *ev.Async) { a.Send() })
		var noticed ev.Watcher
		a := ev.NewAsync(l, func(a *ev.Async) {
			noticed = a
			l.Stop()
		})
		busy.Start()
		a.Start()
		busy.Send()
		notify(t, notifierOf(t, a))
		run(t, l)
		assert.Equal(t, a, noticed)
	})
}

func TestWhatIsWrittenWhileStoppedIsForgottenByStart(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		notify(t, f) // never started
		a.Start()
		nowait(t, l)
		for range 3 {
			notify(t, f)
			a.Stop()
			nowait(t, l)
			for range 100 {
				notify(t, f)
			}
			nowait(t, l)
			a.Start()
			nowait(t, l)
		}
		assert.Zero(t, *calls)
		notify(t, f)
		nowait(t, l)
		assert.Equal(t, 1, *calls)
	})
}

func TestStopTakesBackWhatANotifierMadePending(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		a.Start()
		check := ev.NewCheck(l, func(*ev.Check) { // before the Asyncs
			assert.True(t, a.Pending())
			a.Stop()
		})
		check.Start()
		notify(t, f)
		once(t, l)
		check.Stop()
		nowait(t, l)
		assert.Zero(t, *calls)
	})
}

func TestANotifierIsNoWatcher(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		assert.Zero(t, l.Active())
		assert.False(t, l.Alive())
		run(t, l) // it ends
		a.Start()
		assert.Equal(t, []ev.Watcher{a}, slices.Collect(l.Watchers()))
		assert.Equal(t, 1, l.Active())
		a.Keep(false)
		run(t, l)
		a.Keep(true)
		a.SetCallback(func(a *ev.Async) { *calls++; a.Stop() })
		notify(t, f)
		run(t, l)
		assert.Equal(t, 1, *calls)
		assert.Zero(t, l.Active())
	})
}

func TestAnEmbeddedLoopsNotifierWakesItsHost(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		host := newLoop(t)
		embed := ev.NewEmbed(host, l, nil)
		require.NoError(t, embed.Start())
		called := make(chan struct{}, 1)
		a := ev.NewAsync(l, func(*ev.Async) { called <- struct{}{} })
		a.Start()
		f := notifierOf(t, a)
		start(t, host)
		for range 3 {
			untilParked(t, host, 0)
			notify(t, f)
			receive(t, called)
		}
		onLoop(t, host, func() { embed.Stop(); a.Stop() })
	})
}

func TestANotifierOutlivesItsLoop(t *testing.T) {
	for _, mode := range []ev.Wakeup{ev.WakeWrite, ev.WakeDirect} {
		before := openDescriptors()
		l := newLoop(t, ev.WithWakeup(mode))
		if !watchesDescriptors(t, l) {
			t.Skip("this system has no backend with descriptors")
		}
		before += 2 // those of watchesDescriptors, until the test ends
		active, f, calls := counted(t, l)
		stopped, other, _ := counted(t, l)
		stopped.Start()
		stopped.Stop()
		active.Start()
		notify(t, f)
		require.NoError(t, l.Close())
		if before > 2 {
			assert.LessOrEqual(t, openDescriptors(), before+2, "the loop has closed all but these two")
		}
		quiet := recycledDescriptors(t)
		for _, f := range []*os.File{f, other} {
			if _, err := f.Write(oneRequest); runtime.GOOS != "linux" {
				assert.ErrorIs(t, err, syscall.EPIPE)
			} else {
				assert.NoError(t, err)
			}
		}
		quiet()
		active.Stop()
		active.Start()
		assert.Zero(t, *calls)
	}
}

func TestNotifiersAreCloseOnExecAndNonBlocking(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		_, f, _ := counted(t, l)
		fd := f.Fd()
		flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
		require.NoError(t, err)
		assert.NotZero(t, flags&unix.FD_CLOEXEC)
		flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0)
		require.NoError(t, err)
		assert.NotZero(t, flags&unix.O_NONBLOCK)
	})
}

// A stale event was found before the watcher was stopped and started, which drains the
// descriptor. FeedFD makes such an event. A program that shares the descriptor may have
// made the loop's end blocking.
func TestAStaleEventNeitherCallsNorBlocks(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		a.Start()
		require.NoError(t, syscall.SetNonblock(int(f.Fd()), false))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range 3 {
				for fd := range 1000 { // the loop's end is one of them
					l.FeedFD(fd, ev.Read)
				}
				nowait(t, l)
				a.Stop()
				a.Start()
			}
		}()
		receive(t, ended)
		assert.Zero(t, *calls)
		notify(t, f)
		nowait(t, l)
		assert.Equal(t, 1, *calls)
	})
}

func TestNoUpdateIsMissedByNotifiers(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		const writers, each = 4, 500
		var made atomic.Int64
		calls := 0
		a := ev.NewAsync(l, func(a *ev.Async) {
			calls++
			if made.Load() == writers*each {
				a.Stop()
			}
		})
		a.Start()
		var all sync.WaitGroup
		for range writers {
			f := notifierOf(t, a)
			all.Go(func() {
				for range each {
					made.Add(1)
					_, err := f.Write(oneRequest)
					assert.NoError(t, err)
				}
			})
		}
		run(t, l)
		all.Wait()
		assert.LessOrEqual(t, calls, writers*each)
	})
}

func TestWritesMayRaceWithStopStartAndClose(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		a, f, calls := counted(t, l)
		a.Start()
		start(t, l)
		var over atomic.Bool
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for !over.Load() {
					// A pipe whose loop is closed returns EPIPE.
					if _, err := f.Write(oneRequest); err != nil {
						assert.ErrorIs(t, err, syscall.EPIPE)
					}
				}
			})
		}
		for range 200 {
			onLoop(t, l, func() {
				a.Stop()
				seen := *calls
				a.Start()
				assert.Equal(t, seen, *calls)
				_ = l.Verify()
			})
		}
		require.Eventually(t, func() bool {
			seen := 0
			onLoop(t, l, func() { seen = *calls })
			return seen > 0
		}, patience, 1)
		require.NoError(t, l.Close())
		over.Store(true)
		all.Wait()
	})
}

func init() {
	helpers["notify"] = func() {
		f := os.NewFile(3, "notifier")
		if os.Getenv("EV_TEST_BLOCKING") == "1" {
			_ = syscall.SetNonblock(3, false)
		}
		if _, err := f.Write(oneRequest); err != nil {
			panic(err)
		}
	}
}

func TestAChildProcessSends(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, blocking := range []string{"0", "1"} {
			calls := 0
			a := ev.NewAsync(l, func(a *ev.Async) {
				calls++
				a.Stop()
			})
			a.Start()
			f := notifierOf(t, a)
			cmd := thisProgram(t.Context())
			cmd.Env = append(os.Environ(), "EV_TEST_HELPER=notify", "EV_TEST_BLOCKING="+blocking)
			cmd.ExtraFiles, cmd.Stderr = []*os.File{f}, os.Stderr
			require.NoError(t, cmd.Start())
			run(t, l)
			assert.NoError(t, cmd.Wait())
			assert.Equal(t, 1, calls)
		}
	})
}
