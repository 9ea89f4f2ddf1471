package ev_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// foreign is a main loop that polls a descriptor of the loop.
type foreign struct {
	*ev.Loop
	fd int
}

func onEveryForeignLoop(t *testing.T, test func(t *testing.T, f foreign)) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		fd, err := l.PollFD()
		require.NoError(t, err)
		test(t, foreign{l, fd})
	})
}

// readable waits until the descriptor is readable.
func (f foreign) readable(wait time.Duration) bool {
	p := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, int(wait.Milliseconds()))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// until calls RunNoWait whenever the descriptor is readable, until done is true.
func (f foreign) until(t testing.TB, done func() bool) {
	t.Helper()
	for !done() {
		require.True(t, f.readable(patience), "there is something to do, and the descriptor is not readable")
		nowait(t, f.Loop)
	}
}

// settles asserts that the descriptor becomes quiet: a few spurious reports are allowed.
func (f foreign) settles(t testing.TB) {
	t.Helper()
	for range 5 {
		if !f.readable(0) {
			return
		}
		nowait(t, f.Loop)
	}
	assert.Fail(t, "the descriptor stays readable")
}

func TestThePollFDIsQuietWhileThereIsNothingToDo(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		f.settles(t)
		again, err := f.PollFD()
		require.NoError(t, err)
		assert.Equal(t, f.fd, again)
		f.settles(t)
		farOff(t, f.Loop)
		f.settles(t)
		assert.False(t, f.readable(50*time.Millisecond))
	})
}

// The wake-up is taken with the request: one RunNoWait for each.
func TestOneRunNoWaitMakesThePollFDQuiet(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		a := ev.NewAsync(f.Loop, func(*ev.Async) {})
		a.Start()
		f.settles(t)
		a.Send()
		require.True(t, f.readable(patience))
		nowait(t, f.Loop)
		assert.False(t, f.readable(0))
	})
}

func TestThePollFDReportsSendsPostsAndTimers(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		var order journal
		a := order.async(f.Loop, "async")
		a.Start()
		f.settles(t)
		for range 3 {
			go a.Send()
			f.until(t, func() bool { return len(order) == 1 })
			order = nil
			f.settles(t)
		}
		go func() { _ = f.Post(func() { order.note("post") }) }()
		f.until(t, func() bool { return len(order) == 1 })
		f.settles(t)
		ticks := 0
		began := f.Loop.Now() // the timer counts from here
		tick := ev.NewTimer(f.Loop, time.Millisecond, 3*time.Millisecond, func(*ev.Timer) { ticks++ })
		tick.Start()
		f.until(t, func() bool { return ticks == 5 })
		assert.GreaterOrEqual(t, time.Since(began), 13*time.Millisecond)
		tick.Stop()
		f.settles(t)
		assert.Equal(t, journal{"post"}, order)
	})
}

// Between two calls of RunNoWait, the program changes watchers on the loop's goroutine.
func TestThePollFDReportsWhatChangesMakeDue(t *testing.T) {
	for name, change := range map[string]func(l *ev.Loop, w *ev.Timer, repeating *ev.Timer){
		"Start":    func(l *ev.Loop, w, _ *ev.Timer) { w.Stop(); _ = w.Set(time.Millisecond, 0); w.Start() },
		"Arm":      func(_ *ev.Loop, w, _ *ev.Timer) { w.Arm(time.Millisecond) },
		"Reset":    func(_ *ev.Loop, _, r *ev.Timer) { _ = r.SetRepeat(time.Millisecond); r.Reset() },
		"Feed":     func(_ *ev.Loop, w, _ *ev.Timer) { w.Feed(ev.Custom) },
		"Resume":   func(l *ev.Loop, w, _ *ev.Timer) { w.Arm(time.Millisecond); l.Suspend(); l.Resume() },
		"Periodic": func(l *ev.Loop, w, _ *ev.Timer) { w.Stop(); fedBy(l, w, time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			onEveryForeignLoop(t, func(t *testing.T, f foreign) {
				called := false
				w := ev.NewTimer(f.Loop, time.Hour, 0, func(*ev.Timer) { called = true })
				r := ev.NewTimer(f.Loop, 0, time.Hour, func(*ev.Timer) { called = true })
				w.Start()
				r.Reset()
				f.settles(t)
				require.False(t, called)
				change(f.Loop, w, r)
				f.until(t, func() bool { return called })
				w.Stop()
				r.Stop()
			})
		})
	}
}

// fedBy feeds w by a Periodic.
func fedBy(l *ev.Loop, w *ev.Timer, d time.Duration) {
	at := time.Duration(time.Now().Add(d).UnixNano())
	ev.NewPeriodic(l, at, 0, func(*ev.Periodic) { w.Feed(ev.Custom) }).Start()
}

func TestThePollFDReportsDescriptors(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		ours, peer := connPair(t)
		got := 0
		buf := make([]byte, 10)
		in := ev.NewConnIO(f.Loop, ours, ev.None, func(in *ev.IO, _ ev.Events) {
			n, _ := in.TryRead(buf)
			got += n
		})
		require.NoError(t, in.Start())
		_, err := peer.Write([]byte("hello"))
		require.NoError(t, err)
		f.settles(t)
		assert.Zero(t, got)
		require.NoError(t, in.SetEvents(ev.Read))
		f.until(t, func() bool { return got == 5 })
		f.settles(t)
		require.NoError(t, in.SetEvents(ev.Read|ev.Write))
		for range 3 { // writable: there is something to do all the time
			nowait(t, f.Loop)
			assert.True(t, f.readable(0))
		}
		in.Stop()
		f.settles(t)
	})
}

