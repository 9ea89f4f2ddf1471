//go:build unix

package ev_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func raise(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), sig))
}

func TestSignalsBeforeAnIterationAreOneCallbackPerWatcher(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var calls atomic.Int64
		count := func(s *ev.Signal) {
			assert.Equal(t, ev.SignalEvent, s.Events())
			assert.Equal(t, syscall.SIGUSR1, s.Signal())
			calls.Add(1)
		}
		for range 2 {
			require.NoError(t, ev.NewSignal(l, syscall.SIGUSR1, count).Start())
		}
		require.NoError(t, ev.NewSignal(l, syscall.SIGUSR2, func(*ev.Signal) { assert.Fail(t, "the other signal") }).Start())
		guard := ev.NewTimer(l, patience, 0, func(*ev.Timer) { assert.Fail(t, "no signal came"); l.Stop() })
		guard.Start()
		for range 2 {
			raise(t, syscall.SIGUSR1)
		}
		for calls.Load() < 2 {
			once(t, l)
		}
		assert.LessOrEqual(t, calls.Load(), int64(4), "two signals, two watchers")
	})
}

func TestARealSignalWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		s := ev.NewSignal(l, syscall.SIGUSR1, func(s *ev.Signal) { s.Stop() })
		require.NoError(t, s.Start())
		require.NoError(t, s.Start(), "no effect when active")
		go func() {
			untilParked(t, l, 0)
			raise(t, syscall.SIGUSR1)
		}()
		run(t, l)
	})
}

func TestASignalWatcherCanBeStoppedAndStartedAgain(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		calls := 0
		s := ev.NewSignal(l, syscall.SIGUSR1, func(s *ev.Signal) { calls++; s.Stop() })
		other := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {})
		require.NoError(t, other.Start()) // keeps the signal from killing the process
		other.Keep(false)
		for i := range 3 {
			require.NoError(t, s.Start())
			raise(t, syscall.SIGUSR1)
			run(t, l)
			assert.Equal(t, i+1, calls)
			raise(t, syscall.SIGUSR1)
			time.Sleep(2 * time.Millisecond)
			nowait(t, l)
			assert.Equal(t, i+1, calls, "called while stopped")
		}
	})
}

func TestASignalCaughtBeforeStopIsDropped(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		other := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {})
		require.NoError(t, other.Start())
		s := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) { assert.Fail(t, "called") })
		require.NoError(t, s.Start())
		ev.FeedSignal(syscall.SIGUSR1)
		s.Stop()
		nowait(t, l)
		require.NoError(t, s.Start())
		nowait(t, l)
	})
}

func TestFeedSignalWakesEveryLoopThatWatches(t *testing.T) {
	var calls sync.WaitGroup
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const loops = 4
		calls.Add(loops)
		for range loops {
			m := newLoop(t, ev.WithBackend(l.Backend()))
			s := ev.NewSignal(m, syscall.SIGUSR2, func(s *ev.Signal) {
				assert.Equal(t, ev.SignalEvent, s.Events())
				s.Stop()
				calls.Done()
			})
			require.NoError(t, s.Start())
			start(t, m)
		}
		answered := make(chan struct{})
		go func() { calls.Wait(); close(answered) }()
		ev.FeedSignal(syscall.SIGUSR2)
		receive(t, answered)
	})
}

func TestFeedSignalOfWhatNobodyWatchesIsIgnored(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		s := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {})
		require.NoError(t, s.Start())
		other := newLoop(t)
		for _, sig := range []os.Signal{syscall.SIGUSR2, syscall.Signal(0), syscall.Signal(99999), syscall.Signal(-1), nil} {
			ev.FeedSignal(sig)
			l.FeedSignal(sig)
		}
		other.FeedSignal(syscall.SIGUSR1)
		assert.Zero(t, l.Pending())
		assert.Zero(t, other.Pending())
		l.FeedSignal(syscall.SIGUSR1)
		assert.Equal(t, 1, l.Pending())
		assert.True(t, s.Pending())
	})
}

func TestFeedSignalFromManyGoroutines(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var calls atomic.Int64
		s := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) { calls.Add(1) })
		require.NoError(t, s.Start())
		start(t, l)
		var feeders sync.WaitGroup
		for range 8 {
			feeders.Go(func() {
				for range 500 {
					ev.FeedSignal(syscall.SIGUSR1)
				}
			})
		}
		feeders.Wait()
		require.Eventually(t, func() bool { return calls.Load() > 0 }, patience, time.Millisecond)
		assert.LessOrEqual(t, calls.Load(), int64(8*500))
	})
}

