package ev_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// onItsThread runs functions on one OS thread. Perf events and namespaces belong to a
// thread. The thread ends with the test.
func onItsThread(t *testing.T) (do func(fn func())) {
	work, done := make(chan func()), make(chan struct{})
	t.Cleanup(func() { close(work); <-done })
	go func() {
		runtime.LockOSThread() // it is never unlocked: no other goroutine gets the thread
		defer close(done)
		for fn := range work {
			fn()
		}
	}()
	return func(fn func()) {
		returned := make(chan struct{})
		work <- func() { defer close(returned); fn() }
		<-returned
	}
}

// openFaults returns a perf event with a ring buffer, and a function that makes a page
// fault. The event is readable after each page fault of the thread. The caller must
// close it.
func openFaults(t *testing.T) (fd int, fault func()) {
	t.Helper()
	do := onItsThread(t)
	attr := &unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS, Size: uint32(unix.PERF_ATTR_SIZE_VER0),
		Sample: 1, Wakeup: 1, Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv | unix.PerfBitDisabled,
	}
	var err error
	do(func() { fd, err = unix.PerfEventOpen(attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC) })
	if err != nil {
		t.Skip("no perf events here: ", err)
	}
	page := os.Getpagesize()
	ring, err := unix.Mmap(fd, 0, 65*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // the test may close fd
	require.NoError(t, err)
	t.Cleanup(func() { unix.Munmap(ring); unix.Close(own) })
	return fd, func() {
		do(func() {
			fresh, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			assert.NoError(t, err)
			assert.NoError(t, unix.IoctlSetInt(own, unix.PERF_EVENT_IOC_ENABLE, 0))
			fresh[0] = 1
			assert.NoError(t, unix.IoctlSetInt(own, unix.PERF_EVENT_IOC_DISABLE, 0))
			assert.NoError(t, unix.Munmap(fresh))
		})
	}
}

