//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev_test

import (
	"bufio"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

const unknown = ^syscall.WaitStatus(0)

// child is a process that exits when "exit 3" comes on its standard input, or by a
// signal. Until then it waits.
type child struct {
	*exec.Cmd
	in io.WriteCloser
}

func spawn(t testing.TB) *child {
	t.Helper()
	c := &child{Cmd: exec.Command("sh", "-c", "read line; eval $line")}
	var err error
	c.in, err = c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

func (c *child) tell(t testing.TB, line string) {
	t.Helper()
	_, err := io.WriteString(c.in, line+"\n")
	require.NoError(t, err)
}

func (c *child) pid() int { return c.Process.Pid }

// status waits for the process, as the program that started it does.
func (c *child) status(t testing.TB) syscall.WaitStatus {
	t.Helper()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return c.ProcessState.Sys().(syscall.WaitStatus)
}

// zombie waits until the process has exited. It does not reap the process.
func (c *child) zombie(t testing.TB) {
	t.Helper()
	l := newLoop(t)
	watchChild(t, l, c.pid(), (*ev.Child).Stop)
	run(t, l)
}

// watchChild starts a Child.
func watchChild(t testing.TB, l *ev.Loop, pid int, fn func(*ev.Child), opts ...ev.Option) *ev.Child {
	t.Helper()
	w := ev.NewChild(l, pid, fn, opts...)
	require.NoError(t, w.Start())
	return w
}

func unwatched(t testing.TB) func(*ev.Child) {
	return func(*ev.Child) { assert.Fail(t, "called back") }
}

func TestAChildsExitIsReported(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		calls := 0
		w := ev.NewChild(l, c.pid(), func(w *ev.Child) {
			calls++
			assert.Equal(t, ev.ChildEvent, w.Events())
			assert.Equal(t, c.pid(), w.RPid())
			assert.Equal(t, 2, w.Priority())
			assert.True(t, w.Status().Exited())
			assert.Equal(t, 3, w.Status().ExitStatus())
			assert.True(t, w.Active(), "still active until stopped")
			l.Stop()
		}, ev.Priority(-1))
		assert.Equal(t, c.pid(), w.Pid())
		assert.Zero(t, w.RPid())
		assert.Equal(t, unknown, w.Status())
		require.NoError(t, w.Start())
		require.NoError(t, w.Start(), "no effect when active")
		c.tell(t, "exit 3")
		run(t, l)
		assert.Equal(t, 1, calls)
		assert.True(t, w.Active())
		assert.Equal(t, 3, c.status(t).ExitStatus(), "it was not reaped")
		nowait(t, l)
		assert.Equal(t, 1, calls, "the exit comes once")
		w.Stop()
		w.Stop()
		assert.False(t, w.Active())
		assert.Zero(t, l.Active())
	})
}

func TestAChildKilledByASignalIsReported(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		calls := 0
		watchChild(t, l, c.pid(), func(w *ev.Child) {
			calls++
			assert.True(t, w.Status().Signaled())
			assert.Equal(t, syscall.SIGTERM, w.Status().Signal())
			assert.NoError(t, syscall.Kill(c.pid(), 0), "it is there until its parent waits for it")
			w.Stop()
		})
		kill := ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) {
			assert.Zero(t, calls)
			assert.NoError(t, syscall.Kill(c.pid(), syscall.SIGTERM))
		})
		kill.Start()
		run(t, l)
		assert.Equal(t, 1, calls)
		assert.Equal(t, syscall.SIGTERM, c.status(t).Signal())
		assert.ErrorIs(t, syscall.Kill(c.pid(), 0), syscall.ESRCH)
	})
}