func TestASignalThatCannotBeWatchedIsRefusedWithAReason(t *testing.T) {
	l := newLoop(t)
	for sig, want := range map[os.Signal]string{
		nil:                "ev: Signal.Start: nil signal",
		syscall.Signal(0):  "ev: Signal.Start: signal 0: invalid argument",
		syscall.Signal(65): "ev: Signal.Start: signal 65: invalid argument",
		syscall.SIGKILL:    "ev: Signal.Start: signal killed cannot be caught",
		syscall.SIGURG:     "ev: Signal.Start: signal urgent I/O condition belongs to the Go runtime, which preempts goroutines with it",
		strangeSignal{}:    "ev: Signal.Start: signal strange is a ev_test.strangeSignal, not a syscall.Signal",
	} {
		s := ev.NewSignal(l, sig, func(*ev.Signal) {})
		assert.EqualError(t, s.Start(), want)
		assert.False(t, s.Active())
	}
	assert.ErrorIs(t, ev.NewSignal(l, syscall.Signal(0), func(*ev.Signal) {}).Start(), syscall.EINVAL)
}

type strangeSignal struct{}

func (strangeSignal) Signal()        {}
func (strangeSignal) String() string { return "strange" }

func TestSignalOnAClosedLoopIsRefused(t *testing.T) {
	l := newLoop(t)
	active := ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {})
	require.NoError(t, active.Start())
	require.NoError(t, l.Close())
	assert.False(t, active.Active())
	assert.ErrorIs(t, ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {}).Start(), ev.ErrClosed)
	ev.FeedSignal(syscall.SIGUSR1)
}

func TestAnIgnoredSignalIsIgnoredAgainAfterTheLastWatcher(t *testing.T) {
	restore(t)
	signal.Ignore(syscall.SIGUSR2)
	l, m := newLoop(t), newLoop(t)
	a := ev.NewSignal(l, syscall.SIGUSR2, func(*ev.Signal) {})
	b := ev.NewSignal(m, syscall.SIGUSR2, func(*ev.Signal) {})
	require.NoError(t, a.Start())
	require.NoError(t, b.Start())
	a.Stop()
	assert.False(t, signal.Ignored(syscall.SIGUSR2))
	b.Stop()
	assert.True(t, signal.Ignored(syscall.SIGUSR2))
	raise(t, syscall.SIGUSR2)
}

func TestOtherUsersOfASignalGetItToo(t *testing.T) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	defer signal.Stop(ch)
	l := newLoop(t)
	s := ev.NewSignal(l, syscall.SIGUSR1, func(s *ev.Signal) { s.Stop() })
	require.NoError(t, s.Start())
	raise(t, syscall.SIGUSR1)
	run(t, l)
	receive(t, ch)
	raise(t, syscall.SIGUSR1) // s is stopped, but the channel keeps the process alive
	receive(t, ch)
}

func init() {
	helpers["signal-default"] = func() {
		l, _ := ev.New()
		s := ev.NewSignal(l, syscall.SIGTERM, func(s *ev.Signal) {
			s.Stop()
			fmt.Println("caught")
		})
		_ = s.Start()
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		_ = l.Run(context.Background())
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(patience)
		fmt.Println("alive")
	}
}

func TestTheDefaultActionIsBackAfterTheLastWatcher(t *testing.T) {
	cmd := thisProgram(t.Context())
	cmd.Env = append(os.Environ(), "EV_TEST_HELPER=signal-default")
	out, err := cmd.Output()
	assert.Equal(t, "caught", strings.TrimSpace(string(out)))
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, syscall.SIGTERM, exit.Sys().(syscall.WaitStatus).Signal())
}

func TestAChildInheritsNoDescriptorAndNoSignalMask(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc")
	}
	output := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		require.NoError(t, err)
		return string(out)
	}
	child := func() (descriptors, mask string) {
		return output("ls", "/proc/self/fd"), output("grep", "SigBlk", "/proc/self/status")
	}
	descriptors, mask := child()
	l := newLoop(t)
	require.NoError(t, ev.NewSignal(l, syscall.SIGUSR1, func(*ev.Signal) {}).Start())
	a, _ := socketpair(t)
	_ = ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {}).Start() // the set
	inherited, masked := child()
	assert.Equal(t, descriptors, inherited)
	assert.Equal(t, mask, masked)
}