// openMounts returns the mount table of a new mount namespace, and a function that
// changes the table.
func openMounts(t *testing.T, name string) (fd int, change func()) {
	t.Helper()
	do, dir := onItsThread(t), t.TempDir()
	var err error
	do(func() {
		if err = unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			fd, err = unix.Open("/proc/thread-self/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
	})
	if err != nil {
		t.Skip("no mount namespace here: ", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	mounted := false
	return fd, func() {
		do(func() {
			if mounted {
				assert.NoError(t, unix.Unmount(dir, 0))
			} else {
				assert.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
			}
			mounted = !mounted
		})
	}
}

func openHostname(t *testing.T) (fd int, change func()) {
	t.Helper()
	do := onItsThread(t)
	var err error
	do(func() {
		if err = unix.Unshare(unix.CLONE_NEWUTS); err == nil {
			fd, err = unix.Open("/proc/sys/kernel/hostname", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
	})
	if err != nil {
		t.Skip("no host name of its own here: ", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	n := 0
	return fd, func() {
		n++
		do(func() { assert.NoError(t, unix.Sethostname([]byte(fmt.Sprint("ev", n)))) })
	}
}

// openCgroupEvents returns the cgroup.events of a new cgroup, and a function by which a
// process enters and leaves it.
func openCgroupEvents(t *testing.T) (fd int, change func()) {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		dir := filepath.Join(root, fmt.Sprint("ev-test-", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		var err error
		if fd, err = unix.Open(filepath.Join(dir, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			continue
		}
		t.Cleanup(func() { unix.Close(fd) })
		sleeper := exec.Command("sleep", "1000")
		require.NoError(t, sleeper.Start())
		t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
		inside := false
		return fd, func() {
			to := filepath.Join(dir, "cgroup.procs")
			if inside {
				to = filepath.Join(root, "cgroup.procs")
			}
			inside = !inside
			assert.NoError(t, os.WriteFile(to, []byte(fmt.Sprint(sleeper.Process.Pid)), 0))
		}
	}
	t.Skip("no cgroup of its own here")
	return
}

// openPressure returns a pressure trigger: processes waited a millisecond for a
// processor within two seconds. It starts processes that do.
func openPressure(t *testing.T) (fd int, change func()) {
	t.Helper()
	fd, err := unix.Open("/proc/pressure/cpu", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		t.Cleanup(func() { unix.Close(fd) })
		_, err = unix.Write(fd, []byte("some 1000 2000000\x00"))
	}
	if err != nil {
		t.Skip("no pressure to be told of here: ", err)
	}
	for range runtime.NumCPU() + 2 {
		spin := exec.Command("sh", "-c", "while :; do :; done")
		require.NoError(t, spin.Start())
		t.Cleanup(func() { _ = spin.Process.Kill(); _ = spin.Wait() })
	}
	return fd, func() {} // the processes go on
}

func TestFilesWhosePollTakesTheEventAwayHaveAllOfThem(t *testing.T) {
	for name, file := range map[string]struct {
		open    func(t *testing.T) (fd int, change func())
		changes int
	}{
		"a perf event": {func(t *testing.T) (int, func()) {
			fd, fault := openFaults(t)
			t.Cleanup(func() { unix.Close(fd) })
			return fd, fault
		}, 50},
		"mounts":        {func(t *testing.T) (int, func()) { return openMounts(t, "mounts") }, 20},
		"mountinfo":     {func(t *testing.T) (int, func()) { return openMounts(t, "mountinfo") }, 20},
		"the host name": {openHostname, 20},
		"cgroup.events": {openCgroupEvents, 4},
		"pressure":      {openPressure, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fd, change := file.open(t)
			l := newLoop(t)
			var calls atomic.Int64
			w := ev.NewIO(l, fd, ev.Read, func(_ *ev.IO, got ev.Events) {
				assert.Equal(t, ev.Read, got)
				calls.Add(1)
			})
			require.NoError(t, w.Start())
			start(t, l)
			for range file.changes {
				settled(t, l, &calls)
				before := calls.Load()
				change()
				require.Eventually(t, func() bool { return calls.Load() > before }, patience, 100*time.Microsecond,
					"after %d calls, a change was not told", before)
			}
			assert.Less(t, calls.Load(), int64(1000), "the loop does not spin")
			onLoop(t, l, w.Stop)
			before := calls.Load()
			change()
			onLoop(t, l, func() {})
			assert.Equal(t, before, calls.Load(), "stopped")
		})
	}
}

// settled waits until there was a call and no more calls come.
func settled(t *testing.T, l *ev.Loop, calls *atomic.Int64) {
	t.Helper()
	last := int64(0)
	require.Eventually(t, func() bool {
		before := last
		last = calls.Load()
		return last > 0 && last == before
	}, patience, 3*time.Millisecond)
}

func init() {
	everyKind["IO of the mount table"] = func(t *testing.T, l *ev.Loop, called func()) (ev.Watcher, error) {
		w := ev.NewIO(l, openFile(t, "/proc/self/mounts"), ev.Read, func(*ev.IO, ev.Events) { called() })
		return w, w.Start()
	}
}

func TestTheFirstEventOfSuchAFileComesAtOnce(t *testing.T) { // no event from before Start matters
	l := newLoop(t)
	w := ev.NewIO(l, openFile(t, "/proc/self/mounts"), ev.Write, func(w *ev.IO, got ev.Events) {
		assert.Equal(t, ev.Write, got, "as what was asked for")
		w.Stop()
	})
	require.NoError(t, w.Start())
	run(t, l)
}

func openFile(t testing.TB, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// callOf runs the loop until the counter grows.
func callOf(t *testing.T, l *ev.Loop, calls *int) {
	t.Helper()
	for before, deadline := *calls, time.Now().Add(patience); *calls == before; nowait(t, l) {
		require.True(t, time.Now().Before(deadline), "not called")
		time.Sleep(100 * time.Microsecond)
	}
}

// quiet makes iterations. They must not call the watcher.
func quiet(t *testing.T, l *ev.Loop, calls *int) {
	t.Helper()
	before := *calls
	for range 20 {
		time.Sleep(100 * time.Microsecond)
		nowait(t, l)
	}
	assert.Equal(t, before, *calls)
}

func TestWatchersOfSuchAFileShareItsEventsAndLeaveNothingBehind(t *testing.T) {
	fd, fault := openFaults(t)
	defer unix.Close(fd)
	l := newLoop(t)
	nowait(t, l)
	a, _ := socketpair(t)
	startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) {}) // for the set
	nowait(t, l)
	before := leak.Look()
	var first, second int
	one := startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { first++ })
	two := startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { second++ })
	callOf(t, l, &second)
	assert.Positive(t, first)
	fault()
	callOf(t, l, &first)
	one.Stop()
	fault()
	callOf(t, l, &second)
	quiet(t, l, &first)

	require.NoError(t, two.SetEvents(ev.None))
	nowait(t, l)
	fault()
	quiet(t, l, &second)
	require.NoError(t, two.SetEvents(ev.Read|ev.Write))
	callOf(t, l, &second)
	fault()
	callOf(t, l, &second)

	two.Stop()
	assert.LessOrEqual(t, openDescriptors(), before.Descriptors, "at once")
	require.NoError(t, leak.Since(before, patience))
	require.NoError(t, l.Verify())
	require.NoError(t, two.Start())
	callOf(t, l, &second)
	fault()
	callOf(t, l, &second)
	require.NoError(t, l.Verify())
}

func TestSuchAFileThatWasClosedHasNoMoreEvents(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, fd int){
		"closed": func(t *testing.T, fd int) { require.NoError(t, unix.Close(fd)) },
		"another file": func(t *testing.T, fd int) {
			a, _ := socketpair(t)
			require.NoError(t, dup2(a, fd))
		},
		"another event": func(t *testing.T, fd int) {
			other, _ := openFaults(t)
			require.NoError(t, dup2(other, fd))
			require.NoError(t, unix.Close(other))
		},
	} {
		t.Run(name, func(t *testing.T) {
			fd, fault := openFaults(t)
			l := newLoop(t)
			calls := 0
			w := startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
			callOf(t, l, &calls)
			quiet(t, l, &calls)
			replace(t, fd) // and w is not stopped
			before := openDescriptors()
			fault()
			quiet(t, l, &calls)
			assert.Less(t, openDescriptors(), before, "the loop has let go of the file")
			assert.True(t, w.Active())
			require.NoError(t, l.Verify())

			a, b := socketpair(t)
			if a != fd {
				require.NoError(t, dup2(a, fd))
				defer unix.Close(fd)
			}
			write(t, b, "x")
			got := 0
			startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { got++ })
			for range 5 {
				nowait(t, l)
			}
			assert.Equal(t, 5, got, "the number is a socket's, which is level-triggered")
			require.NoError(t, l.Verify())
		})
	}
}

func TestCloseAndCollectionEndTheRelays(t *testing.T) {
	fd := openFile(t, "/proc/self/mounts")
	before := leak.Look()
	l, err := ev.New()
	require.NoError(t, err)
	startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) {})
	nowait(t, l)
	require.NoError(t, l.Close())
	require.NoError(t, leak.Since(before, patience))

	dropLoops(t, 20, func(l *ev.Loop) {
		calls := 0
		startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		callOf(t, l, &calls)
	})
}

func TestAnEmbeddedLoopHasTheEventsOfSuchAFile(t *testing.T) {
	fd, fault := openFaults(t)
	defer unix.Close(fd)
	host, embedded := newLoop(t), newLoop(t)
	require.NoError(t, ev.NewEmbed(host, embedded, nil).Start())
	var calls atomic.Int64
	startIO(t, embedded, fd, ev.Read, func(*ev.IO, ev.Events) { calls.Add(1) })
	start(t, host)
	for range 20 {
		settled(t, host, &calls)
		before := calls.Load()
		fault()
		require.Eventually(t, func() bool { return calls.Load() > before }, patience, 100*time.Microsecond)
	}
}

// The runtime's poller has the os.File too, and polls it.
func TestAnOpenFileOfSuchAKindCanBeWatched(t *testing.T) {
	fd, fault := openFaults(t)
	require.NoError(t, unix.SetNonblock(fd, true))
	file := os.NewFile(uintptr(fd), "perf")
	defer file.Close()
	require.NoError(t, file.SetReadDeadline(time.Time{}), "it is")
	l := newLoop(t)
	calls := 0
	w := ev.NewConnIO(l, file, ev.Read, func(*ev.IO, ev.Events) { calls++ })
	require.NoError(t, w.Start())
	for range 20 {
		callOf(t, l, &calls)
		quiet(t, l, &calls)
		fault()
	}
	w.Stop()
}

func TestWhatIsNotOfSuchAKindStaysLevelTriggered(t *testing.T) {
	for _, path := range []string{"/proc/self/status", "/proc/kmsg", "/dev/kmsg", "/dev/zero"} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		defer unix.Close(fd)
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(p, 0); n != 1 || err != nil {
			continue // it has nothing to read
		}
		l := newLoop(t)
		calls := 0
		startIO(t, l, fd, ev.Read, func(*ev.IO, ev.Events) { calls++ })
		for range 10 {
			nowait(t, l)
		}
		assert.Equal(t, 10, calls, path)
	}
}