func TestChildAndOsExecBothGetTheStatus(t *testing.T) {
	needsKernel(t, "os/exec gets no status from its waitid")
	t.Run("Wait in the callback", func(t *testing.T) {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			c := spawn(t)
			watchChild(t, l, c.pid(), func(w *ev.Child) {
				assert.Equal(t, 4, w.Status().ExitStatus())
				assert.Equal(t, 4, c.status(t).ExitStatus())
				w.Stop()
			})
			c.tell(t, "exit 4")
			run(t, l)
		})
	})
	t.Run("Wait before", func(t *testing.T) {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			c := spawn(t)
			w := watchChild(t, l, c.pid(), (*ev.Child).Stop)
			c.tell(t, "exit 5")
			assert.Equal(t, 5, c.status(t).ExitStatus())
			run(t, l)
			assertStatus(t, w, 5)
		})
	})
	t.Run("Wait meanwhile", func(t *testing.T) {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			for range 10 {
				c := spawn(t)
				w := watchChild(t, l, c.pid(), (*ev.Child).Stop)
				waited := make(chan syscall.WaitStatus, 1)
				go func() {
					_ = c.Wait()
					waited <- c.ProcessState.Sys().(syscall.WaitStatus)
				}()
				c.tell(t, "exit 6")
				run(t, l)
				assertStatus(t, w, 6)
				assert.Equal(t, 6, receive(t, waited).ExitStatus())
			}
		})
	})
}

// assertStatus allows for systems that forget the status of a process that was reaped.
func assertStatus(t *testing.T, w *ev.Child, code int) {
	t.Helper()
	if w.Status() == unknown && !remembersReaped() {
		assert.False(t, w.Status().Exited())
		assert.False(t, w.Status().Signaled())
		assert.Equal(t, w.Pid(), w.RPid())
		return
	}
	assert.Equal(t, code, w.Status().ExitStatus())
}

func TestAChildThatHasExitedBeforeStartIsReported(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		c.tell(t, "exit 7")
		c.zombie(t)
		w := watchChild(t, l, c.pid(), (*ev.Child).Stop)
		assert.Equal(t, 7, c.status(t).ExitStatus())
		run(t, l)
		assert.Equal(t, c.pid(), w.RPid())
		if runtime.GOOS == "linux" {
			assert.Equal(t, 7, w.Status().ExitStatus(), "known since Start")
		}
	})
}

func TestOneChildAmongManyFailedStarts(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		calls := 0
		watchChild(t, l, c.pid(), func(w *ev.Child) { calls++; w.Stop() })
		for range 100 {
			require.Error(t, exec.Command("/nonexistent").Start())
		}
		c.tell(t, "exit 1")
		run(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestAHundredChildrenAtOnce(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		codes := make(map[int]int)
		const children = 100
		var all []*child
		for i := range children {
			c := spawn(t)
			all = append(all, c)
			watchChild(t, l, c.pid(), func(w *ev.Child) {
				codes[i] = w.Status().ExitStatus()
				assert.Equal(t, i, c.status(t).ExitStatus())
				w.Stop()
			}, ev.Name("child"))
		}
		for i, c := range all {
			c.tell(t, "exit "+strconv.Itoa(i))
		}
		run(t, l)
		require.Len(t, codes, children)
		for i := range children {
			assert.Equal(t, i, codes[i])
		}
	})
}

func TestManyWatchersInManyLoopsSeeOneChild(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		const loops = 4
		var calls sync.WaitGroup
		for range loops {
			m := newLoop(t, ev.WithBackend(l.Backend()))
			for range 2 {
				calls.Add(1)
				watchChild(t, m, c.pid(), func(w *ev.Child) {
					assert.Equal(t, 8, w.Status().ExitStatus())
					w.Stop()
					calls.Done()
				})
			}
			start(t, m)
		}
		c.tell(t, "exit 8")
		all := make(chan struct{})
		go func() { calls.Wait(); close(all) }()
		receive(t, all)
	})
}

func TestAChildThatIsNotKeptDoesNotKeepRunGoing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		w := watchChild(t, l, c.pid(), unwatched(t))
		w.Keep(false)
		run(t, l)
		require.NoError(t, c.Process.Signal(syscall.Signal(0)), "the child lives")
		require.NoError(t, c.Process.Kill())
		assert.Equal(t, syscall.SIGKILL, c.status(t).Signal())
		w.Stop()
		assert.Zero(t, l.Active())
	})
}