func TestThePollFDIsReadableWhileAnIdleIsActive(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		idle := ev.NewIdle(f.Loop, func(*ev.Idle) {})
		idle.Start()
		for range 5 {
			assert.True(t, f.readable(0))
			nowait(t, f.Loop)
		}
		idle.Stop()
		f.settles(t)
	})
}

// Every Send is answered, at whatever moment it comes, and so are timers in between.
func TestThePollFDMissesNoSend(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		const senders, rounds = 4, 3000
		var answered [senders]atomic.Int64
		var senderDone sync.WaitGroup
		total := 0
		for i := range senders {
			a := ev.NewAsync(f.Loop, func(*ev.Async) { answered[i].Add(1) })
			a.Start()
			random := rand.New(rand.NewPCG(uint64(i), 1))
			senderDone.Go(func() {
				for n := range rounds {
					before := answered[i].Load()
					a.Send()
					if n%8 != 0 {
						continue
					}
					for deadline := time.Now().Add(patience); answered[i].Load() == before; {
						if time.Now().After(deadline) {
							t.Error("a Send was not answered")
							return
						}
						time.Sleep(time.Duration(random.IntN(3)) * time.Microsecond)
					}
				}
			})
		}
		tick := ev.NewTimer(f.Loop, 0, 500*time.Microsecond, func(*ev.Timer) { total++ })
		tick.Start()
		var over atomic.Bool
		end := ev.NewAsync(f.Loop, func(*ev.Async) {})
		end.Start()
		go func() { senderDone.Wait(); over.Store(true); end.Send() }()
		f.until(t, over.Load)
		tick.Stop()
		f.settles(t)
		assert.Positive(t, total)
	})
}

// While RunNoWait is at work, a Send makes no system call. At its end there is one for all.
func TestThePollFDCostsOneWriteForTheSendsOfAPass(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		calls := 0
		var all []*ev.Async
		for range 10 {
			a := ev.NewAsync(f.Loop, func(*ev.Async) { calls++ })
			a.Start()
			all = append(all, a)
		}
		writes := uint64(0)
		w := ev.NewTimer(f.Loop, 0, 0, func(*ev.Timer) {
			writes = f.Stats().FDWrites
			for _, a := range all {
				a.Send()
			}
			assert.Equal(t, writes, f.Stats().FDWrites)
		})
		w.Arm(time.Millisecond)
		f.settles(t)
		f.until(t, func() bool { return !w.Active() })
		assert.Equal(t, writes+1, f.Stats().FDWrites)
		f.until(t, func() bool { return calls == 10 })
		f.settles(t)
	})
}

// A set of descriptors that cannot be repaired is replaced. The descriptor that the program polls
// stays the same.
func TestThePollFDOutlivesTheSetOfDescriptors(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		require.NoError(t, ev.ReopenSet(f.Loop))
		called := false
		a := ev.NewAsync(f.Loop, func(*ev.Async) { called = true })
		a.Start()
		f.settles(t)
		go a.Send()
		f.until(t, func() bool { return called })
		w := ev.NewTimer(f.Loop, 0, 0, func(*ev.Timer) { called = false })
		w.Arm(20 * time.Millisecond)
		f.until(t, func() bool { return !called })
	})
}

func TestAfterPollFDTheOtherRunsWorkToo(t *testing.T) {
	onEveryForeignLoop(t, func(t *testing.T, f foreign) {
		fired := false
		ev.NewTimer(f.Loop, 5*time.Millisecond, 0, func(*ev.Timer) { fired = true }).Start()
		run(t, f.Loop)
		assert.True(t, fired)
		a := ev.NewAsync(f.Loop, func(a *ev.Async) { a.Stop() })
		a.Start()
		before := f.Stats().Parks
		ended := goRun(f.Loop)
		untilParked(t, f.Loop, before)
		a.Send()
		assert.NoError(t, receive(t, ended))
	})
}

// Close leaves the end of the loop to a Run that has not ended, or waits for its end. So the race
// detector finds what a Run does after its end.
func TestACloseBesideARunOfAnExposedLoop(t *testing.T) {
	for range 300 {
		l := newLoop(t)
		_, err := l.PollFD()
		require.NoError(t, err)
		farOff(t, l)
		begun, ended := make(chan struct{}), make(chan error)
		go func() {
			close(begun)
			err := l.RunNoWait()
			for err == nil {
				err = l.RunNoWait()
			}
			ended <- err
		}()
		<-begun
		require.NoError(t, l.Close())
		assert.Equal(t, ev.ErrClosed, receive(t, ended))
	}
}

func TestAPollFDAndAnEmbedExcludeEachOther(t *testing.T) {
	l, other := newLoop(t), newLoop(t)
	e := ev.NewEmbed(l, other, nil)
	require.NoError(t, e.Start())
	for _, loop := range []*ev.Loop{l, other} {
		_, err := loop.PollFD()
		assert.EqualError(t, err, "ev: Loop.PollFD: the loop is embedded, or embeds another")
	}
	e.Stop()
	_, err := other.PollFD()
	require.NoError(t, err)
	assert.Error(t, e.Start())
}

func TestPollFDWhereThereIsNone(t *testing.T) {
	l := newLoop(t, ev.WithBackend(ev.BackendChan))
	fd, err := l.PollFD()
	assert.Equal(t, -1, fd)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	before := openDescriptors()
	l = newLoop(t)
	_, err = l.PollFD()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.LessOrEqual(t, openDescriptors(), before)
	_, err = l.PollFD()
	assert.ErrorIs(t, err, ev.ErrClosed)
}