// A watcher that is not stopped before its descriptor is closed also gets the events of
// the next file with that number. One of the two files needs a relay.
func TestANumberThatIsReusedForAFileOfTheOtherSort(t *testing.T) {
	for _, first := range []string{"pipe", "mounts"} {
		t.Run(first+" first", func(t *testing.T) {
			l := newLoop(t)
			var p [2]int
			require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
			defer unix.Close(p[0])
			defer unix.Close(p[1])
			_, err := unix.Write(p[1], []byte("x"))
			require.NoError(t, err)
			mounts, err := os.Open("/proc/self/mounts")
			require.NoError(t, err)
			defer mounts.Close()
			older, newer := p[0], int(mounts.Fd())
			if first == "mounts" {
				older, newer = newer, older
			}
			fd, err := unix.FcntlInt(uintptr(older), unix.F_DUPFD_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			var calls [2]int
			watch := func(i int) *ev.IO {
				w := ev.NewIO(l, fd, ev.Read, func(*ev.IO, ev.Events) { calls[i]++ })
				require.NoError(t, w.Start())
				return w
			}
			called := func(i int) {
				t.Helper()
				for before := calls[i]; calls[i] == before; {
					once(t, l)
				}
				require.NoError(t, l.Verify())
			}
			old := watch(0)
			called(0)
			require.NoError(t, unix.Dup3(newer, fd, unix.O_CLOEXEC))
			for range 2 {
				w := watch(1)
				called(1)
				w.Stop()
				nowait(t, l)
			}
			w := watch(1)
			called(1)
			old.Stop()
			w.Stop()
			nowait(t, l)
			require.NoError(t, l.Verify())
		})
	}
}

// The epoll set that all relays share is closed with the last watcher that needs a
// relay, even during a registration. Its number can be watched again.
func TestARelayThatCannotBeMadeLeavesNoNumberDeaf(t *testing.T) {
	l := newLoop(t)
	open := func() (p [2]int) {
		require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
		t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
		return p
	}
	idle := ev.NewIO(l, open()[0], ev.Read, func(*ev.IO, ev.Events) {})
	require.NoError(t, idle.Start())
	nowait(t, l) // the set is open
	mounts, err := os.Open("/proc/self/mounts")
	require.NoError(t, err)
	defer mounts.Close()
	var got ev.Events
	w := ev.NewIO(l, int(mounts.Fd()), ev.Read, func(_ *ev.IO, events ev.Events) { got |= events })
	require.NoError(t, w.Start())
	withoutDescriptors(t, func() { nowait(t, l) })
	assert.Equal(t, ev.Error|ev.Read|ev.Write, got)
	assert.False(t, w.Active())
	require.NoError(t, l.Verify())
	idle.Stop()
	calls := 0
	for range 5 { // one of them has the number of the eventfd
		ready := ev.NewIO(l, open()[1], ev.Write, func(w *ev.IO, _ ev.Events) { calls++; w.Stop() })
		require.NoError(t, ready.Start())
	}
	nowait(t, l)
	assert.Equal(t, 5, calls)
}