func TestAProcessThatCannotBeWatchedIsRefusedWithAReason(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		gone := spawn(t)
		gone.tell(t, "exit 0")
		gone.status(t)
		for _, bad := range []struct {
			pid  int
			is   error
			says string
		}{
			{0, syscall.EINVAL, "ev: Child.Start: pid 0: invalid argument: 0 would be any child, those of os/exec too"},
			{-1, syscall.EINVAL, "ev: Child.Start: pid -1: invalid argument: process groups cannot be watched"},
			{-gone.pid(), syscall.EINVAL, "process groups cannot be watched"},
			{gone.pid(), syscall.ESRCH, "no such process"},
			{math.MaxInt32, syscall.ESRCH, "ev: Child.Start: pid 2147483647: "},
		} {
			w := ev.NewChild(l, bad.pid, unwatched(t))
			err := w.Start()
			assert.ErrorIs(t, err, bad.is)
			assert.ErrorContains(t, err, bad.says)
			assert.False(t, w.Active())
			assert.False(t, l.Alive())
		}
	})
}

func TestAProcessThatIsNotAChildIsRefused(t *testing.T) {
	l := newLoop(t)
	if slices.Contains(ev.SupportedBackends(), ev.BackendKqueue) {
		t.Skip("a kqueue watches any process")
	}
	for _, pid := range []int{os.Getppid(), os.Getpid()} {
		assert.ErrorIs(t, ev.NewChild(l, pid, unwatched(t)).Start(), syscall.ECHILD)
	}
	// The shell starts a grandchild.
	cmd := exec.Command("sh", "-c", "sleep 100 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	assert.ErrorIs(t, ev.NewChild(l, pid, unwatched(t)).Start(), syscall.ECHILD)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.NoError(t, cmd.Wait())
}

func TestAStoppedChildWatcherIsNotCalled(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		w := watchChild(t, l, c.pid(), unwatched(t))
		w.Stop()
		c.tell(t, "exit 0")
		c.zombie(t)
		nowait(t, l)

		// The watcher is stopped when the exit is known and not collected, and when it
		// is pending.
		require.NoError(t, w.Start())
		w.Stop()
		nowait(t, l)
		require.NoError(t, w.Start())
		first := ev.NewCheck(l, func(*ev.Check) {
			assert.True(t, w.Pending())
			w.Stop()
		}, ev.Priority(ev.MaxPriority))
		first.Start()
		nowait(t, l)
		first.Stop()
		assert.False(t, w.Pending())

		calls := 0
		w.SetCallback(func(w *ev.Child) { calls++ })
		require.NoError(t, w.Start())
		nowait(t, l)
		assert.Equal(t, 1, calls, "a new Start tells of the exit again")
		nowait(t, l)
		assert.Equal(t, 1, calls)
		w.Stop()
		assert.Panics(t, func() { w.SetCallback(nil) })
	})
}

func TestStopRacesWithTheExit(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for range 20 {
			c := spawn(t)
			called := false
			w := watchChild(t, l, c.pid(), func(*ev.Child) { called = true })
			go func() { _, _ = io.WriteString(c.in, "exit 0\n") }()
			nowait(t, l)
			w.Stop()
			before := called
			nowait(t, l)
			assert.Equal(t, before, called, "called after Stop")

			require.NoError(t, w.Start())
			for called = false; !called; {
				once(t, l)
			}
			assert.Equal(t, 0, w.Status().ExitStatus())
			w.Stop()
		}
	})
}

func TestClosingALoopLeavesTheChildrenOfOthers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		other := newLoop(t, ev.WithBackend(l.Backend()))
		dropped := watchChild(t, other, c.pid(), unwatched(t))
		w := watchChild(t, l, c.pid(), (*ev.Child).Stop)
		require.NoError(t, other.Close())
		assert.False(t, dropped.Active())
		assert.ErrorIs(t, dropped.Start(), ev.ErrClosed)
		c.tell(t, "exit 9")
		run(t, l)
		assert.Equal(t, 9, w.Status().ExitStatus())
	})
}

func TestAnActiveChildWatcherLeaksNothingWhenTheLoopIsClosed(t *testing.T) {
	fds := openDescriptors()
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		watchChild(t, l, c.pid(), unwatched(t))
		require.NoError(t, c.Process.Kill())
		c.status(t)
		require.NoError(t, l.Close())
	})
	assert.LessOrEqual(t, openDescriptors(), fds)
}

