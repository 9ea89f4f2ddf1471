package ev

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/internal/kqueue"
	"github.com/goevlib/ev/internal/process"
)

func newKqueueLoop(t *testing.T) *Loop {
	l, err := New()
	require.NoError(t, err)
	require.Equal(t, BackendKqueue, l.Backend())
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// filters returns how many filters the loop's kqueue has, its own not counted.
func filters(l *Loop) int {
	return kqueue.Filters(l.poller.(*fdPoller).set.kq) - 1
}

func pipe(t *testing.T) (r, w int) {
	p, err := openPipe()
	require.NoError(t, err)
	t.Cleanup(func() { closePipe(p) })
	return p[0], p[1]
}

// events runs one iteration, without waiting, and returns what w was called with.
func events(t *testing.T, l *Loop, fd int, interest Events) (got []Events) {
	w := NewIO(l, fd, interest, func(_ *IO, e Events) { got = append(got, e) })
	require.NoError(t, w.Start())
	defer w.Stop()
	require.NoError(t, l.RunNoWait())
	return got
}

func TestAFilterThatIsRefusedTakesTheOtherOneOut(t *testing.T) {
	l := newKqueueLoop(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer closePipe(fds)
	no := kqueue.Event{FD: fds[0], Write: true}
	kqueue.Refused.Store(no, unix.ENOMEM)
	defer kqueue.Refused.Delete(no)
	assert.Equal(t, []Events{Error | Read | Write}, events(t, l, fds[0], Read|Write))
	assert.Zero(t, filters(l))

	// Nothing keeps the loop from parking.
	_, err = unix.Write(fds[1], one)
	require.NoError(t, err)
	assert.False(t, l.poller.(*fdPoller).set.look())
}

func TestADeviceThatAKqueueRefusesIsAlwaysReady(t *testing.T) {
	for _, why := range []error{unix.ENODEV, unix.EOPNOTSUPP, unix.ENOTSUP, unix.EINVAL, unix.EPERM} {
		t.Run(why.Error(), func(t *testing.T) {
			l := newKqueueLoop(t)
			device, err := os.Open(os.DevNull)
			require.NoError(t, err)
			defer device.Close()
			fd := int(device.Fd())
			no := kqueue.Event{FD: fd}
			kqueue.Refused.Store(no, why)
			defer kqueue.Refused.Delete(no)
			assert.Equal(t, []Events{Read}, events(t, l, fd, Read))
			assert.Zero(t, filters(l))
		})
	}
}

// NetBSD refuses a filter for the wrong end, with the error of a device (note f).
func TestTheWrongEndOfAPipeIsNeverReady(t *testing.T) {
	l := newKqueueLoop(t)
	r, w := pipe(t)
	for _, no := range []kqueue.Event{{FD: r, Write: true}, {FD: w}} {
		kqueue.Refused.Store(no, unix.EINVAL)
		defer kqueue.Refused.Delete(no)
	}
	assert.Equal(t, []Events{Write}, events(t, l, w, Read|Write))
	assert.Empty(t, events(t, l, w, Read))
	_, err := unix.Write(w, one)
	require.NoError(t, err)
	assert.Equal(t, []Events{Read}, events(t, l, r, Read|Write))
	assert.Empty(t, events(t, l, r, Write))
	assert.Zero(t, filters(l))
}

func TestAPlainFileIsAlwaysReady(t *testing.T) {
	l := newKqueueLoop(t)
	dir, err := os.Open(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	file, err := os.Create(dir.Name() + "/file")
	require.NoError(t, err)
	defer file.Close()
	for _, f := range []*os.File{dir, file} {
		assert.Equal(t, []Events{Read | Write}, events(t, l, int(f.Fd()), Read|Write))
	}
	assert.Zero(t, filters(l))
}

// The systems disagree on what adding a filter to such a pipe answers (note h).
func TestAPipeWithoutAReaderIsReadyForWriting(t *testing.T) {
	was := kqueue.BrokenPipe
	defer func() { kqueue.BrokenPipe = was }()
	for _, kqueue.BrokenPipe = range []unix.Errno{unix.EPIPE, unix.EBADF, unix.EPERM, 0} {
		t.Run(strconv.Itoa(int(kqueue.BrokenPipe)), func(t *testing.T) {
			l := newKqueueLoop(t)
			p, err := openPipe()
			require.NoError(t, err)
			defer unix.Close(p[1])
			require.NoError(t, unix.Close(p[0]))
			assert.Equal(t, []Events{Write}, events(t, l, p[1], Write))
		})
	}
}

func TestADescriptorThatIsNotOpenIsAnError(t *testing.T) {
	l := newKqueueLoop(t)
	r, _ := pipe(t)
	no := kqueue.Event{FD: r}
	kqueue.Refused.Store(no, unix.ENOENT)
	defer kqueue.Refused.Delete(no)
	assert.Equal(t, []Events{Error | Read | Write}, events(t, l, r, Read), "an answer that nobody foresaw")
	require.NoError(t, l.poller.openSet())
	p := l.poller.(*fdPoller)
	closed := 1 << 20
	assert.ErrorIs(t, p.watch(closed, 1, false, Read), unix.EBADF)
	assert.NoError(t, p.watch(closed, 1, true, None))
	assert.Empty(t, p.set.watched)
}

func TestBothFiltersOfADescriptorAreOneEvent(t *testing.T) {
	s := fdSet{watched: map[int]*watchedFD{3: {generation: 7}, 4: {generation: 8}}}
	for range 2 {
		s.ready = s.ready[:0]
		s.found(3, true)
		s.found(4, false)
		s.found(5, false) // nobody's
		s.found(3, false)
		assert.Equal(t, []readyFD{{3, 7, Read | Write}, {4, 8, Read}}, s.ready)
	}
	s.ready = s.ready[:0]
	s.found(4, false)
	s.found(3, false)
	assert.Equal(t, []readyFD{{4, 8, Read}, {3, 7, Read}}, s.ready)
}

func TestCloseEndsAHelperWhateverItDoes(t *testing.T) {
	for range 200 {
		l, err := New()
		require.NoError(t, err)
		r, w := pipe(t)
		calls := 0
		io := NewIO(l, r, Read, func(w *IO, _ Events) { calls++; w.Stop() })
		require.NoError(t, io.Start())
		go func() { _, _ = unix.Write(w, one) }()
		require.NoError(t, l.Run(t.Context()))
		assert.Equal(t, 1, calls)
		set := &l.poller.(*fdPoller).set
		require.NoError(t, l.Close())
		<-set.ended
	}
}

// A look can miss what the helper takes (note n). The helper wakes the loop after that.
func TestALookThatMissesWhatTheHelperTakesLosesNoWakeUp(t *testing.T) {
	kqueue.LooksMiss.Store(true)
	defer kqueue.LooksMiss.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := newKqueueLoop(t)
	r, w := pipe(t)
	other := NewAsync(l, func(*Async) {}) // has the loop look while the helper takes
	other.Start()
	const rounds = 300
	var got atomic.Int64
	io := NewIO(l, r, Read, func(w *IO, _ Events) {
		n, _ := unix.Read(r, make([]byte, 1))
		if got.Add(int64(max(n, 0))) == rounds {
			w.Stop()
			other.Stop()
		}
	})
	require.NoError(t, io.Start())
	require.NoError(t, l.RunNoWait())
	kq := l.poller.(*fdPoller).set.kq
	go func() {
		for sent := range int64(rounds) {
			_, _ = unix.Write(w, one)
			for got.Load() <= sent && !kqueue.Taking(kq) {
				runtime.Gosched()
			}
			other.Send()
		}
	}()
	require.NoError(t, l.Run(ctx))
	assert.EqualValues(t, rounds, got.Load())
	if kqueue.Missed.Load() == 0 {
		t.Log("no look came while the helper took an event")
	}
}

// A process that was forked meanwhile may have the pipe's other end.
func TestCloseEndsAHelperThatWaitsWhileSomebodyElseHasThePipe(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	require.NoError(t, l.poller.openSet())
	set := &l.poller.(*fdPoller).set
	held, err := unix.Dup(set.quit[1])
	require.NoError(t, err)
	defer unix.Close(held)
	set.arm <- struct{}{}
	set.arm <- struct{}{} // there is room: it waits
	require.NoError(t, l.Close())
	<-set.ended
}

func TestALateWakeRaisesNoSIGPIPE(t *testing.T) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, unix.SIGPIPE)
	defer signal.Stop(got)
	for range 500 {
		l, err := New()
		require.NoError(t, err)
		p := l.poller.(*fdPoller)
		var senders sync.WaitGroup
		for range 2 {
			senders.Go(func() {
				for range 200 {
					p.wakeByFD()
				}
			})
		}
		require.NoError(t, l.Close())
		senders.Wait()
	}
	assert.Empty(t, got)
}

func spawnProcess(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd
}

// The systems disagree on a process that has exited before it is watched (note b of
// internal/process).
func TestAnExitBeforeStartIsReportedByStart(t *testing.T) {
	defer func() { kqueue.FindsZombies = true }()
	for finds, status := range map[bool]syscall.WaitStatus{true: 3 << 8, false: process.UnknownStatus} {
		t.Run(strconv.FormatBool(finds), func(t *testing.T) {
			kqueue.FindsZombies = finds
			l := newKqueueLoop(t)
			pid := spawnProcess(t, "sh", "-c", "exit 3").Process.Pid
			require.NoError(t, unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
			var got []syscall.WaitStatus
			w := NewChild(l, pid, func(w *Child) { got = append(got, w.Status()) })
			require.NoError(t, w.Start())
			require.NoError(t, l.RunNoWait())
			assert.Equal(t, []syscall.WaitStatus{status}, got)
			w.Stop()
		})
	}
}

// macOS refuses a process only if it is no child, NetBSD also a child of another user (note d of
// internal/process).
func TestAProcessThatAKqueueRefusesIsAnError(t *testing.T) {
	kqueue.ExitRefused = unix.EACCES
	defer func() { kqueue.ExitRefused, kqueue.OnDarwin = 0, false }()
	l := newKqueueLoop(t)
	pid := spawnProcess(t, "sleep", "100").Process.Pid
	for onDarwin, want := range map[bool]error{true: unix.ECHILD, false: unix.EACCES} {
		kqueue.OnDarwin = onDarwin
		w := NewChild(l, pid, func(*Child) {})
		assert.ErrorIs(t, w.Start(), want)
		assert.False(t, w.Active())
	}
}
