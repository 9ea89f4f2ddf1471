//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev_test

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

func init() {
	waits["WaitConn"] = func(t *testing.T, task *ev.Task) error {
		if task.Loop().Backend() == ev.BackendChan {
			return task.Sleep(time.Hour) // no descriptors
		}
		r, _ := taskPipe(t)
		_, err := task.WaitConn(r, ev.Read)
		return err
	}
}

// taskPipe makes a pipe whose ends are closed after the test.
func taskPipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

func TestWaitFDAndWaitConnReturnWhatHolds(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		r, w := taskPipe(t)
		var got []string
		ev.Spawn(l, func(task *ev.Task) error {
			buf := make([]byte, 10)
			for {
				events, err := task.WaitConn(r, ev.Read)
				require.NoError(t, err)
				assert.Equal(t, ev.Read, events)
				n, _ := r.Read(buf)
				if n == 0 {
					return nil
				}
				got = append(got, string(buf[:n]))
			}
		})
		ev.Spawn(l, func(task *ev.Task) error {
			for _, s := range []string{"a", "b"} {
				fd := int(w.Fd())
				events, err := task.WaitFD(fd, ev.Write)
				require.NoError(t, err)
				assert.Equal(t, ev.Write, events)
				_, _ = w.WriteString(s)
				_ = task.Sleep(time.Millisecond)
			}
			return w.Close()
		})
		run(t, l)
		assert.Equal(t, []string{"a", "b"}, got)
	})
}

func TestWaitFDRefusesWhatStartRefuses(t *testing.T) {
	l := newLoop(t)
	ev.Spawn(l, func(task *ev.Task) error {
		_, err := task.WaitFD(-1, ev.Read)
		assert.ErrorContains(t, err, "ev: Task.WaitFD: negative descriptor -1")
		_, err = task.WaitFD(1<<20, ev.Read)
		assert.ErrorIs(t, err, syscall.EBADF)
		_, err = task.WaitFD(0, ev.None)
		assert.ErrorContains(t, err, "no events")
		_, err = task.WaitFD(0, ev.AsyncEvent)
		assert.Error(t, err)
		r, _ := taskPipe(t)
		_ = r.Close()
		_, err = task.WaitConn(r, ev.Read)
		assert.ErrorIs(t, err, os.ErrClosed)
		_, w := taskPipe(t)
		events, err := task.WaitFD(int(w.Fd()), ev.Write)
		assert.NoError(t, err, "the connection of the last wait is forgotten")
		assert.Equal(t, ev.Write, events)
		return nil
	})
	run(t, l)
}

func TestAToolSeesWhichDescriptorATaskWaitsFor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		r, w := taskPipe(t)
		fd := int(r.Fd())
		conn := ev.Spawn(l, func(task *ev.Task) error { _, err := task.WaitConn(r, ev.Read); return err })
		number := ev.Spawn(l, func(task *ev.Task) error {
			return task.Within(time.Hour, func() error { _, err := task.WaitFD(fd, ev.Read); return err })
		})
		nowait(t, l)
		assert.Equal(t, "WaitConn true false", told(l, conn))
		assert.Equal(t, "WaitFD true false until 1h0m0s", told(l, number))
		assert.Equal(t, fd, look.TaskOf(conn).FD)
		assert.Equal(t, fd, look.TaskOf(number).FD)
		_, _ = w.WriteString("x")
		run(t, l)
		assert.NoError(t, number.Err())
	})
}

func TestWaitsForADescriptorDoNotAllocate(t *testing.T) {
	skipWithDebug(t)
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	if runtime.GOARCH == "loong64" {
		t.Skip("fstat is a system call with a path there, and package unix allocates it")
	}
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		r, w := taskPipe(t)
		_, err := w.Write([]byte{1})
		require.NoError(t, err)
		fd := int(r.Fd())
		ev.Spawn(l, func(task *ev.Task) error {
			for name, wait := range map[string]func() (ev.Events, error){
				"WaitFD":   func() (ev.Events, error) { return task.WaitFD(fd, ev.Read) },
				"WaitConn": func() (ev.Events, error) { return task.WaitConn(r, ev.Read) },
			} {
				allocs := testing.AllocsPerRun(200, func() {
					if got, err := wait(); got != ev.Read || err != nil {
						t.Errorf("%s: %v, %v", name, got, err)
					}
				})
				assert.Zero(t, allocs, name)
			}
			return nil
		})
		require.NoError(t, l.Run(t.Context()))
	})
}

// A loop of waits for one connection. It reads all between two waits, so the interest stays.
func TestWaitsForOneConnectionCostNoSystemCallAndNoMemory(t *testing.T) {
	skipWithDebug(t)
	l := newLoop(t)
	r, w := taskPipe(t)
	var changes uint64
	var allocated float64
	ev.Spawn(l, func(task *ev.Task) error {
		one := []byte("x")
		round := func() {
			_, err := w.Write(one)
			require.NoError(t, err)
			_, err = task.WaitConn(r, ev.Read)
			require.NoError(t, err)
			_, err = r.Read(one)
			require.NoError(t, err)
		}
		for range 1000 { // Stats are published now and then
			round()
		}
		changes = l.Stats().InterestChanges
		allocated = testing.AllocsPerRun(1000, round)
		changes = l.Stats().InterestChanges - changes
		assert.NoError(t, l.Verify())
		return nil
	})
	run(t, l)
	assert.Zero(t, changes)
	if !raceEnabled { // the detector allocates
		assert.Zero(t, allocated)
	}
}

// The descriptor is ready all the time. A task that waits for something else, or is done, and a
// nested Run do not go round with it.
func TestAnotherWaitEndsTheWatchOfAConnection(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		r, w := taskPipe(t)
		_, err := w.WriteString("x")
		require.NoError(t, err)
		few := func(from uint64) { assert.LessOrEqual(t, l.Iteration()-from, uint64(20)) }
		done := false
		ev.Spawn(l, func(task *ev.Task) error {
			for range 2 {
				_, err := task.WaitConn(r, ev.Read)
				require.NoError(t, err)
				before := l.Iteration()
				require.NoError(t, task.Sleep(10*time.Millisecond))
				few(before)
			}
			_, err := task.WaitConn(r, ev.Read)
			require.NoError(t, err)
			before := l.Iteration()
			ev.NewTimer(l, 10*time.Millisecond, 0, func(*ev.Timer) { l.Stop() }).Start()
			require.NoError(t, l.Run(context.Background()))
			few(before)
			events, err := task.WaitConn(r, ev.Read)
			assert.Equal(t, ev.Read, events)
			done = true
			return err
		})
		ev.NewTimer(l, 60*time.Millisecond, 0, func(*ev.Timer) {}).Start()
		run(t, l)
		assert.True(t, done)
		few(l.Iteration() - 20)
	})
}

// The second connection has the number of the first one, which was closed.
func TestWaitConnTellsAConnectionFromItsSuccessor(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		ev.Spawn(l, func(task *ev.Task) error {
			for range 3 {
				r, w := taskPipe(t)
				_, _ = w.WriteString("x")
				events, err := task.WaitConn(r, ev.Read)
				assert.Equal(t, ev.Read, events)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				_, err = task.WaitConn(r, ev.Read)
				assert.ErrorIs(t, err, os.ErrClosed)
				_ = w.Close()
			}
			return nil
		})
		run(t, l)
	})
}