func TestAChildWatcherRunsBeforeOthers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		c.tell(t, "exit 0")
		c.zombie(t)
		var order []string
		a := ev.NewAsync(l, func(*ev.Async) { order = append(order, "async") }, ev.Priority(1))
		a.Start()
		a.Send()
		w := ev.NewChild(l, c.pid(), func(w *ev.Child) {
			order = append(order, "child")
			assert.Equal(t, ev.ChildEvent|ev.Custom, w.Events(), "fed before Start, and called once")
		}, ev.Priority(ev.MinPriority))
		assert.Equal(t, ev.MinPriority, w.Priority())
		w.Feed(ev.Custom)
		require.NoError(t, w.Start())
		assert.Equal(t, ev.MaxPriority, w.Priority())
		assert.Equal(t, 1, l.Pending())
		l.SetInvoke(func(l *ev.Loop) { // let the request join the event that was fed
			if l.Iteration() > 0 {
				l.Invoke()
			}
		})
		nowait(t, l)
		l.SetInvoke(nil)
		assert.Equal(t, []string{"child", "async"}, order)
		assert.Equal(t, 0, w.Status().ExitStatus())
		w.Stop()
		a.Stop()
	})
}

func TestAChildWatcherCanBeFedAndInvoked(t *testing.T) {
	l := newLoop(t)
	c := spawn(t)
	calls := 0
	w := ev.NewChild(l, c.pid(), func(w *ev.Child) { calls++; assert.Equal(t, unknown, w.Status()) })
	w.Invoke(ev.ChildEvent)
	require.NoError(t, w.Start())
	w.Invoke(ev.ChildEvent)
	w.Feed(ev.ChildEvent)
	nowait(t, l)
	assert.Equal(t, 3, calls)
	assert.Zero(t, w.RPid())
	w.Stop()
}

func TestNewChildPanicsOnMisuse(t *testing.T) {
	l := newLoop(t)
	assert.PanicsWithValue(t, "ev: NewChild: nil loop", func() { ev.NewChild(nil, 1, unwatched(t)) })
	assert.PanicsWithValue(t, "ev: NewChild: nil callback", func() { ev.NewChild(l, 1, nil) })
	assert.PanicsWithValue(t, "ev: NewTimer: Trace is an option of NewChild", func() {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Trace(true))
	})
}

func TestAChildsDescriptorIsInheritedByNobody(t *testing.T) {
	if openDescriptors() == 0 {
		t.Skip("needs /proc")
	}
	l := newLoop(t)
	c := spawn(t)
	w := watchChild(t, l, c.pid(), unwatched(t))
	assert.True(t, slices.ContainsFunc(descriptors(t), isPidfd), "the watcher's, and os/exec's")
	out, err := exec.Command("sh", "-c", "ls -l /proc/$$/fd").Output()
	require.NoError(t, err)
	assert.False(t, isPidfd(string(out)))
	w.Stop()
}

// descriptors returns the names of the process's descriptors. It leaves out descriptors
// that are closed meanwhile.
func descriptors(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func isPidfd(s string) bool { return strings.Contains(s, "pidfd") }

func TestAChildWatcherWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c := spawn(t)
		watchChild(t, l, c.pid(), (*ev.Child).Stop)
		go func() {
			untilParked(t, l, 0)
			_, _ = io.WriteString(c.in, "exit 0\n")
		}()
		run(t, l)
	})
}

func TestEvDebugChecksTheOwnerOfAChild(t *testing.T) {
	t.Setenv("EV_DEBUG", "1")
	l := newLoop(t)
	c := spawn(t)
	w := ev.NewChild(l, c.pid(), unwatched(t))
	start(t, l)
	for method, call := range map[string]func(){
		"Start":  func() { _ = w.Start() },
		"Status": func() { w.Status() },
		"RPid":   func() { w.RPid() },
	} {
		func() {
			defer func() { assert.Contains(t, recover(), "ev: Child."+method+": called by goroutine") }()
			call()
		}()
	}
}

// remembersReaped reports whether the system knows the status of a process after a
// wait. Linux before 6.15 does not.
func remembersReaped() bool { return !olderLinux(6, 15) }
